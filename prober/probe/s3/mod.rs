//! The kind `s3`: what lies in a bucket, how much of it, and how old is the newest?
//!
//! ```yaml
//! s3: { endpoint: https://s3.example, bucket: exports, prefix: orders/, credentials: "${secrets.export_reader}" }
//! expect: { newest: { newer_than: 26h }, objects: { gte: 1 } }
//! ```
//!
//! One listing (`ListObjectsV2`), each page a request with its own phases, signed with Signature Version 4. A
//! listing comes in the order of keys and not of times: what is newest is known only at its end, so a listing
//! that is longer than `objects_max` says that it cannot tell. Deliberately absent: reading or writing an
//! object, redirects to another region (the failure names it), retries.
//!
//! | file | holds |
//! | --- | --- |
//! | [`file`] | keys, subjects, and how they become an action |
//! | [`run`] | the action: the pages of one listing |
//! | [`request`] | the signed request for one page |
//! | [`listing`] | what the pages say, added up |

mod file;
mod listing;
mod request;
mod run;

#[cfg(test)]
mod tests;

use scenario::kind::Kind;

use crate::net::shared::Net;

/// The kind `s3`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "s3",
    summary: "lists objects in a bucket of S3 or what speaks like it: how many, how large, how old",
    keys: file::KEYS,
    short: None,
    subjects: file::SUBJECTS,
    implied: &[],
    classify: file::classify,
    compile: file::compile,
};
