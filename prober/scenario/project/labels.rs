//! Labels: what a scenario is sorted by, few and short, for each is a label of its series.

use std::sync::Arc;

use crate::bind::Binder;
use crate::diagnostic::Diagnostic;
use crate::fields::{Bound, KeyType};
use crate::name;
use crate::tree::Node;

/// The most labels of a scenario, those of the project included.
pub const LABELS_MAX: usize = 10;
/// The longest value of a label, in bytes.
pub const LABEL_BYTES_MAX: usize = 128;

impl Binder<'_, '_> {
    /// The labels of a scenario or of the defaults; wrong ones are reported and left out.
    pub(crate) fn labels(&mut self, node: &Node) -> Vec<(Arc<str>, Arc<str>)> {
        let Some(entries) = node.map() else {
            let message = format!("expected a map of names and values, found {}", node.describe());
            let problem = Diagnostic::error("E103", node.span, message);
            self.report.push(problem.help("write labels: { name: value }"));
            return Vec::new();
        };
        if entries.len() > LABELS_MAX {
            let message = format!("{} labels, and {LABELS_MAX} are the most", entries.len());
            self.report.push(Diagnostic::error("E117", node.span, message));
        }
        let mut read = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let named = self.report_err(name::label(&name.value, name.span));
            let Some(Bound::Text(text)) = self.value(value, &KeyType::Text, &name.value) else { continue };
            if text.len() > LABEL_BYTES_MAX || text.chars().any(char::is_control) {
                let message = format!("a label's value is one line of at most {LABEL_BYTES_MAX} bytes");
                self.report.push(Diagnostic::error("E104", value.span, message));
            }
            if named.is_some() {
                read.push((name.value.as_str().into(), text.into()));
            }
        }
        read
    }
}
