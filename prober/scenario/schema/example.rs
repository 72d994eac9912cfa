//! A table's examples and defaults, which are YAML for people, as JSON.

use serde_json::Value;

use crate::diagnostic::Report;
use crate::tree::parse;

/// The JSON that a YAML text stands for; `None` if it is none.
pub(super) fn json(yaml: &str) -> Option<Value> {
    let mut report = Report::default();
    let node = parse(0, yaml, &mut report)?;
    (!report.has_errors()).then(|| node.json())
}
