//! One scenario over time, as numbers: what the chart on its page is drawn from.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use model::event::SliEvent;
use model::outcome::Verdict;
use serde_json::{Value, json};
use store::{ReadError, Reader};

use crate::answer::{bad_parameter, json as json_answer, json_error, refused};
use crate::app::App;
use crate::params;
use crate::sources::ScenarioCard;
use crate::view::newest;
use crate::view::series::{Bucket, Series, gather};

pub(super) async fn series(
    State(app): State<Arc<App>>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let asked = match params::series(&pairs) {
        Ok(asked) => asked,
        Err(error) => return bad_parameter(StatusCode::BAD_REQUEST, &error),
    };
    let (catalogue, now) = (app.catalogue(), app.now());
    let read = app.read(move |store| {
        let fits = |card: &&ScenarioCard| {
            *card.stream.scenario == *asked.scenario
                && asked.region.as_ref().is_none_or(|region| *card.stream.region == **region)
        };
        let mut cards: Vec<_> = catalogue.cards.iter().filter(fits).collect();
        cards.sort_by(|one, other| one.stream.cmp(&other.stream));
        if cards.is_empty() {
            return Ok(None);
        }
        let mut reader = store.reader();
        let newest = newest_of(&mut reader, &cards)?;
        let ran: Vec<&SliEvent> = newest.iter().map(|event| &**event).collect();
        let made = gather(&mut reader, (&cards, &ran), asked.hours, now)?;
        Ok(Some(shown(&asked.scenario, &made)))
    });
    match read.await {
        Ok(Some(value)) => json_answer(StatusCode::OK, &value),
        Ok(None) => {
            json_error(StatusCode::NOT_FOUND, "no such scenario is scheduled", "/api/v1/scenarios lists them")
        }
        Err(refusal) => refused(&app, "/api/v1/series", &refusal),
    }
}

/// Events that are asked what the scenario is about.
const ASKED_MAX: usize = 20;

/// The newest events with a run, of all cards, the newest first.
fn newest_of(reader: &mut Reader, cards: &[&ScenarioCard]) -> Result<Vec<Arc<SliEvent>>, ReadError> {
    let mut all: Vec<_> = newest(reader, cards, ASKED_MAX)?.into_iter().flatten().collect();
    all.retain(|summary| summary.reason.verdict() != Verdict::Missed);
    all.sort_by_key(|summary| Reverse(summary.slot.scheduled));
    let mut events = Vec::with_capacity(ASKED_MAX);
    for summary in all.into_iter().take(ASKED_MAX) {
        events.extend(reader.event(summary.seq)?.map(|stored| stored.event));
    }
    Ok(events)
}

fn shown(scenario: &str, series: &Series) -> Value {
    let bucket = |(index, bucket): (usize, &Bucket)| {
        (bucket.slots > 0).then(|| {
            json!({
                "at": series.begin(index).as_seconds_f64(),
                "slots": bucket.slots,
                "bad": bucket.bad,
                "worst": bucket.cell.word(),
                "count": bucket.count(),
                "p50": bucket.quantile(0.5),
                "p95": bucket.quantile(0.95),
                "max": bucket.quantile(1.0),
                "run": bucket.sample.map(|slot| slot.id),
            })
        })
    };
    let regions: Vec<_> = series
        .regions
        .iter()
        .map(|region| {
            let buckets: Vec<_> = region.buckets.iter().enumerate().filter_map(bucket).collect();
            let mut shown = json!({ "region": &*region.region, "buckets": buckets });
            if region.replica > 0 {
                shown["replica"] = region.replica.into();
            }
            shown
        })
        .collect();
    json!({
        "scenario": scenario,
        "what": series.what.word(),
        "threshold": series.threshold,
        "since": series.from,
        "until": series.until,
        "step": series.step.as_secs_f64(),
        "regions": regions,
    })
}
