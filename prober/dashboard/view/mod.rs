//! What each page shows, as values: read from the store here, made into text by `pages`.

pub(crate) mod outbox;
mod overview;
mod run;
mod scenario;
pub(crate) mod slo;

pub(crate) use overview::{
    BrokenPromise, Filter, Overview, ROWS_MAX, Row, STRIP, StateCounts, gather as overview, newest,
};
pub(crate) use run::{Found, RunView, gather as run};
pub(crate) use scenario::{Listed, ScenarioView, StreamView, gather as scenario};
