//! Promises in a world whose time is passed in.

mod adjusting;
mod behaviour;
mod bounds;
mod curve;
mod good;
mod keeping;
mod order;
mod skimming;
mod spending;
mod tables;
mod world;
