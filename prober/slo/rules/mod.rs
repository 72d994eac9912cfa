//! The policy as files for other tools: Prometheus' rules first, then what Sloth, Pyrra and `OpenSLO` can hold of it.
//!
//! Prometheus' rules say what the evaluator does, from the counters that a prober exposes: the same windows, limits,
//! floors, quorum, blindness and maintenance. `increase()` extrapolates, so a floor of k runs is compared with
//! k − 0.5. Everything here is text made from values; what promtool and Prometheus say of it is shown by tests.
//!
//! | module | holds |
//! | --- | --- |
//! | `subject` | one objective as rules need it |
//! | `expression` | `PromQL`, piece by piece |
//! | `recording`, `alerting` | the rules of one objective |
//! | `annotation` | what an alert tells people |
//! | `yaml` | texts and blocks as YAML |
//! | `export` | the formats, as a table |
//! | `exported` | a file for another tool, and what several of them lose |
//! | `prometheus`, `sloth`, `pyrra`, `openslo` | one format each, with what it loses |
//!
//! Three things only the evaluator does: it opens no ticket for failures that are a steady background at the
//! objective's own rate, it tells runs that arrive late from those that arrive in time, and it takes out what an
//! adjustment names. Counters never go back, so rules see an adjustment only in the budget that the evaluator exposes.
//!
//! Deliberately absent: files, and any reading of metrics.

mod alerting;
mod annotation;
mod export;
mod exported;
mod expression;
mod openslo;
mod prometheus;
mod pyrra;
mod recording;
mod sloth;
mod subject;
mod yaml;

#[cfg(test)]
mod tests;

pub use export::{FORMATS, RuleFormat};
pub use exported::Exported;
pub use subject::Subject;
