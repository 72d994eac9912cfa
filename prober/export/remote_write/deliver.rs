//! Delivery: what was sampled and is not taken yet waits here, group by group, until it is.
//!
//! A batch is acknowledged when all that was sampled from it is taken or refused. A delivery that is dropped half-way
//! leaves its groups; the batch that comes again adds nothing to them.
//!
//! No series is in one group twice: a receiver knows the last sample of a series again, and so a request whose answer
//! was lost can be repeated.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use model::event::SliEvent;
use model::probe::BoxFuture;
use model::time::Clock;
use post::Answer;
use url::Url;

use super::clock::Checked;
use super::encode::{Protocol, body};
use super::rows::{Row, rows};
use crate::quiet::{self, Own, Sampling};
use crate::receiver::{Receiver, said, silent};
use crate::sampler::{Sampler, Snapshot};
use crate::settings::Settings;
use crate::{Delivery, Exporter, Surroundings};

/// How often a group is halved to find the samples that are refused; then what is left of it goes in large parts.
const SPLITS_MAX: u32 = 128;

const VERSION: HeaderName = HeaderName::from_static("x-prometheus-remote-write-version");
const WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-samples-written");

/// The exporter.
pub(super) struct RemoteWrite {
    receiver: Receiver,
    url: Url,
    /// Labels that every series gets.
    outer: Vec<(String, String)>,
    clock: Arc<dyn Clock>,
    sampler: Sampler,
    own: Own,
    checked: Checked,
    protocol: Protocol,
    /// Whether 1.0 may be spoken when 2.0 is not understood.
    falls_back: bool,
    groups: VecDeque<Group>,
    /// How often what is left of the first whole group may still be halved.
    splits: u32,
    samples_max: usize,
    drop_after: Duration,
    linger: Duration,
    /// Samples that were taken and refused since the last batch was acknowledged, and why.
    taken: u64,
    refused: u64,
    why: Option<String>,
}

/// Samples for one request.
struct Group {
    rows: Vec<Row>,
    /// Whether it is as it was made, not a half of a refused one.
    whole: bool,
}

/// What came of one request.
enum Sent {
    Taken {
        missing: u64,
    },
    /// Something in it is wrong.
    Refused(String),
    /// It will not be taken, and neither would a part of it.
    Never(String),
    /// The receiver does not speak this version.
    NotUnderstood,
    Later(Delivery),
}

impl RemoteWrite {
    pub(super) fn new(
        settings: &Settings,
        around: &Surroundings,
        (receiver, outer): (Receiver, Vec<(String, String)>),
    ) -> Self {
        let protocol = settings.text("protocol");
        let clock = Arc::clone(&around.clock);
        Self {
            receiver,
            url: settings.url("url"),
            outer,
            sampler: Sampler::new(around.streams.clone()),
            own: Own::new(around),
            checked: Checked::start(&*clock),
            protocol: if protocol == Some("1.0") { Protocol::One } else { Protocol::Two },
            falls_back: protocol == Some("auto"),
            groups: VecDeque::new(),
            splits: SPLITS_MAX,
            samples_max: settings.count("samples_max"),
            drop_after: settings.duration("drop_after"),
            linger: settings.duration("linger"),
            clock,
            taken: 0,
            refused: 0,
            why: None,
        }
    }

    async fn take(&mut self, batch: &[Arc<SliEvent>]) -> Delivery {
        let now = self.clock.now();
        let oldest = now.minus(self.drop_after);
        let fresh: Vec<_> = batch.iter().filter(|event| event.recorded >= oldest).collect();
        let dropped = (batch.len() - fresh.len()) as u64;
        for group in &mut self.groups {
            group.rows.retain(|row| row.at >= oldest);
        }
        self.groups.retain(|group| !group.rows.is_empty());
        let snapshots = self.sampler.count(&fresh);
        self.pack(snapshots);
        if let Err(delivery) = self.send_all().await {
            return delivery;
        }
        if let Err(delivery) = quiet::after(self, batch).await {
            return delivery;
        }
        self.sampler.acknowledged(batch);
        let (taken, refused) = (std::mem::take(&mut self.taken), std::mem::take(&mut self.refused));
        let why = self.why.take();
        if refused + dropped == 0 {
            return Delivery::Done;
        }
        // Refused to the last sample: nothing of the events has arrived.
        let dropped = if taken == 0 { batch.len() as u64 } else { dropped };
        let why = why.unwrap_or_else(|| format!("events older than {:?} are not sent", self.drop_after));
        Delivery::Part { dropped, refused, why }
    }

    fn pack(&mut self, snapshots: Vec<Snapshot>) {
        let mut all = Vec::new();
        for snapshot in snapshots {
            let (rows, refused) = rows(snapshot, &self.outer);
            if refused > 0 {
                self.refuse(refused, "a series has labels that no receiver takes".to_owned());
            }
            all.extend(rows);
        }
        for layer in layers(all) {
            let mut rows = layer.into_iter().peekable();
            while rows.peek().is_some() {
                let rows = rows.by_ref().take(self.samples_max).collect();
                self.groups.push_back(Group { rows, whole: true });
            }
        }
    }

    fn refuse(&mut self, samples: u64, why: String) {
        self.refused += samples;
        self.why = Some(why);
    }

    /// Sends group after group until none is left, or says why it has to wait.
    async fn send_all(&mut self) -> Result<(), Delivery> {
        while let Some(group) = self.groups.front() {
            let newest = group.rows.iter().map(|row| row.at).max().unwrap_or_default();
            if !self.checked.heard() || self.checked.allows(newest, &*self.clock).is_err() {
                self.ask_the_time().await;
            }
            if let Err(ahead) = self.checked.allows(newest, &*self.clock) {
                return Err(Delivery::Retry { after: None, why: ahead.to_string() });
            }
            let sent = self.send(&self.groups[0].rows).await;
            self.conclude(sent)?;
        }
        Ok(())
    }

    /// What becomes of the first group.
    fn conclude(&mut self, sent: (Sent, Option<String>)) -> Result<(), Delivery> {
        let (sent, date) = sent;
        self.checked.hear(date.as_deref(), &*self.clock);
        let (again, why) = match sent {
            Sent::Later(delivery) => return Err(delivery),
            Sent::NotUnderstood if self.falls_back => {
                tracing::info!("the receiver does not speak remote write 2.0; going on with 1.0");
                self.protocol = Protocol::One;
                return Ok(());
            }
            Sent::NotUnderstood => {
                let why = "the receiver does not speak remote write 2.0; write protocol: auto".to_owned();
                return Err(Delivery::Retry { after: None, why });
            }
            Sent::Taken { missing } => {
                let rows = self.groups.pop_front().map_or(0, |group| group.rows.len() as u64);
                self.taken += rows.saturating_sub(missing);
                if missing > 0 {
                    self.refuse(missing, format!("{missing} samples were not written"));
                }
                return Ok(());
            }
            Sent::Refused(why) => (true, why),
            Sent::Never(why) => (false, why),
        };
        let Some(Group { mut rows, whole }) = self.groups.pop_front() else { return Ok(()) };
        if whole {
            self.splits = SPLITS_MAX;
        }
        if again && rows.len() > 1 && self.splits > 0 {
            self.splits -= 1;
            let second = rows.split_off(rows.len() / 2);
            self.groups.push_front(Group { rows: second, whole: false });
            self.groups.push_front(Group { rows, whole: false });
        } else {
            self.refuse(rows.len() as u64, why);
        }
        Ok(())
    }

    /// Sends one group; gives the receiver's clock, too.
    async fn send(&self, group: &[Row]) -> (Sent, Option<String>) {
        match self.post(self.protocol, body(self.protocol, group)).await {
            Ok(answer) => {
                let date =
                    answer.headers.get(header::DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
                (self.judge(&answer, group.len() as u64), date)
            }
            Err(delivery) => (Sent::Later(delivery), None),
        }
    }

    /// Sends a request without samples, for the receiver's clock in its answer.
    async fn ask_the_time(&mut self) {
        if let Ok(answer) = self.post(Protocol::One, body(Protocol::One, &[])).await {
            let date = answer.headers.get(header::DATE).and_then(|date| date.to_str().ok());
            self.checked.hear(date, &*self.clock);
        }
    }

    async fn post(&self, protocol: Protocol, body: Vec<u8>) -> Result<Answer, Delivery> {
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(protocol.content_type()));
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("snappy"));
        headers.insert(VERSION, HeaderValue::from_static(protocol.version()));
        self.receiver.post(&self.url, headers, body.into()).await.map_err(|error| silent(&error))
    }

    fn judge(&self, answer: &Answer, samples: u64) -> Sent {
        let two = self.protocol == Protocol::Two;
        match answer.status {
            status if status.is_success() => {
                let written = answer.headers.get(WRITTEN).and_then(|text| text.to_str().ok()?.parse().ok());
                match written {
                    None if two => Sent::NotUnderstood,
                    Some(written) if two => Sent::Taken { missing: samples.saturating_sub(written) },
                    _ => Sent::Taken { missing: 0 },
                }
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE if two => Sent::NotUnderstood,
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Sent::Refused(said(answer))
            }
            StatusCode::TOO_MANY_REQUESTS => Sent::Later(self.receiver.later(answer)),
            status if status.is_client_error() => Sent::Never(said(answer)),
            _ => Sent::Later(self.receiver.later(answer)),
        }
    }
}

impl Sampling for RemoteWrite {
    fn sampler(&mut self) -> &mut Sampler {
        &mut self.sampler
    }

    fn own(&mut self) -> &mut Own {
        &mut self.own
    }

    fn queue(&mut self, snapshots: Vec<Snapshot>) {
        self.pack(snapshots);
    }

    fn drain(&mut self) -> BoxFuture<'_, Result<(), Delivery>> {
        Box::pin(self.send_all())
    }
}

/// The rows in layers, each with at most one of a series; the rows of a series stay in their order.
fn layers(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let mut seen = HashMap::<Vec<(String, String)>, usize>::new();
    let mut layers = Vec::<Vec<Row>>::new();
    for row in rows {
        let place = seen.entry(row.labels.clone()).or_default();
        if layers.len() == *place {
            layers.push(Vec::new());
        }
        let layer = *place;
        *place += 1;
        layers[layer].push(row);
    }
    layers
}

impl Exporter for RemoteWrite {
    fn deliver<'a>(&'a mut self, batch: &'a [Arc<SliEvent>]) -> BoxFuture<'a, Delivery> {
        Box::pin(self.take(batch))
    }

    fn linger(&self) -> Duration {
        self.linger
    }

    fn idle(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(quiet::keep_alive(self))
    }
}
