//! The events explorer, as a page and as JSON.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::answer::{bad_parameter, html, json as json_answer, refused};
use crate::app::{App, Refusal};
use crate::pages;
use crate::params;
use crate::query::{Conditions, nearest_field, words};
use crate::view::explorer::{Explored, Found, gather};

/// What is looked at if the query says nothing of time.
const HOUR: std::time::Duration = std::time::Duration::from_hours(1);

type Pairs = Query<Vec<(String, String)>>;

pub(super) async fn page(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Response {
    let asked = params::explored(&pairs, app.now()).unwrap_or_else(|wrong| wrong.0);
    let project = app.catalogue().project.clone();
    match look(&app, asked.clone()).await {
        Ok(Ok(found)) => html(StatusCode::OK, pages::explorer((&asked, &Ok(found)), &project, app.now())),
        Ok(Err(why)) => {
            html(StatusCode::BAD_REQUEST, pages::explorer((&asked, &Err(why)), &project, app.now()))
        }
        Err(refusal) => refused(&app, "/events", &refusal),
    }
}

pub(super) async fn json(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Response {
    let asked = match params::explored(&pairs, app.now()) {
        Ok(asked) => asked,
        Err(wrong) => return bad_parameter(StatusCode::BAD_REQUEST, &wrong.1),
    };
    match look(&app, asked).await {
        Ok(Ok(found)) => json_answer(StatusCode::OK, &shown(&found)),
        Ok(Err(why)) => {
            let error = params::BadParameter {
                message: why,
                parameter: "q".to_owned(),
                help: "FIELD=VALUE, such as verdict=bad or scenario=checkout".to_owned(),
            };
            bad_parameter(StatusCode::BAD_REQUEST, &error)
        }
        Err(refusal) => refused(&app, "/api/v1/explore", &refusal),
    }
}

/// What is found, or why the query means nothing.
async fn look(app: &App, asked: Explored) -> Result<Result<Found, String>, Refusal> {
    let now = app.now();
    let mut conditions = match Conditions::read(&words(&asked.query), now) {
        Ok(conditions) => conditions,
        Err(why) => return Ok(Err(why)),
    };
    if conditions.filter.since.is_none() && conditions.filter.slot_prefix.is_none() {
        conditions.filter.since = Some(now.minus(HOUR));
    }
    if let Some(name) = &conditions.filter.scenario {
        conditions.filter.former = app.catalogue().former_names(name);
    }
    let slips: Vec<_> = conditions
        .fields
        .iter()
        .filter_map(|one| Some((one.field().to_owned(), nearest_field(one.field())?)))
        .collect();
    let found = app.read(move |store| gather(&mut store.reader(), &asked, &conditions)).await?;
    if found.matched == 0
        && let Some((field, near)) = slips.first()
    {
        return Ok(Err(format!("`{field}` is no field that is always there; did you mean `{near}`?")));
    }
    Ok(Ok(found))
}

fn shown(found: &Found) -> Value {
    let groups: Vec<_> = found
        .groups
        .iter()
        .map(|group| json!({ "value": group.value, "count": group.count, "bad": group.bad, "p50": group.p50, "p95": group.p95 }))
        .collect();
    let differences: Vec<_> = found
        .differences
        .iter()
        .map(|one| json!({ "field": one.field, "value": one.value, "selected": one.selected, "rest": one.rest }))
        .collect();
    json!({
        "matched": found.matched,
        "whole": found.is_whole,
        "oldest": found.oldest,
        "verdicts": found.verdicts,
        "p50": found.p50,
        "p95": found.p95,
        "groups": groups,
        "selected": found.selected,
        "differences": differences,
    })
}
