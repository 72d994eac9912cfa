//! The rest of the API: scenarios with their states, accounts, reloads.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use model::time::Timestamp;
use serde_json::{Value, json};
use store::{Account, EventSummary, ReadError, Reader};

use super::Peer;
use crate::access::Who;
use crate::answer::{bad_parameter, json as json_answer, json_error, refused};
use crate::app::App;
use crate::params;
use crate::sources::{Catalogue, ReloadState, ScenarioCard, is_named};
use crate::state::{self, Silence, State as StreamState};
use crate::view;

type Pairs = Query<Vec<(String, String)>>;

/// Events looked at for a stream's state.
const RECENT: usize = 10;
/// The window of an account if none is given.
const HOUR: Duration = Duration::from_hours(1);

/// What the API is, for machines; the tests hold it against the real answers.
const OPENAPI: &str = include_str!("../openapi.json");

pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

pub(super) async fn scenarios(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Response {
    let [scenario, region] = match params::scenarios(&pairs) {
        Ok(asked) => asked,
        Err(error) => return bad_parameter(StatusCode::BAD_REQUEST, &error),
    };
    let (catalogue, now) = (app.catalogue(), app.now());
    let wanted = move |card: &&ScenarioCard| {
        scenario.as_ref().is_none_or(|name| is_named(name, &card.stream.scenario))
            && region.as_ref().is_none_or(|name| **name == *card.stream.region)
    };
    let read = app.read(move |store| {
        let cards: Vec<_> = catalogue.cards.iter().filter(wanted).collect();
        listed(&mut store.reader(), &catalogue, &cards, now)
    });
    match read.await {
        Ok(value) => json_answer(StatusCode::OK, &value),
        Err(refusal) => refused(&app, "/api/v1/scenarios", &refusal),
    }
}

fn listed(
    reader: &mut Reader,
    catalogue: &Catalogue,
    cards: &[&ScenarioCard],
    now: Timestamp,
) -> Result<Value, ReadError> {
    let all = view::newest(reader, cards, RECENT)?;
    let list: Vec<_> = cards.iter().zip(all).map(|(card, newest)| scenario(card, &newest, now)).collect();
    Ok(json!({ "project": catalogue.project, "prober": catalogue.prober, "scenarios": list }))
}

fn scenario(card: &ScenarioCard, newest: &[EventSummary], now: Timestamp) -> Value {
    let state = state::state(card, newest, now);
    let reason = match state {
        StreamState::Broken(reason) | StreamState::Unknown(Silence::NotEligible(reason)) => {
            Some(reason.as_str())
        }
        StreamState::Unknown(Silence::Overdue) => Some("overdue"),
        StreamState::Waiting | StreamState::Holds => None,
    };
    let labels: serde_json::Map<_, _> =
        card.labels.iter().map(|(name, value)| (name.to_string(), Value::from(&**value))).collect();
    json!({
        "name": &*card.stream.scenario,
        "region": &*card.stream.region,
        "replica": card.stream.replica,
        "was": card.was,
        "title": &*card.title,
        "aim": &*card.aim,
        "owner": &*card.owner,
        "runbook": &*card.runbook,
        "labels": labels,
        "kind": &*card.kind,
        "cadence": card.cadence,
        "timeout": card.timeout.as_secs_f64(),
        "targets": card.targets,
        "version": &*card.version,
        "file": &*card.path,
        "line": card.line,
        "state": state.word(),
        "reason": reason,
        "last": newest.first().map(last),
        "next_slot": (card.next_slot)(now),
    })
}

fn last(event: &EventSummary) -> Value {
    json!({
        "id": event.slot.id,
        "scheduled": event.slot.scheduled,
        "verdict": event.reason.verdict().as_str(),
        "reason": event.reason.as_str(),
        "duration": event.duration.as_secs_f64(),
    })
}

pub(super) async fn account(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Response {
    let asked = match params::account(&pairs, app.now()) {
        Ok(asked) => asked,
        Err(error) => return bad_parameter(StatusCode::BAD_REQUEST, &error),
    };
    let catalogue = app.catalogue();
    let closed = app.closed(&catalogue);
    let former = asked.scenario.as_deref().map(|name| catalogue.former_names(name)).unwrap_or_default();
    let until = asked.until.unwrap_or(closed);
    let since = asked.since.unwrap_or_else(|| until.minus(HOUR));
    let expected = Arc::clone(&app.sources.expected);
    let read = app.read(move |store| store.account(since, until.max(since), &*expected));
    match read.await {
        Ok(account) => {
            let wanted = asked.scenario.as_deref().map(|name| (name, former.as_slice()));
            let mut accounted = accounted(&account, wanted, account.to <= closed);
            accounted["waiting"] = app.waiting().into();
            json_answer(StatusCode::OK, &accounted)
        }
        Err(refusal) => refused(&app, "/api/v1/account", &refusal),
    }
}

/// The account, by scenario and region; `is_closed` says whether every slot in it must have its event.
///
/// What was recorded under a former name of the scenario stands under that name.
fn accounted(account: &Account, scenario: Option<(&str, &[String])>, is_closed: bool) -> Value {
    let wanted = |name: &str| {
        scenario.is_none_or(|(wanted, former)| {
            is_named(wanted, name) || former.iter().any(|former| former == name)
        })
    };
    let mut streams: Vec<_> = account.streams.iter().filter(|one| wanted(&one.stream.scenario)).collect();
    streams.sort_by(|a, b| a.stream.cmp(&b.stream));
    let violations: u64 = streams.iter().map(|one| one.violations()).sum();
    let list: Vec<_> = streams
        .iter()
        .map(|one| {
            json!({
                "scenario": &*one.stream.scenario,
                "region": &*one.stream.region,
                "replica": one.stream.replica,
                "expected": one.expected,
                "good": one.good,
                "bad": one.bad,
                "ineligible": one.ineligible,
                "missed": one.missed,
                "planned": one.planned,
                "violations": one.violations(),
            })
        })
        .collect();
    json!({ "since": account.from, "until": account.to, "closed": is_closed, "violations": violations, "streams": list })
}

pub(super) async fn reload_state(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Response {
    if let Err(error) = params::none(&pairs) {
        return bad_parameter(StatusCode::BAD_REQUEST, &error);
    }
    let state = app.sources.reload_state.borrow().clone();
    json_answer(StatusCode::OK, &reloaded(&state))
}

fn reloaded(state: &ReloadState) -> Value {
    match state {
        ReloadState::Loaded { at } => json!({ "state": "loaded", "at": at }),
        ReloadState::Failed { at, diagnostics } => {
            json!({ "state": "failed", "at": at, "diagnostics": diagnostics })
        }
    }
}

pub(super) async fn reload(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
) -> Response {
    if let Err((message, help)) = may_reload(peer.ip().to_canonical().is_loopback(), &app, &who, &headers) {
        return json_error(StatusCode::FORBIDDEN, message, help);
    }
    super::own::note_reload(&app, &who).await;
    match app.reload().await {
        Ok(Some(state @ ReloadState::Loaded { .. })) => json_answer(StatusCode::OK, &reloaded(&state)),
        Ok(Some(state @ ReloadState::Failed { .. })) => {
            json_answer(StatusCode::UNPROCESSABLE_ENTITY, &reloaded(&state))
        }
        Ok(None) => json_error(StatusCode::CONFLICT, "a reload is already going on", "wait for it"),
        Err(refusal) => refused(&app, super::RELOAD, &refusal),
    }
}

/// Whether the request may reload: an operator's, or from this machine where there are no operators; and nothing that a
/// page elsewhere can send.
///
/// A browser sends none of the three headers across origins without asking first, and we never agree. The last one is what
/// git-sync sends when it has brought a commit.
fn may_reload(
    is_local: bool,
    app: &App,
    who: &Who,
    headers: &HeaderMap,
) -> Result<(), (&'static str, &'static str)> {
    if !is_local && app.sources.settings.access.is_open() {
        return Err(("reloads are accepted from this machine only", "send the process SIGHUP instead"));
    }
    let mut headers = headers.clone();
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_json = kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json");
    if is_json || headers.contains_key("gitsync-hash") {
        headers.insert("x-prober", axum::http::HeaderValue::from_static("1"));
    }
    match app.door.may_change(who, &headers, None) {
        Err(("the form is not from this page", _)) => {
            Err(("the header `X-Prober: 1` is missing", "curl -X POST -H 'X-Prober: 1' …/api/v1/reload"))
        }
        other => other,
    }
}
