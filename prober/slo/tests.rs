//! Promises in a world whose time is passed in.

mod behaviour;
mod bounds;
mod curve;
mod keeping;
mod order;
mod tables;
mod world;
