//! What a scripted server answers, and when.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// Before a break: hyper sends what came earlier while the body waits, and drops it otherwise.
const ON_THE_WIRE: Duration = Duration::from_millis(10);

/// A scripted answer: status, headers and a body that may pause, break off or never end.
#[derive(Clone, Debug)]
pub struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    head_delay: Duration,
    body: VecDeque<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Chunk(Bytes),
    Pause(Duration),
    Endless(Bytes),
    Break,
}

impl Reply {
    /// An empty answer with status `code`.
    pub fn status(code: u16) -> Self {
        let status = StatusCode::from_u16(code).expect("a status is 100 to 999");
        Self { status, headers: Vec::new(), head_delay: Duration::ZERO, body: VecDeque::new() }
    }

    /// A 200 with `body`.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::status(200).body(body)
    }

    /// A 200 with `json` as `application/json`.
    pub fn json(json: &str) -> Self {
        Self::ok(json.to_owned()).header("content-type", "application/json")
    }

    /// A redirect with status `code` to `location`.
    pub fn redirect(code: u16, location: &str) -> Self {
        Self::status(code).header("location", location)
    }

    /// Adds a header line; a name may come more than once.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the script's header name is a token");
        self.headers.push((name, HeaderValue::from_str(value).expect("the script's header value is text")));
        self
    }

    /// Adds a `Set-Cookie` line.
    #[must_use]
    pub fn cookie(self, cookie: &str) -> Self {
        self.header("set-cookie", cookie)
    }

    /// Holds the head back for `delay`.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.head_delay = delay;
        self
    }

    /// Adds a piece of body; a body of one piece and no pause has a content length.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.part(Part::Chunk(body.into()))
    }

    /// Adds a pause within the body.
    #[must_use]
    pub fn pause(self, pause: Duration) -> Self {
        self.part(Part::Pause(pause))
    }

    /// Ends the body by breaking the connection (HTTP/1.1) or resetting the stream (HTTP/2).
    #[must_use]
    pub fn broken(self) -> Self {
        self.pause(ON_THE_WIRE).part(Part::Break)
    }

    /// Repeats `piece` for ever, as fast as the client reads.
    #[must_use]
    pub fn endless(self, piece: impl Into<Bytes>) -> Self {
        self.part(Part::Endless(piece.into()))
    }

    fn part(mut self, part: Part) -> Self {
        self.body.push_back(part);
        self
    }

    pub(super) const fn head_delay(&self) -> Duration {
        self.head_delay
    }

    pub(super) fn into_response(self) -> Response<ScriptBody> {
        let mut response = Response::new(ScriptBody { parts: self.body, pause: None });
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

/// Plays the parts of a body.
pub(super) struct ScriptBody {
    parts: VecDeque<Part>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Body for ScriptBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                std::task::ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            return Poll::Ready(match self.parts.pop_front() {
                None => None,
                Some(Part::Chunk(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Part::Break) => Some(Err(std::io::ErrorKind::BrokenPipe.into())),
                Some(Part::Endless(piece)) => {
                    self.parts.push_front(Part::Endless(piece.clone()));
                    Some(Ok(Frame::data(piece)))
                }
                Some(Part::Pause(pause)) => {
                    self.pause = Some(Box::pin(tokio::time::sleep(pause)));
                    continue;
                }
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty() && self.pause.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let mut bytes = 0;
        for part in &self.parts {
            match part {
                Part::Chunk(chunk) if self.parts.len() == 1 => bytes += chunk.len() as u64,
                _ => return SizeHint::default(),
            }
        }
        SizeHint::with_exact(bytes)
    }
}
