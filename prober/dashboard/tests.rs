//! The server as its clients see it: over a loopback connection, with a store that is really written.

mod access;
mod browser;
mod desk;
mod openapi;
mod pages;
mod server;
