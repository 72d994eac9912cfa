//! The server as its clients see it: over a loopback connection, with a store that is really written.

mod desk;
mod pages;
mod server;
