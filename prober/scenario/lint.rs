//! Values that look right but are risky: warnings, never silence.

use crate::bind::Binder;
use crate::diagnostic::{Diagnostic, Report};
use crate::source::Span;
use crate::tree::{Node, NodeValue, Scalar, ScalarKind};

/// Names of keys whose value is usually a secret.
const SECRET_KEYS: [&str; 20] = [
    "authorization",
    "cookie",
    "bearer_token",
    "private_key",
    "secret_key",
    "secret_access_key",
    "x-auth-token",
    "refresh_token",
    "passphrase",
    "proxy-authorization",
    "password",
    "passwd",
    "secret",
    "token",
    "access_token",
    "api_key",
    "apikey",
    "api-key",
    "x-api-key",
    "client_secret",
];

/// How well-known tokens begin.
#[rustfmt::skip]
const TOKEN_STARTS: [&str; 27] = [
    "ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "xoxa-", "xapp-", "sk_live_", "rk_live_",
    "sk-", "AKIA", "ASIA", "AIza", "eyJhbGciOi", "eyJ0eXAiOi", "npm_", "pypi-", "dop_v1_", "hf_", "SG.", "shpat_", "whsec_",
    "hvs.", "https://hooks.slack.com/services/",
];
/// How a private key in PEM begins.
const PEM_START: &str = "-----BEGIN ";

/// Looks through the keys of a step's kind.
pub(crate) fn step(kind: &str, body: &Node, binder: &mut Binder<'_, '_>) {
    visit(kind, body, binder);
}

fn visit(key: &str, node: &Node, binder: &mut Binder<'_, '_>) {
    match &node.value {
        NodeValue::Map(entries) => entries.iter().for_each(|(key, node)| visit(&key.value, node, binder)),
        NodeValue::List(items) => items.iter().for_each(|node| visit(key, node, binder)),
        NodeValue::Scalar(scalar) => {
            literal_secret(key, node.span, &scalar.text, binder.report);
            secret_in_host(node, scalar, binder);
            if let Some(at) = scalar.text.find("{{") {
                let end = scalar.text[at..].find("}}").map_or(at + 2, |end| at + end + 2);
                let problem = Diagnostic::warning("W304", node.part(at, end), "`{{ }}` is sent as it is");
                binder.report.push(problem.help("to fill in a value write ${vars.NAME}"));
            }
        }
    }
}

/// Looks for secrets that are written down in the settings of an exporter.
pub(crate) fn written_down(key: &str, node: &Node, report: &mut Report) {
    match &node.value {
        NodeValue::Map(entries) => {
            for (key, node) in entries {
                written_down(&key.value, node, report);
            }
        }
        NodeValue::List(items) => {
            for node in items {
                written_down(key, node, report);
            }
        }
        NodeValue::Scalar(scalar) => literal_secret(key, node.span, &scalar.text, report),
    }
}

/// The same for one value.
pub(crate) fn literal_secret(key: &str, at: Span, text: &str, report: &mut Report) {
    if is_literal_secret(key, text) {
        let message = format!("the value of `{key}` looks like a secret");
        let problem = Diagnostic::warning("W303", at, message).masked();
        let help = "name its source under `secrets` in prober.yaml and write ${secrets.NAME} here";
        report.push(problem.help(help));
    }
}

fn is_literal_secret(key: &str, text: &str) -> bool {
    if text.starts_with(PEM_START) && text.contains("PRIVATE KEY") {
        return true;
    }
    if text.contains("${") || text.len() < 8 {
        return false;
    }
    if password_in_url(text) {
        return true;
    }
    // A constant such as `Bearer` or `Basic` alone holds no secret; what stands after it does.
    let text = text.strip_prefix("Bearer ").or_else(|| text.strip_prefix("Basic ")).unwrap_or(text);
    let long = text.len() >= 20 && !text.contains(' ');
    if long && TOKEN_STARTS.iter().any(|start| text.starts_with(start)) {
        return true;
    }
    SECRET_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
}

/// `https://user:password@host/`
fn password_in_url(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty())
}

/// Whether the value of a variable looks like a secret, so that it is not to be shown.
pub fn is_secret_variable(name: &str, value: &str) -> bool {
    let key = name.rsplit_once(['_', '-']).map_or(name, |(_, last)| last);
    is_literal_secret(key, value) || is_literal_secret(name, value)
}

/// Variables are shown everywhere, and so hold no secrets.
pub(crate) fn vars(node: &Node, report: &mut Report) {
    for (name, value) in node.map().unwrap_or_default() {
        if value.scalar().is_some_and(|scalar| is_secret_variable(&name.value, &scalar.text)) {
            let problem = Diagnostic::warning(
                "W303",
                value.span,
                format!("the value of the variable `{}` looks like a secret", name.value),
            );
            let help = format!(
                "name its source: secrets: {{ {0}: {{ env: {1} }} }}",
                name.value,
                name.value.to_uppercase()
            );
            report.push(problem.masked().help(help));
        }
    }
}

/// Values of a JSON body, or values that are compared, that YAML reads in another way than people do.
pub(crate) fn json_values(node: &Node, report: &mut Report) {
    match &node.value {
        NodeValue::Map(entries) => entries.iter().for_each(|(_, value)| json_values(value, report)),
        NodeValue::List(items) => items.iter().for_each(|item| json_values(item, report)),
        NodeValue::Scalar(scalar) => {
            let text = &*scalar.text;
            if scalar.kind == ScalarKind::Text && is_old_bool(text) {
                let meant = matches!(text.to_ascii_lowercase().as_str(), "yes" | "on");
                let problem =
                    Diagnostic::warning("W322", node.span, format!("`{text}` is a text here, not {meant}"));
                report.push(problem.help(format!("write {meant}, or \"{text}\" in quotes for the text")));
            }
            if matches!(scalar.kind, ScalarKind::Float(_)) && loses_zero(text) {
                let number = text.trim_end_matches('0').trim_end_matches('.');
                let problem = Diagnostic::warning(
                    "W323",
                    node.span,
                    format!("this is the number {number}: the last zero is lost"),
                );
                report.push(
                    problem.help(format!(
                        "write \"{text}\" in quotes for a version, or {number} for the number"
                    )),
                );
            }
        }
    }
}

/// A word that YAML 1.1 read as true or false; `NO` is usually Norway.
fn is_old_bool(text: &str) -> bool {
    matches!(text, "yes" | "Yes" | "no" | "No" | "on" | "On" | "off" | "Off")
}

/// `1.10`: digits, one point, and a zero at the end that a number does not keep.
fn loses_zero(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(whole, part)| digits(whole) && digits(part) && part.ends_with('0'))
}

/// A secret between `://` and the path, where it is sent in the clear to the resolver.
fn secret_in_host(node: &Node, scalar: &Scalar, binder: &mut Binder<'_, '_>) {
    let text = &*scalar.text;
    let Some(from) = text.find("://").map(|at| at + 3) else { return };
    let end = text[from..].find(['/', '?', '#']).map_or(text.len(), |at| from + at);
    let host = text[from..end].rfind('@').map_or(from, |at| from + at + 1);
    let Some(at) = text[host..end].find("${secrets.") else { return };
    let at = host + at;
    let stop = text[at..].find('}').map_or(end, |stop| at + stop + 1);
    let problem = Diagnostic::warning("W302", node.part(at, stop), "a secret in a host name");
    binder.report.push(
        problem
            .label("it is sent in the clear to the resolver, and shown in logs")
            .help("use `vars` for host names"),
    );
}
