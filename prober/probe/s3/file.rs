//! The keys and subjects of an `s3` step, and how they become an action.

use std::borrow::Cow;
use std::sync::Arc;

use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::meant;
use scenario::source::Spanned;
use scenario::template::Template;
use scenario::value::SubjectType;

use super::request::{ListPlan, bucket_url};
use super::run::{PAGE_BYTES_MAX, S3};
use crate::http::auth::file as auth;
use crate::http::client::Client;
use crate::http::connect::Manner;
use crate::http::request::Version;
use crate::net::keys;
use crate::net::shared::Net;
use crate::net::tls::{TlsChoice, Verify};

/// How many objects are listed if the author says nothing.
const OBJECTS_MAX: u32 = 10_000;

/// The keys.
pub(super) const KEYS: &[Key] = &[
    Key::new("endpoint", KeyType::Template, Need::Required, "Where the service is.", "https://s3.example"),
    Key::new("bucket", KeyType::Template, Need::Required, "The bucket.", "exports"),
    Key::new(
        "prefix",
        KeyType::Template,
        Need::Optional,
        "What the keys of the objects begin with; without it the whole bucket is listed.",
        "orders/",
    ),
    Key::new(
        "region",
        KeyType::Text,
        Need::Default("us-east-1"),
        "The region that is signed for.",
        "eu-central-1",
    ),
    Key::new(
        "credentials",
        KeyType::Template,
        Need::Optional,
        "A secret: ACCESS:SECRET, ACCESS:SECRET:TOKEN, or JSON as AWS' tools write it; without it nothing is signed.",
        "${secrets.export_reader}",
    ),
    Key::new(
        "path_style",
        KeyType::Bool,
        Need::Default("true"),
        "Whether the bucket stands in the path; false puts it in front of the endpoint's host.",
        "false",
    ),
    Key::new(
        "objects_max",
        KeyType::Int(1, 100_000),
        Need::Default("10000"),
        "How many objects are listed; a listing that is longer cannot be looked at, as the newest may be further on.",
        "1000",
    ),
    keys::TRUST,
    keys::CA,
    keys::INSECURE,
];

macro_rules! subject {
    ($name:literal, $shape:expr, $doc:literal, $example:literal) => {
        Subject::new($name, Shape::One($shape), $doc, $example)
    };
}

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    subject!("newest", SubjectType::Any, "When the newest object was written.", "{ newer_than: 26h }"),
    subject!("oldest", SubjectType::Any, "When the oldest object was written.", "{ newer_than: 30d }"),
    subject!("objects", SubjectType::Int, "How many objects there are.", "{ gte: 1 }"),
    subject!("size", SubjectType::Size, "How large the objects are together.", "{ lte: 10GiB }"),
    subject!("newest_key", SubjectType::Text, "The key of the newest object.", "{ ends_with: .csv }"),
    subject!("newest_size", SubjectType::Size, "How large the newest object is.", "{ gte: 1kB }"),
];

/// A broken assertion is `incorrect`, `assert.SUBJECT`.
pub(super) fn classify(_: &str, _: &str, _: bool) -> Option<(FailureClass, Cow<'static, str>)> {
    None
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    // The outer `None` is a mistake.
    let credentials = match fields.template("credentials") {
        Some(given) => auth::secret(given, "credentials", report).map(Some),
        None => Some(None),
    };
    let insecure = keys::insecure(&mut fields, report);
    let region = match fields.text("region") {
        Some(given) => auth::word(&given, "region", report),
        None => Some("us-east-1".to_owned()),
    };
    let path_style = fields.bool("path_style").is_none_or(|given| given.value);
    let objects_max = fields.int("objects_max").and_then(|given| u32::try_from(given.value).ok());
    let prefix = fields.template("prefix");
    let help = "write what all keys begin with, up to the sign; what they end with belongs into newest_key";
    report.extend(prefix.as_ref().and_then(|given| meant::path(given.value.constant()?, given.span, help)));
    let prefix = prefix.map(|given| given.value);
    let roots = keys::trust(&mut fields, report)?;
    let (endpoint, bucket) = (fields.template("endpoint")?, fields.template("bucket")?);
    check_place(&endpoint, &bucket, path_style, report)?;
    let insecure = insecure.ok()?;
    let tls = TlsChoice {
        roots,
        // The listing is read page after page: HTTP/2 would gain nothing.
        alpn: vec![b"http/1.1".to_vec()],
        verify: if insecure.is_some() { Verify::Record } else { Verify::Enforce },
        ..TlsChoice::default()
    };
    let manner = Manner { version: Version::H1, tls: Arc::new(tls), ..Manner::default() };
    let plan = ListPlan {
        endpoint: endpoint.value,
        bucket: bucket.value,
        prefix,
        region: region?,
        credentials: credentials?,
        path_style,
        objects_max: objects_max.unwrap_or(OBJECTS_MAX),
    };
    Some(Box::new(S3 { plan, client: Client { manner, body_bytes_max: PAGE_BYTES_MAX }, insecure }))
}

/// `None` if endpoint and bucket are known already and cannot be asked; the report says why.
fn check_place(
    endpoint: &Spanned<Template>,
    bucket: &Spanned<Template>,
    path_style: bool,
    report: &mut Report,
) -> Option<()> {
    let known_bucket = bucket.value.constant();
    let Some(text) = endpoint.value.constant() else { return Some(()) };
    let Err(why) = bucket_url(text, known_bucket.unwrap_or("bucket"), path_style) else { return Some(()) };
    // Shown at the word that is wrong.
    let at = if why.starts_with("a bucket") { bucket.span } else { endpoint.span };
    report
        .push(Diagnostic::error("E182", at, why).help("like endpoint: https://s3.example, bucket: exports"));
    None
}
