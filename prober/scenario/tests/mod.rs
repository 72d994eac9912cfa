//! Whole files in, whole messages or plans out.

mod hostile;
mod messages;
mod plans;
mod repeats;
mod reuse;
mod slos;
