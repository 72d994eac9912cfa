//! OAuth 2, client credentials (RFC 6749, section 4.4): a token is fetched first.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method};
use model::outcome::{Failure, FailureClass, cut};
use model::probe::Detail;
use scenario::kind::StepContext;
use scenario::template::{Scope, Template};
use serde_json::Value as Json;
use url::form_urlencoded;

use super::super::client::{Client, carry_on};
use super::super::request::{Ready, user_agent};
use super::super::target::Target;
use super::super::trail::{Answer, Trail};
use super::TokenPlan;
use crate::net::fault;
use crate::net::named;
use crate::net::shared::Net;

/// The longest answer with a token in it.
const ANSWER_BYTES_MAX: u64 = 256 << 10;
/// The longest token.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// The longest word of a server that is passed on.
const SAID_MAX: usize = 120;

impl TokenPlan {
    /// Fetches a token, as a hop of its own; the hop in progress is left open if that fails.
    ///
    /// # Errors
    /// Class and type of what went wrong on the way, or `protocol` / `auth.token` for an answer without a
    /// token; the message says that it was about the token.
    pub(super) async fn fetch(
        &self,
        net: &mut Net,
        client: &Client,
        context: &StepContext<'_>,
        trail: &mut Trail,
    ) -> Result<String, Failure> {
        let ready = self.request(context.scope)?;
        let beside = client.beside(ANSWER_BYTES_MAX);
        trail.begin(&ready);
        trail.fetching_token = true;
        // Whatever way the token is written in it, nobody is shown the answer.
        let detail = std::mem::replace(&mut trail.detail, Detail::Facts);
        let about = |failure: Failure| {
            let failure = named::hold(&self.url, failure);
            let message = format!("no token from {}: {}", ready.target.shown, failure.message);
            Failure::new(failure.class, failure.error_type, message)
        };
        let connection = beside.ask(net, context.scope.run, &ready, trail).await.map_err(about)?;
        let answer = trail.answer.as_ref().expect("an exchange that did not fail left its answer");
        let token =
            token_of(answer).map_err(|why| about(Failure::new(FailureClass::Protocol, "auth.token", why)))?;
        net.hide("token", &token);
        carry_on(net, connection, &ready, trail).await;
        trail.end();
        (trail.fetching_token, trail.detail) = (false, detail);
        // The step's own first request comes now.
        trail.first = None;
        Ok(token)
    }

    fn request(&self, scope: &Scope<'_>) -> Result<Ready, Failure> {
        let fill = |template: &Template| {
            template.render(scope).map(Cow::into_owned).map_err(|error| fault::unresolved(&error))
        };
        let url = fill(&self.url)?;
        let target =
            Target::parse(&url).map_err(|error| fault::config(format!("the token's URL: {error}")))?;
        let (id, secret) = (fill(&self.client_id)?, fill(&self.client_secret)?);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        for (name, value) in [("scope", &self.scope), ("audience", &self.audience)] {
            if let Some(value) = value {
                form.append_pair(name, &fill(value)?);
            }
        }
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(HOST, target.authority());
        headers.insert(USER_AGENT, user_agent(scope.run));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        if self.in_body {
            form.append_pair("client_id", &id).append_pair("client_secret", &secret);
        } else {
            // Both are form-encoded before they are joined (RFC 6749, section 2.3.1).
            let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            headers.insert(AUTHORIZATION, basic(&encode(&id), &encode(&secret)));
        }
        let body = Bytes::from(form.finish());
        Ok(Ready { method: Method::POST, target: Arc::new(target), headers, body, traced: false })
    }
}

/// The value of `Authorization` for a user and a password (RFC 7617).
pub(in crate::http) fn basic(user: &str, password: &str) -> HeaderValue {
    let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let mut value = HeaderValue::try_from(text).expect("Base64 may stand in a header");
    value.set_sensitive(true);
    value
}

/// The token in an answer.
///
/// # Errors
/// There is none, in words that have nothing of it.
fn token_of(answer: &Answer) -> Result<String, String> {
    let json: Option<Json> = serde_json::from_slice(&answer.body.bytes()).ok();
    let text = |name: &str| json.as_ref().and_then(|json| json.get(name)).and_then(Json::as_str);
    let said: Vec<_> = ["error", "error_description"].into_iter().filter_map(text).collect();
    let said = cut(said.join(": "), SAID_MAX);
    let told = |what: String, between: &str| if said.is_empty() { what } else { what + between + &said };
    if !answer.status.is_success() {
        return Err(told(format!("the answer is {}", answer.status.as_str()), " "));
    }
    let token =
        text("access_token").ok_or_else(|| told("the answer has no access_token".to_owned(), ": "))?;
    if !text("token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err("the token is not of the type Bearer".to_owned());
    }
    let fits =
        (1..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(token.to_owned()) } else { Err("the token cannot stand in a header".to_owned()) }
}
