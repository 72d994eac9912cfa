//! Delivery of batches, request by request.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use model::event::SliEvent;
use model::outcome::Verdict;
use model::probe::BoxFuture;
use model::slot::SlotId;
use model::time::Clock;
use post::standard_webhooks::{Key, headers};
use url::Url;

use crate::receiver::{Receiver, said, silent};
use crate::settings::Settings;
use crate::{Delivery, Exporter, Surroundings};

/// The exporter.
pub(super) struct Webhook {
    receiver: Receiver,
    url: Url,
    keys: Vec<Key>,
    only_bad: bool,
    events_max: usize,
    linger: Duration,
    clock: Arc<dyn Clock>,
    /// Events of a batch that comes again and that are taken or refused already.
    settled: HashSet<(SlotId, u32)>,
    dropped: u64,
    why: Option<String>,
    /// The receiver wants no more.
    gone: bool,
}

/// What came of one request.
enum Sent {
    Taken,
    Refused(String),
    Gone,
    Later(Delivery),
}

impl Webhook {
    pub(super) fn new(
        settings: &Settings,
        around: &Surroundings,
        (receiver, keys): (Receiver, Vec<Key>),
    ) -> Self {
        Self {
            receiver,
            url: settings.url("url"),
            keys,
            only_bad: settings.text("only") == Some("bad"),
            events_max: settings.count("events_max"),
            linger: settings.duration("linger"),
            clock: Arc::clone(&around.clock),
            settled: HashSet::new(),
            dropped: 0,
            why: None,
            gone: false,
        }
    }

    async fn take(&mut self, batch: &[Arc<SliEvent>]) -> Delivery {
        let wanted = |event: &&Arc<SliEvent>| {
            (!self.only_bad || event.verdict() == Verdict::Bad) && !self.settled.contains(&key(event))
        };
        let open: Vec<_> = batch.iter().filter(wanted).collect();
        let mut parts: Vec<&[&Arc<SliEvent>]> = open.chunks(self.events_max).rev().collect();
        while let Some(part) = parts.pop() {
            let sent = if self.gone { Sent::Gone } else { self.send(part).await };
            match sent {
                Sent::Later(delivery) => return delivery,
                Sent::Refused(_) if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                    continue;
                }
                Sent::Refused(why) => self.lose(part, why),
                Sent::Gone => {
                    self.gone = true;
                    self.lose(part, "the receiver is gone (410) and is not sent to again".to_owned());
                }
                Sent::Taken => {}
            }
            self.settled.extend(part.iter().map(|event| key(event)));
        }
        self.settled.clear();
        match self.why.take() {
            Some(why) => Delivery::Part { dropped: std::mem::take(&mut self.dropped), refused: 0, why },
            None => Delivery::Done,
        }
    }

    fn lose(&mut self, part: &[&Arc<SliEvent>], why: String) {
        self.dropped += part.len() as u64;
        self.why = Some(why);
    }

    async fn send(&self, part: &[&Arc<SliEvent>]) -> Sent {
        let body = body(part, if self.only_bad { "prober.run.failed" } else { "prober.run.recorded" });
        let now = self.clock.now().as_millis().div_euclid(1_000);
        let mut headers = headers(&self.keys, &id(part), now, &body);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = match self.receiver.post(&self.url, headers, body.into()).await {
            Ok(answer) => answer,
            Err(error) => return Sent::Later(silent(&error)),
        };
        match answer.status {
            status if status.is_success() => Sent::Taken,
            StatusCode::GONE => Sent::Gone,
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Sent::Refused(said(&answer))
            }
            _ => Sent::Later(self.receiver.later(&answer)),
        }
    }
}

fn key(event: &SliEvent) -> (SlotId, u32) {
    (event.slot.id, event.attempt)
}

/// `{"type":…,"timestamp":…,"data":{"events":[…]}}`, the same at every repetition.
fn body(part: &[&Arc<SliEvent>], kind: &str) -> Vec<u8> {
    let newest = part.iter().map(|event| event.recorded).max().unwrap_or_default();
    let mut body = Vec::with_capacity(part.len() * 1_536 + 128);
    body.extend(
        format!("{{\"type\":\"{kind}\",\"timestamp\":\"{newest}\",\"data\":{{\"events\":[").into_bytes(),
    );
    for (index, event) in part.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        event.write_json(&mut body);
    }
    body.extend_from_slice(b"]}}");
    body
}

/// The id of a request: that of its first event, and a hash of all of them.
fn id(part: &[&Arc<SliEvent>]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for event in part {
        let attempt = event.attempt.to_le_bytes();
        for byte in event.slot.id.as_bytes().iter().chain(&attempt) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    let first = part.first().map(|event| event.slot.id.to_string()).unwrap_or_default();
    format!("msg_{first}_{hash:016x}")
}

impl Exporter for Webhook {
    fn deliver<'a>(&'a mut self, batch: &'a [Arc<SliEvent>]) -> BoxFuture<'a, Delivery> {
        Box::pin(self.take(batch))
    }

    fn linger(&self) -> Duration {
        self.linger
    }
}
