//! One question and its reply over HTTPS (RFC 8484), on a connection of its own.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method};
use model::outcome::{Failure, FailureClass};
use model::probe::Detail;

use super::exchange::{self, Reply, timed_out};
use super::question::{Asked, QUESTION_BYTES_MAX, Room};
use super::server::Asking;
use crate::http::client::Client;
use crate::http::request::{Ready, user_agent};
use crate::http::target::Target;
use crate::http::trail::{self, Trail};
use crate::net::fault::{self, within};
use crate::net::phases::Phases;
use crate::net::shared::Net;

/// The type of questions and answers.
const MEDIA_TYPE: &str = "application/dns-message";

/// The longest answer that is read, in bytes: what a DNS message can have.
pub(super) const ANSWER_BYTES_MAX: u64 = 65_535;

/// What a URL ends with if the question goes into it (a URI template, RFC 6570).
pub(super) const IN_THE_URL: &str = "{?dns}";

/// A server that answers over HTTPS.
#[derive(Debug)]
pub(super) struct Https {
    /// As the file names it.
    pub(super) shown: Arc<str>,
    pub(super) target: Arc<Target>,
    /// Whether the question goes into the URL (GET) and not into the body (POST).
    pub(super) in_the_url: bool,
    pub(super) client: Client,
}

/// Asks over HTTPS.
///
/// # Errors
/// There is no connection, the certificate does not hold, nobody answered, or the answer is not a DNS message.
pub(super) async fn over_https(
    server: &Https,
    asked: &Asked<'_>,
    asking: Asking<'_>,
    phases: &mut Phases,
) -> Result<Reply, Failure> {
    let mut trail = Trail::new(asking.step.began, Detail::Facts);
    // A connection of its own: several servers are asked at once, and each is to be measured from the start.
    let mut net = Net::new(Arc::clone(asking.shared));
    let ready = server.request(asked, asking)?;
    trail.begin(&ready);
    let exchange = server.client.ask(&mut net, asking.step.scope.run, &ready, &mut trail);
    let asked_for = within(asking.deadline(), exchange).await;
    std::mem::swap(phases, &mut trail.phases);
    match asked_for {
        None => Err(timed_out(&server.shown, asking.deadline(), phases, 0)),
        Some(Err(failure)) => Err(failure),
        Some(Ok(_connection)) => {
            let answer = trail.answer.as_ref().expect("an exchange that did not fail left its answer");
            server.read(asked, answer)
        }
    }
}

impl Https {
    fn request(&self, asked: &Asked<'_>, asking: Asking<'_>) -> Result<Ready, Failure> {
        let mut room: Room = [0; 2 + QUESTION_BYTES_MAX];
        let question = asked.write(&mut room);
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(HOST, self.target.authority());
        headers.insert(USER_AGENT, user_agent(asking.step.scope.run));
        headers.insert(ACCEPT, HeaderValue::from_static(MEDIA_TYPE));
        if !self.in_the_url {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
            let (target, body) = (Arc::clone(&self.target), Bytes::copy_from_slice(question));
            return Ok(Ready { method: Method::POST, target, headers, body, traced: false });
        }
        let mut url = self.target.url.clone();
        url.query_pairs_mut().append_pair("dns", &URL_SAFE_NO_PAD.encode(question));
        let target = Target::of(url).map_err(|error| fault::config(error.to_string()))?;
        let (target, body) = (Arc::new(target), Bytes::new());
        Ok(Ready { method: Method::GET, target, headers, body, traced: false })
    }

    fn read(&self, asked: &Asked<'_>, answer: &trail::Answer) -> Result<Reply, Failure> {
        let shown = &self.shown;
        let protocol = |error_type, message| Failure::new(FailureClass::Protocol, error_type, message);
        let status = answer.status;
        if !status.is_success() {
            return Err(protocol(
                "dns.http_status",
                format!("{shown} answered with HTTP status {}", status.as_u16()),
            ));
        }
        let media_type =
            answer.headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let essence = media_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case(MEDIA_TYPE) {
            let found = if essence.is_empty() { "no content type" } else { essence };
            let found = model::outcome::cut(found.to_owned(), 60);
            return Err(protocol(
                "dns.content_type",
                format!("{shown} answered with {found}, not {MEDIA_TYPE}"),
            ));
        }
        if answer.body.cut_at().is_some() {
            return Err(exchange::malformed(shown, "the answer is longer than 65535 bytes"));
        }
        if let Some(trouble) = answer.body.trouble() {
            return Err(exchange::malformed(shown, trouble));
        }
        exchange::read(shown, asked, &answer.body.bytes())
    }
}
