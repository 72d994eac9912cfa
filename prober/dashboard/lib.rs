//! The pages and the API that people and machines read.
//!
//! The dashboard only reads: the store through readers of its own, everything else through [`Sources`], which the
//! composition root fills. Pages are pure functions of values and need no script: the one that is served makes them live
//! and draws charts. Nothing is loaded from elsewhere. Deliberately absent: the scheduler, scenario files, metrics, and writes of any kind but
//! notes: what people did.
//!
//! | address | gives |
//! | --- | --- |
//! | `/` | which promises are broken, and a row for each scenario |
//! | `/scenarios/{name}` | one scenario: what was measured, what failed, its budget, its last events and its account |
//! | `/slos/{name}` | an objective over several scenarios |
//! | `/alerts` | what fires, with its sum; acknowledge, useful or noise |
//! | `/events` | the explorer: filter, group, compare a part with the rest |
//! | `/review`, `/review.md` | the weekly review |
//! | `/prober` | the prober's own health |
//! | `/config` | the files that run, and the last reload's mistakes |
//! | `/status`, `/badge/{name}/{status.svg,slo.svg}` | for everybody, where that is switched on: public scenarios |
//! | `/login`, `/logout` | a session for a token |
//! | `/live` | a word whenever events were stored, as server-sent events |
//! | `/runs/{id}` | one run: waterfall, assertions, evidence, difference to the last good one |
//! | `/metrics` | Prometheus text, or OpenMetrics where it is asked for |
//! | `/probe?module=…&target=…` | one probe on demand, under the names of the blackbox exporter |
//! | `/healthz`, `/readyz` | whether events reach the disk; whether slots are run |
//! | `/api/v1/events` | stored events, filtered, by pages, as JSON or a line each |
//! | `/api/v1/scenarios` | scenarios with state, last event and next slot |
//! | `/api/v1/series` | one scenario over time, bucket by bucket |
//! | `/api/v1/account` | expected, good, bad, ineligible and missed slots of a window |
//! | `/api/v1/slos`, `/api/v1/slos/{name}` | how every promise stands; one of them with everything |
//! | `/api/v1/slos/{name}/gate` | whether its budget lets a release go on: 200 or 409 |
//! | `/api/v1/explore` | what the explorer finds, as numbers |
//! | `/api/v1/alerts`, `/api/v1/alerts/notes` | what fires; what is said of it |
//! | `/api/v1/outbox` | changes of alerts that wait or were given up, and how it stands with each route |
//! | `/api/v1/audit` | what was done, by whom |
//! | `/api/v1/fleet` | members, regions and the account of a fleet |
//! | `/api/v1/openapi.json` | all of this for machines |
//! | `/api/v1/reload-state`, `/api/v1/reload` | the last reload; a new one |

mod access;
mod address;
mod answer;
mod app;
pub mod curl;
mod fleet;
mod guard;
mod live;
mod near;
mod packed;
mod pages;
mod params;
mod piecewise;
mod places;
pub mod query;
mod routes;
mod serve;
mod sources;
mod state;
mod text;
mod tls;
mod view;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

pub use access::{Access, Role};
pub use fleet::{FleetView, LedgerView, MemberView, OwnerView, RegionView, ReplicaView};
pub use serve::{ServeError, Served, serve};
pub use sources::{
    Catalogue, DoubtsFn, ExpectedFn, Format, MetricsFn, NextSlotFn, OwnDoubts, OwnFact, OwnFn, Pieces,
    ProbeAnswer, ProbeFn, ProbeRequest, Readiness, ReloadFn, ReloadState, Review, ReviewFn, ReviewSection,
    ScenarioCard, SchemaFn, Settings, Sources,
};
pub use tls::{Tls, TlsError};
pub use view::slo::adjustment_json;
