//! What became of a delivery, and what the answers of HTTP receivers have in common.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::time::Timestamp;
use post::{Answer, Client, PostError};
use url::Url;

/// What came of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver has it.
    Done,
    /// It may work later.
    Retry {
        /// How long the receiver asks to be left alone.
        after: Option<Duration>,
        /// For people.
        why: String,
    },
    /// The receiver will never take it.
    Reject {
        /// For people.
        why: String,
    },
    /// The receiver wants nothing any more.
    Gone {
        /// For people.
        why: String,
    },
}

impl Delivery {
    /// A connection that failed may work later.
    pub(crate) fn unreached(error: &PostError) -> Self {
        Self::Retry { after: None, why: error.to_string() }
    }

    /// To be tried again, after the wait that the answer asks for.
    pub(crate) fn again(url: &Url, answer: &Answer, now: Timestamp) -> Self {
        Self::Retry { after: answer.retry_after(system(now)), why: said(url, answer) }
    }

    /// Never to be tried again.
    pub(crate) fn never(url: &Url, answer: &Answer) -> Self {
        Self::Reject { why: said(url, answer) }
    }
}

/// `https://hooks.example answered 503: try later`.
pub(crate) fn said(url: &Url, answer: &Answer) -> String {
    let (place, status, reason) = (post::place(url), answer.status.as_u16(), answer.reason());
    let redirect = if answer.status.is_redirection() { " (redirects are not followed)" } else { "" };
    if reason.is_empty() {
        format!("{place} answered {status}{redirect}")
    } else {
        format!("{place} answered {status}{redirect}: {reason}")
    }
}

fn system(at: Timestamp) -> SystemTime {
    let millis = u64::try_from(at.as_millis()).unwrap_or(0);
    UNIX_EPOCH + Duration::from_millis(millis)
}

/// Looks whether anybody answers where `url` leads: asks for the head of `path`, never for the URL's own.
pub(crate) async fn examine(client: &Client, url: &Url, path: &str) -> Result<String, String> {
    let mut root = url.clone();
    root.set_path(path);
    root.set_query(None);
    let request = post::Request {
        method: http::Method::HEAD,
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::new(),
        timeout: EXAMINE_MAX,
    };
    match client.send(&root, request).await {
        Ok(answer) => Ok(format!("{} answers ({})", post::place(url), answer.status.as_u16())),
        Err(error) => Err(error.to_string()),
    }
}

/// The longest that looking at a receiver may take.
pub(crate) const EXAMINE_MAX: Duration = Duration::from_secs(5);

/// The headers of a JSON body.
pub(crate) fn json_headers() -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    headers
}
