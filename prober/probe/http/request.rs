//! The request, prepared as far as it is constant.
//!
//! A request without holes is rendered once, at its first run; every later run clones header values that are
//! counted references.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, USER_AGENT,
};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use model::outcome::{Failure, FailureClass};
use scenario::template::{Hole, Part, RunFacts, Scope, Template};

use super::decode::ACCEPTED;
use super::given;
use super::parts::BodyPlan;
use super::redirect::{self, Onward};
use super::target::Target;
use crate::net::address::HostPort;
use crate::net::fault::{self, unusable};
use crate::sigv4;

/// The header of W3C Trace Context.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Which version of HTTP is spoken.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    /// What the server chooses in TLS; HTTP/1.1 without TLS.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    H1,
    /// HTTP/2 only; without TLS by prior knowledge.
    H2,
    /// HTTP/3 only, over QUIC.
    #[cfg(feature = "http3")]
    H3,
}

/// What is asked, with its holes.
#[derive(Debug)]
pub(super) struct RequestPlan {
    pub(super) method: Method,
    pub(super) url: Template,
    pub(super) query: Vec<(String, Template)>,
    pub(super) headers: Vec<(HeaderName, Template)>,
    pub(super) body: BodyPlan,
    /// What the body is; the kind of body says so if `None`.
    pub(super) content_type: Option<Template>,
    /// Whether a packed answer is asked for.
    pub(super) compression: bool,
    /// The rendered request, if it has no holes.
    pub(super) kept: OnceLock<Kept>,
}

/// A request as it is kept between runs: a map of its headers would take three times the memory.
#[derive(Debug)]
pub(super) struct Kept {
    target: Arc<Target>,
    /// As [`Ready::headers`].
    headers: Box<[(HeaderName, HeaderValue)]>,
    body: Bytes,
    traced: bool,
}

/// How a request names what it asks for.
#[derive(Copy, Clone, Debug)]
pub(super) enum Form<'a> {
    /// By path, to the server itself.
    Path,
    /// By the whole URL, to a proxy; with another host and port if the step connects to others.
    Whole(Option<&'a HostPort>),
    /// As HTTP/2 does.
    H2,
}

/// A request whose holes are filled.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) method: Method,
    pub(crate) target: Arc<Target>,
    /// All headers but cookies; `traceparent` stands there as a placeholder if we set it.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether `traceparent` is ours to set.
    pub(crate) traced: bool,
}

impl RequestPlan {
    /// The request of this run.
    ///
    /// # Errors
    /// A hole cannot be filled, or what filled it cannot stand there.
    pub(super) async fn ready(&self, scope: &Scope<'_>) -> Result<Arc<Ready>, Failure> {
        if let Some(kept) = self.kept.get() {
            return Ok(Arc::new(kept.ready(&self.method)));
        }
        let ready = self.render(scope).await?;
        if !self.has_holes() {
            // The scenario's name is in it, but an action belongs to one scenario.
            let _raced = self.kept.set(Kept::new(&ready));
        }
        Ok(Arc::new(ready))
    }

    fn has_holes(&self) -> bool {
        let pairs = |pairs: &[(String, Template)]| pairs.iter().any(|(_, value)| value.has_holes());
        self.url.has_holes()
            || pairs(&self.query)
            || self.headers.iter().any(|(_, value)| value.has_holes())
            || self.content_type.as_ref().is_some_and(Template::has_holes)
            || self.body.has_holes()
    }

    async fn render(&self, scope: &Scope<'_>) -> Result<Ready, Failure> {
        let target = Arc::new(self.target(scope)?);
        let (body, content_type) = self.body.render(scope).await?;
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 6);
        headers.insert(HOST, target.authority());
        headers.insert(USER_AGENT, user_agent(scope.run));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        if self.compression {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
        }
        let given_type = self.content_type.as_ref().map(|given| given.render(scope)).transpose();
        let given_type = given_type.map_err(|error| fault::unresolved(&error))?.map(Cow::into_owned);
        if let Some(content_type) = given_type.or(content_type) {
            let (what, value) = ("the content type is no header", HeaderValue::try_from(content_type));
            let wrong =
                |_| self.content_type.as_ref().map_or_else(|| fault::config(what), |of| unusable(of, what));
            headers.insert(CONTENT_TYPE, value.map_err(wrong)?);
        }
        let given = given::filled(&self.headers, scope)?;
        let traced = !given.contains_key(TRACEPARENT);
        if traced {
            headers.insert(TRACEPARENT, HeaderValue::from_static(""));
        }
        // What the author gives takes the place of a default of the same name.
        headers.extend(given);
        Ok(Ready { method: self.method.clone(), target, headers, body, traced })
    }

    fn target(&self, scope: &Scope<'_>) -> Result<Target, Failure> {
        let text = self.url.render(scope).map_err(|error| fault::unresolved(&error))?;
        let target = Target::parse(&text).map_err(|error| unusable(&self.url, &error.to_string()))?;
        if self.query.is_empty() {
            return Ok(target);
        }
        let mut url = target.url;
        for (key, value) in &self.query {
            let value = value.render(scope).map_err(|error| fault::unresolved(&error))?;
            url.query_pairs_mut().append_pair(key, &value);
        }
        Target::of(url).map_err(|error| unusable(&self.url, &error.to_string()))
    }

    /// The request that follows `ready` to `to` after an answer of `status`.
    ///
    /// # Errors
    /// Class `protocol`, `http.redirect_secret`: a body with a secret in it would go to another origin.
    pub(super) fn redirected(&self, ready: &Ready, status: StatusCode, to: Onward) -> Result<Ready, Failure> {
        let shown = Arc::clone(&to.target.shown);
        let abroad = !ready.target.same_origin(&to.target);
        let next = redirect::follow(ready, status, to, self.private_headers());
        if abroad && !next.body.is_empty() && self.body.has_secret() {
            let message =
                format!("the server redirects a body with a secret in it to another origin: {shown}");
            return Err(Failure::new(FailureClass::Protocol, "http.redirect_secret", message));
        }
        Ok(next)
    }

    /// The headers that never go to another origin: those that carry credentials by their name, and those
    /// with a secret or a capture in them.
    pub(super) fn private_headers(&self) -> impl Iterator<Item = &HeaderName> {
        static BY_NAME: [HeaderName; 2] = [COOKIE, HeaderName::from_static("proxy-authorization")];
        let carries = |template: &Template| {
            let secret = |part: &Part| matches!(part, Part::Hole(Hole::Secret(_) | Hole::Capture(_), _));
            template.parts().iter().any(secret)
        };
        let with_secrets = self.headers.iter().filter(move |(_, template)| carries(template));
        BY_NAME.iter().chain(&sigv4::HEADERS).chain(with_secrets.map(|(name, _)| name))
    }
}

impl Kept {
    fn new(ready: &Ready) -> Self {
        Self {
            target: Arc::clone(&ready.target),
            headers: ready.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            body: ready.body.clone(),
            traced: ready.traced,
        }
    }

    fn ready(&self, method: &Method) -> Ready {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        let (target, body) = (Arc::clone(&self.target), self.body.clone());
        Ready { method: method.clone(), target, headers, body, traced: self.traced }
    }
}

impl Ready {
    /// The request as hyper takes it.
    pub(super) fn to_request(
        &self,
        headers: HeaderMap,
        form: Form<'_>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = headers;
        // Where a method gives a body its meaning, servers want to hear that there is none (RFC 9110, section 8.6).
        if self.body.is_empty() && [Method::POST, Method::PUT, Method::PATCH].contains(&self.method) {
            request.headers_mut().entry(CONTENT_LENGTH).or_insert(HeaderValue::from_static("0"));
        }
        match form {
            Form::H2 => {
                let host = request.headers_mut().remove(HOST);
                *request.version_mut() = http::Version::HTTP_2;
                let host = host.unwrap_or_else(|| self.target.authority());
                *request.uri_mut() = absolute(&self.target, &host)?;
            }
            Form::Path => *request.uri_mut() = self.target.path.clone().into(),
            Form::Whole(None) => *request.uri_mut() = absolute(&self.target, &self.target.authority())?,
            Form::Whole(Some(to)) => {
                let to = HeaderValue::try_from(to.to_string());
                let to = to.map_err(|_| fault::config("`connect_to` cannot be sent"))?;
                *request.uri_mut() = absolute(&self.target, &to)?;
            }
        }
        Ok(request)
    }
}

/// The `traceparent` of `run`: its slot is the trace, its root span the parent, and it is sampled.
pub(crate) fn traceparent(run: &RunFacts) -> HeaderValue {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = Vec::with_capacity(55);
    let mut push = |bytes: &[u8]| {
        for byte in bytes {
            text.push(HEX[usize::from(byte >> 4)]);
            text.push(HEX[usize::from(byte & 15)]);
        }
        text.push(b'-');
    };
    push(&[0]);
    push(run.id.as_bytes());
    push(&run.id.root_span());
    push(&[1]);
    text.pop();
    HeaderValue::from_maybe_shared(Bytes::from(text)).expect("hexadecimal digits may stand in a header")
}

/// HTTP/2 wants scheme and authority in the URI.
fn absolute(target: &Target, host: &HeaderValue) -> Result<Uri, Failure> {
    let uri = Uri::builder().scheme(target.scheme()).authority(host.as_bytes());
    let uri = uri.path_and_query(target.path.clone()).build();
    uri.map_err(|error| fault::config(format!("the header Host cannot be sent over HTTP/2: {error}")))
}

/// Who sends the request.
pub(crate) fn user_agent(run: &RunFacts) -> HeaderValue {
    const NAME: &str = concat!("prober/", env!("CARGO_PKG_VERSION"));
    let text = format!("{NAME} (+scenario {})", run.scenario);
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(NAME))
}
