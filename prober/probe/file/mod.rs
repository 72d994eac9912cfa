//! The kind `file`: is a file there, how old and how big is it, and what is in it?
//!
//! ```yaml
//! file: /var/exports/orders.csv
//! expect: { modified: { newer_than: 24h }, size: { gt: 0 } }
//! ```
//!
//! Paths are used as they are given; a relative one starts at the prober's working directory. Symbolic links
//! are followed. A file that is missing is the target's failure, one that we may not look at is ours. The
//! content is read with `read: true` only, at most 1 MiB of it, and only from a plain file: a pipe or a device
//! never holds a run. A network file system that hangs ends the step at its deadline; the system call itself
//! cannot be taken back and keeps one of the runtime's blocking threads until the kernel lets it go.
//!
//! | file | holds |
//! | --- | --- |
//! | [`file`] | keys, subjects, and how they become an action |
//! | [`run`] | the action and its evidence |

// The folder of each kind has a `file.rs`, and this kind has the same name.
#[expect(clippy::module_inception, reason = "each kind's folder has the same file names")]
mod file;
mod run;

#[cfg(test)]
mod tests;

use scenario::kind::Kind;

use crate::net::shared::Net;

/// The kind `file`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "file",
    summary: "looks at a file: its age, its size, its content",
    keys: file::KEYS,
    short: Some(file::short),
    subjects: file::SUBJECTS,
    implied: &[("exists", "true")],
    classify: file::classify,
    compile: file::compile,
};
