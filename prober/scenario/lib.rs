//! The scenario language: from files with positions to plans, with every mistake reported at once.
//!
//! Pure: text in, plans or diagnostics out. Deliberately absent: I/O (sources are handed in as text), an
//! async runtime, clocks, and the name of any probe kind: kinds plug in as values ([`kind::Kind`]).
//!
//! The way of a file: [`tree`] reads YAML with places, `bind` checks maps against tables of keys,
//! `interpolate` fills in what is known, [`file`] and `step` put a scenario together, [`compile`] does so for
//! all files and regions and gives a [`plan::Plan`] for each.
//!
//! | module | holds |
//! | --- | --- |
//! | [`source`] | files, positions and spans |
//! | [`diagnostic`], [`render`], [`codes`] | one mistake, how it is shown, what its code means |
//! | [`tree`] | YAML text to a tree in which everything knows its place; limits |
//! | [`fields`] | the typed keys of a map, as a table that binder and schema share |
//! | [`template`] | `${…}` interpolation |
//! | [`kind`] | the socket where probe kinds plug in |
//! | [`own`] | parts of the language that a kind reads by itself |
//! | [`pattern`] | regular expressions within limits |
//! | [`xml_path`] | a path to elements of an XML document |
//! | [`value`] | what a step observed, as assertions see it |
//! | [`document`] | JSON with every digit of its numbers |
//! | [`assertion`], [`capture`] | what must hold, and what later steps use, compiled |
//! | [`network`] | where probes may connect to |
//! | [`project`], [`file`], [`cadence`] | the project file, scenario files, schedules |
//! | [`reuse`] | templates, the matrix, the envelope: how a scenario is put together |
//! | [`maintenance`], [`adjustment`] | planned maintenance, and runs of the past that do not count |
//! | [`scope`] | what every variable of a scenario is, and where it comes from |
//! | [`compile`] | all sources to all plans and all mistakes |
//! | [`slo`] | what a scenario promises, and whether so few runs can show it |
//! | [`plan`] | one scenario in one region, ready to run |
//! | [`region_part`] | the project file as one region of a fleet sees it |
//! | [`waiver`] | warnings that their author has thought about |
//! | [`repeat`] | steps that are done more than once: polls and retries |
//! | [`alert_test`] | tests of alerts: what happens, and who is told when |
//! | [`fmt`] | the canonical form of a file |
//! | [`redact`] | takes secrets out of what people see |
//! | [`suggest`] | "did you mean" |
//! | [`schema`] | JSON Schemas for editors, from the tables |
//! | [`explain`] | kinds, operators and keys in words, from the tables |
//! | [`units`] | durations and sizes with their units |

pub mod adjustment;
pub mod alert_test;
mod another_tool;
pub mod assertion;
pub mod cadence;
pub mod capture;
pub mod codes;
pub mod compile;
mod cron_doubts;
pub mod decimal;
pub mod diagnostic;
pub mod document;
pub mod explain;
pub mod fields;
pub mod file;
pub mod fmt;
pub mod form;
pub mod kind;
pub mod maintenance;
pub mod meant;
pub mod network;
pub mod own;
pub mod parsed;
pub mod pattern;
pub mod plan;
pub mod project;
pub mod redact;
pub mod region_part;
pub mod render;
pub mod repeat;
pub mod reuse;
pub mod schema;
pub mod scope;
pub mod showing;
pub mod slo;
pub mod source;
pub mod suggest;
pub mod template;
pub mod tree;
pub mod units;
pub mod value;
pub mod waiver;
pub mod xml_path;

mod bind;
mod blackout;
mod capture_bind;
mod history;
mod interpolate;
pub mod lint;
mod matcher;
mod moment;
mod name;
mod names;
mod operators;
mod shown;
mod step;
mod traps;
mod unused;
mod version;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
