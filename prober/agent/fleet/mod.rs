//! The engine of a fleet, for whoever publishes to it and looks at it.

pub(crate) mod engine;
