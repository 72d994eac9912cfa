//! Values that look right but are risky: warnings, never silence.

use crate::bind::Binder;
use crate::diagnostic::Diagnostic;
use crate::tree::{Node, NodeValue, Scalar};

/// Names of keys whose value is usually a secret.
const SECRET_KEYS: [&str; 12] = [
    "authorization",
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
const TOKEN_STARTS: [&str; 10] =
    ["ghp_", "gho_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "sk_live_", "sk-", "AKIA", "eyJhbGciOi"];

/// Looks through the keys of a step's kind.
pub(crate) fn step(kind: &str, body: &Node, binder: &mut Binder<'_, '_>) {
    visit(kind, body, binder);
}

fn visit(key: &str, node: &Node, binder: &mut Binder<'_, '_>) {
    match &node.value {
        NodeValue::Map(entries) => entries.iter().for_each(|(key, node)| visit(&key.value, node, binder)),
        NodeValue::List(items) => items.iter().for_each(|node| visit(key, node, binder)),
        NodeValue::Scalar(scalar) => {
            if is_literal_secret(key, scalar) {
                let problem = Diagnostic::warning(
                    "W303",
                    node.span,
                    format!("the value of `{key}` looks like a secret"),
                );
                binder.report.push(
                    problem.masked().help(
                        "name its source under `secrets` in prober.yaml and write ${secrets.NAME} here",
                    ),
                );
            }
            secret_in_host(node, scalar, binder);
            if let Some(at) = scalar.text.find("{{") {
                let end = scalar.text[at..].find("}}").map_or(at + 2, |end| at + end + 2);
                let problem = Diagnostic::warning("W304", node.part(at, end), "`{{ }}` is sent as it is");
                binder.report.push(problem.help("to fill in a value write ${vars.NAME}"));
            }
        }
    }
}

fn is_literal_secret(key: &str, scalar: &Scalar) -> bool {
    let text = &*scalar.text;
    if text.contains("${") || text.len() < 8 {
        return false;
    }
    let long = text.len() >= 20 && !text.contains(' ');
    if long && TOKEN_STARTS.iter().any(|start| text.starts_with(start)) {
        return true;
    }
    SECRET_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
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
