//! For programs: the events as they are stored, and mistakes with their places.

use scenario::render;
use serde_json::Value;

use super::{Format, Mistakes, Ran, Runs, Sheet};

pub(super) const FORMAT: Format = Format {
    name: "json",
    summary: "one JSON list",
    each: None,
    end: |runs| pretty(&Value::Array(runs.all.iter().map(|ran| ran.event.to_value()).collect())),
    mistakes: |of| pretty(&render::json(of.diagnostics, of.sources)),
};

pub(super) const LINES: Format = Format {
    name: "jsonl",
    summary: "one JSON object a line",
    each: Some(line),
    end: |_: &Runs<'_>| String::new(),
    mistakes: |of: &Mistakes<'_>| match render::json(of.diagnostics, of.sources) {
        Value::Array(list) => list.iter().map(|one| one.to_string() + "\n").collect(),
        other => format!("{other}\n"),
    },
};

fn line(ran: &Ran, _: &Sheet) -> String {
    format!("{}\n", ran.event.to_json())
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
