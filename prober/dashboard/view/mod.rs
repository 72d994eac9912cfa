//! What each page shows, as values: read from the store here, made into text by `pages`.

pub(crate) mod alerts;
pub(crate) mod explorer;
mod failures;
pub(crate) mod outbox;
mod overview;
pub(crate) mod own;
pub(crate) mod public;
pub(crate) mod review;
mod run;
mod scenario;
pub(crate) mod series;
pub(crate) mod slo;

pub(crate) use failures::LOOKED_AT_MAX;
pub(crate) use overview::{
    BrokenPromise, Filter, JointRow, Overview, ROWS_MAX, Row, StateCounts, gather as overview, gone_in,
    newest,
};
pub(crate) use run::{Found, RunView, Sought, gather as run};
pub(crate) use scenario::{Asked, Listed, ScenarioView, StreamView, gather as scenario};
