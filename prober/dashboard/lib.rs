//! The pages and the API that people and machines read.
//!
//! The dashboard only reads: the store through readers of its own, everything else through [`Sources`], which the
//! composition root fills. Pages are pure functions of values; no script is served, and nothing is loaded from
//! elsewhere. Deliberately absent: the scheduler, scenario files, metrics, and writes of any kind.
//!
//! | address | gives |
//! | --- | --- |
//! | `/` | which promises are broken, and a row for each stream |
//! | `/scenarios/{name}` | one scenario with its last events and its account |
//! | `/runs/{id}` | one run: waterfall, assertions, evidence, difference to the last good one |
//! | `/metrics` | Prometheus text, or OpenMetrics where it is asked for |
//! | `/probe?module=…&target=…` | one probe on demand, under the names of the blackbox exporter |
//! | `/healthz`, `/readyz` | whether events reach the disk; whether slots are run |
//! | `/api/v1/events` | stored events, filtered, by pages, as JSON or a line each |
//! | `/api/v1/scenarios` | scenarios with state, last event and next slot |
//! | `/api/v1/account` | expected, good, bad, ineligible and missed slots of a window |
//! | `/api/v1/slos`, `/api/v1/slos/{name}` | how every promise stands; one of them with everything |
//! | `/api/v1/slos/{name}/gate` | whether its budget lets a release go on: 200 or 409 |
//! | `/api/v1/alerts` | what fires |
//! | `/api/v1/outbox` | changes of alerts that wait or were given up, and how it stands with each route |
//! | `/api/v1/reload-state`, `/api/v1/reload` | the last reload; a new one |

mod app;
mod guard;
mod pages;
mod params;
mod piecewise;
mod routes;
mod serve;
mod sources;
mod state;
mod text;
mod view;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

pub use serve::{ServeError, Served, serve};
pub use sources::{
    Catalogue, DoubtsFn, ExpectedFn, Format, MetricsFn, NextSlotFn, OwnDoubts, Pieces, ProbeAnswer, ProbeFn,
    ProbeRequest, Readiness, ReloadFn, ReloadState, ScenarioCard, Settings, Sources,
};
