//! Whole files in, whole messages or plans out.

mod findings;
mod hostile;
mod messages;
mod plans;
mod repeats;
mod reuse;
mod slos;
