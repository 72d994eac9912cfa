//! The kind `sql`: one question to a PostgreSQL, MySQL or MariaDB database and the rows of its answer.
//!
//! ```yaml
//! sql: { dsn: "${secrets.warehouse_dsn}", query: select max(updated_at) as last from mart.orders }
//! expect: { rows: { "[0].last": { newer_than: 24h } } }
//! ```
//!
//! Each run opens a session of its own, on a connection of our own dialling, and asks inside a read-only
//! transaction whose statement timeout is what is left of the step's deadline; nothing is left behind on the
//! server. The first hop is the way in (`dns`, `connect`, `tls`, and `wait` for the sign-in), the second one
//! the query (`send`, `wait`, `receive`).
//!
//! The dsn is usually a secret, so nothing of it but host, port and database is ever shown. `sslmode=require`
//! and `verify-full` (for MySQL `ssl-mode=required` and its kin) mean verified TLS; anything else is a plain
//! connection. Deliberately absent: other databases, Unix sockets, several hosts in one dsn, channel binding.
//!
//! | file | holds |
//! | --- | --- |
//! | [`file`] | keys, subjects, and how they become an action |
//! | [`dsn`] | what a dsn says |
//! | [`session`] | the conversation with the server, its bytes counted and its moments noted |
//! | [`framing`] | where the messages of a server begin, and how long they may be |
//! | [`cell`] | from PostgreSQL's binary values to ours |
//! | [`rows`] | the rows as assertions see them |
//! | [`run`] | the action |
//! | [`mysql`] | the same for MySQL and MariaDB |

mod cell;
mod dsn;
mod file;
mod framing;
mod mysql;
mod rows;
mod run;
mod session;

#[cfg(test)]
mod tests;

use scenario::kind::Kind;

use crate::net::shared::Net;

/// The kind `sql`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "sql",
    summary: "asks a PostgreSQL or MySQL database one read-only question",
    keys: file::KEYS,
    short: None,
    subjects: file::SUBJECTS,
    implied: &[],
    classify: file::classify,
    compile: file::compile,
};
