//! Files of other tools that lie among the scenarios: told once, with what reads them, and not key by key.

use crate::diagnostic::Diagnostic;
use crate::suggest::nearest;
use crate::tree::Node;

/// What the file of a tool has at its top that no scenario has, whose file it then is, and what imports it.
const FILES: [(&[&str], &str, &str); 5] = [
    (&["endpoints"], "a file of Gatus", "gatus"),
    (&["modules"], "a file of blackbox_exporter", "blackbox"),
    (&["openapi", "swagger"], "an OpenAPI document", "openapi"),
    (&["heartbeat.monitors"], "a file of Heartbeat", "heartbeat"),
    (&["apiVersion"], "a manifest of Kubernetes", "k8s-probe"),
];

/// That `root` is a file of another tool, if it is one and has no name as a scenario has.
pub(crate) fn told(root: &Node) -> Option<Diagnostic> {
    if root.get("name").is_some() {
        return None;
    }
    let (key, what, from) = root.map()?.iter().find_map(|(key, _)| {
        let file = FILES.iter().find(|(keys, ..)| keys.contains(&key.value.as_str()))?;
        Some((key, file.1, file.2))
    })?;
    let problem = Diagnostic::error("E102", key.span, format!("unknown key `{}`", key.value));
    let problem = problem.label(format!("this is {what}, not a scenario"));
    Some(problem.help(format!("`prober import {from} FILE` makes scenarios of it")))
}

/// Whether `root` is a manifest of Kubernetes itself, and no envelope of ours with a slip in it.
pub(crate) fn is_manifest(root: &Node) -> bool {
    let text = |key: &str| root.get(key).and_then(Node::scalar).map(|scalar| &*scalar.text);
    let (Some(version), Some(kind)) = (text("apiVersion"), text("kind")) else { return false };
    !version.starts_with("prober.io/") && nearest(kind, ["Scenario", "Template"]).is_none()
}

#[cfg(test)]
mod tests {
    use crate::testing::compiled;

    fn check(file: &str, codes: &[&str], help: &str) {
        let found = compiled("", &[file]).diagnostics;
        assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), codes, "{file}: {found:?}");
        assert!(found[0].help.iter().any(|one| one.contains(help)), "{file}: {found:?}");
    }

    #[test]
    fn files_of_other_tools_are_told_once() {
        for (file, import) in [
            ("endpoints:\n- name: site\n  url: https://x.example\n", "import gatus"),
            ("modules:\n  http_2xx: { prober: http }\n", "import blackbox"),
            ("openapi: 3.1.0\npaths: {}\n", "import openapi"),
            ("heartbeat.monitors:\n- type: http\n", "import heartbeat"),
            (
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: x }\nspec: { template: {} }\n",
                "import k8s-probe",
            ),
        ] {
            check(file, &["E102"], import);
        }
    }

    #[test]
    fn the_interval_in_the_word_of_another_tool_is_not_missing_too() {
        check("name: a\ninterval: 30s\nhttp: https://x.example\n", &["E102"], "keys allowed");
        check("name: a\nhttp: https://x.example\n", &["E101"], "add every: 1m");
    }

    #[test]
    fn a_scenario_with_a_slip_is_told_its_slips() {
        check("name: a\nevery: 1m\nhttp: https://x.example\nendpoints: []\n", &["E102"], "keys allowed");
        let envelope = "apiVersion: prober/v1\nkind: Scenario\nmetadata: { name: a }\nspec: { every: 1m, http: 'https://x.example' }\n";
        check(envelope, &["E155"], "write apiVersion: prober.io/v1");
    }
}
