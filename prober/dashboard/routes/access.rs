//! Saying who one is with a token, and forgetting it again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::Form;
use crate::access::SESSION;
use crate::address::LOGIN;
use crate::answer::html;
use crate::app::App;
use crate::pages;

pub(super) async fn ask(State(app): State<Arc<App>>) -> Response {
    html(StatusCode::OK, pages::login(&app.catalogue().project, app.now(), false))
}

pub(super) async fn login(State(app): State<Arc<App>>, headers: HeaderMap, form: Form) -> Response {
    let from_here = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none");
    let found = app.door.by_token(form.text("token").trim()).filter(|_| from_here);
    let Some(who) = found else {
        tracing::warn!("somebody gave a token that is none");
        return html(StatusCode::FORBIDDEN, pages::login(&app.catalogue().project, app.now(), true));
    };
    let secure = if app.is_secure() { "; Secure" } else { "" };
    let session = app.door.session(who.role);
    let cookie = format!("{SESSION}={session}; Path=/; HttpOnly; SameSite=Strict{secure}");
    (StatusCode::SEE_OTHER, [(LOCATION, "/".to_owned()), (SET_COOKIE, cookie)]).into_response()
}

pub(super) async fn logout() -> Response {
    let cookie = format!("{SESSION}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    (StatusCode::SEE_OTHER, [(LOCATION, LOGIN.to_owned()), (SET_COOKIE, cookie)]).into_response()
}
