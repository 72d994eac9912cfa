//! Real servers on free loopback ports, each in a folder of its own, ended when its value is dropped.
//!
//! | server | Debian package |
//! | --- | --- |
//! | [`Nginx`] | nginx-light |
//! | [`Knot`] | knot |
//! | [`Postgres`] | postgresql-15 |
//! | [`Prometheus`] | prometheus |
//! | [`Blackbox`] | prometheus-blackbox-exporter |
//! | [`PassOn`] | tinyproxy-bin, microsocks |
//! | [`Moto`] | none: the package moto for Python, in `target/peers` |
//!
//! A missing one panics with what installs it.

mod blackbox;
mod knot;
mod moto;
mod nginx;
mod postgres;
mod process;
mod prometheus;
mod proxies;

pub use blackbox::Blackbox;
pub use knot::Knot;
pub use moto::{Moto, Stored};
pub use nginx::Nginx;
pub use postgres::Postgres;
pub use prometheus::{Prometheus, check_metrics};
pub use proxies::PassOn;

#[cfg(test)]
mod tests;
