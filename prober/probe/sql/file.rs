//! The keys and subjects of a `sql` step, and how they become an action.

use std::borrow::Cow;

use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::source::Spanned;
use scenario::template::Template;
use scenario::value::SubjectType;

use super::dsn::Dsn;
use super::run::{Sql, Where};
use crate::net::keys;
use crate::net::shared::Net;

/// The most rows that an author may ask to be read.
const ROWS_MAX: i64 = 10_000;
const ROWS_DEFAULT: usize = 100;

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "dsn",
        value: KeyType::Template,
        need: Need::Required,
        doc: "Where the database is and who signs in: a postgresql:// or mysql:// URL, or PostgreSQL's `key=value` pairs.",
        example: "${secrets.warehouse_dsn}",
    },
    Key {
        name: "query",
        value: KeyType::Text,
        need: Need::Required,
        doc: "One statement; it runs in a read-only transaction.",
        example: "select max(updated_at) as last from mart.orders",
    },
    Key {
        name: "rows_limit",
        value: KeyType::Int(1, ROWS_MAX),
        need: Need::Default("100"),
        doc: "How many rows are read; the rest of the answer is left.",
        example: "10",
    },
    Key {
        name: "ca",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "A PEM file of the authorities to trust instead of the system's.",
        example: "certs/internal-root.pem",
    },
    keys::INSECURE,
];

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject::new(
        "rows",
        Shape::Row,
        "The values of the answer, by row number (from 0) and column name.",
        "{ \"[0].last\": { newer_than: 24h } }",
    ),
    Subject::new("row_count", Shape::One(SubjectType::Int), "How many rows the answer has.", "{ gte: 1 }"),
];

/// A broken assertion is `incorrect`, `assert.SUBJECT`.
pub(super) fn classify(_: &str, _: &str, _: bool) -> Option<(FailureClass, Cow<'static, str>)> {
    None
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let about_tls = ["ca", "insecure"].into_iter().find_map(|key| Some((key, fields.span_of(key)?)));
    let query = fields.text("query");
    let rows_limit = fields.int("rows_limit").and_then(|given| usize::try_from(given.value).ok());
    let ca = fields.text("ca").map(|given| given.value.into());
    let insecure_at = fields.span_of(keys::INSECURE.name);
    let insecure = keys::insecure(&mut fields, report);
    let place = place(fields.template("dsn")?, report);
    let query = query?;
    if query.value.trim().is_empty() {
        report.push(Diagnostic::error("E104", query.span, "the query is empty"));
        return None;
    }
    if let (Some((key, span)), Some(Where::Now(dsn))) = (about_tls, &place)
        && !dsn.tls
    {
        let message = format!("`{key}` says something about TLS, and the dsn wants none");
        report.push(Diagnostic::error("E135", span, message).help(format!(
            "write ?{} behind the dsn, or leave `{key}` out",
            if dsn.system() == "mysql" { "ssl-mode=required" } else { "sslmode=require" }
        )));
        return None;
    }
    if let Some(at) = insecure_at {
        keys::shown_to_anyone(at, report);
    }
    let rows_limit = rows_limit.unwrap_or(ROWS_DEFAULT);
    Some(Box::new(Sql { place: place?, query: query.value, rows_limit, ca, insecure: insecure.ok()? }))
}

fn place(dsn: Spanned<Template>, report: &mut Report) -> Option<Where> {
    let Some(text) = dsn.value.constant() else { return Some(Where::Later(dsn.value)) };
    match Dsn::parse(text) {
        Ok(parsed) => {
            if parsed.has_password() {
                let message = "a password stands in this file";
                let help = "keep the whole dsn as a secret and write ${secrets.NAME}";
                report.push(Diagnostic::warning("W303", dsn.span, message).masked().help(help));
            }
            Some(Where::Now(Box::new(parsed)))
        }
        Err(error) => {
            let diagnostic = Diagnostic::error("E133", dsn.span, error.to_string());
            report
                .push(diagnostic.help("for example postgresql://probe@db.example:5432/shop?sslmode=require, or mysql://probe@db.example/shop?ssl-mode=required"));
            None
        }
    }
}
