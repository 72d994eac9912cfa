//! `prober version`: what this program is and which formats it knows.

use probe::KINDS;
use serde_json::json;

use super::args::{FactsFormat, Version};
use super::out::Out;
use crate::exit::Exit;

/// The commit it was built from, if whoever built it said so; nothing is looked up while building.
const COMMIT: Option<&str> = option_env!("PROBER_COMMIT");

/// The version of the scenario language that files name.
const LANGUAGE: u32 = 1;

/// Shows the version.
pub(crate) fn version(args: &Version, out: &Out) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    let kinds: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
    let exporters: Vec<_> = export::EXPORTERS.iter().map(|kind| kind.name).collect();
    if args.format == FactsFormat::Json {
        out.json(&json!({
            "version": version,
            "commit": COMMIT,
            "language": LANGUAGE,
            "event": model::event::SCHEMA,
            "store": store::FORMAT,
            "kinds": kinds,
            "exporters": exporters,
            "target": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        }));
        return Exit::Good;
    }
    let commit = COMMIT.map_or_else(String::new, |commit| format!(" ({commit})"));
    out.line(&format!("prober {version}{commit}"));
    for (what, known) in [
        ("language", LANGUAGE.to_string()),
        ("events", model::event::SCHEMA.to_owned()),
        ("store", store::FORMAT.to_string()),
        ("kinds", kinds.join(", ")),
        ("exporters", exporters.join(", ")),
    ] {
        out.line(&format!("  {what:<10} {known}"));
    }
    Exit::Good
}
