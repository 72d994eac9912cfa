//! Delivery: requests of each signal, made once from a batch, wait here until they are answered.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};
use model::event::SliEvent;
use model::probe::BoxFuture;
use url::Url;

use super::encode::{gather, metric, points, record, request, resource};
use super::signal::{Sent, Signal, judge, judge_call};
use super::{grpc, spans};
use crate::quiet::{self, Own, Sampling};
use crate::receiver::{Receiver, silent};
use crate::sampler::{Sampler, Snapshot};
use crate::settings::Settings;
use crate::{Delivery, Exporter, Surroundings};

/// About the most bytes of a request before it is compressed; collectors take 4 MiB over gRPC.
const REQUEST_BYTES: usize = 1 << 20;

/// The exporter.
pub(super) struct Otlp {
    receiver: Receiver,
    grpc: bool,
    gzip: bool,
    /// The signals that are sent, and where.
    signals: Vec<(Signal, Url)>,
    resource: Vec<u8>,
    version: Arc<str>,
    sampler: Sampler,
    own: Own,
    requests: VecDeque<Request>,
    linger: Duration,
    /// Events and items that are lost since the last batch was acknowledged, and why.
    dropped: u64,
    refused: u64,
    why: Option<String>,
}

/// A request that is not answered yet.
struct Request {
    signal: Signal,
    body: Vec<u8>,
    /// Records, spans or points in it.
    items: u64,
    /// Events that are lost with it.
    events: u64,
}

impl Otlp {
    pub(super) fn new(
        settings: &Settings,
        around: &Surroundings,
        (receiver, grpc): (Receiver, bool),
    ) -> Self {
        let wanted = settings.words("signals");
        let signals = Signal::ALL.into_iter().filter(|signal| wanted.contains(&signal.word()));
        let mut about: Vec<(String, String)> = settings
            .pairs("resource")
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        for (name, value) in [
            ("service.name", "prober"),
            ("service.version", &*around.version),
            ("service.instance.id", &*around.prober),
        ] {
            if about.iter().all(|(known, _)| known != name) {
                about.push((name.to_owned(), value.to_owned()));
            }
        }
        Self {
            receiver,
            grpc,
            gzip: settings.bool("gzip"),
            signals: signals.map(|signal| (signal, signal.url(settings, grpc))).collect(),
            resource: resource(&about),
            version: Arc::clone(&around.version),
            sampler: Sampler::new(around.streams.clone()),
            own: Own::new(around),
            requests: VecDeque::new(),
            linger: settings.duration("linger"),
            dropped: 0,
            refused: 0,
            why: None,
        }
    }

    async fn take(&mut self, batch: &[Arc<SliEvent>]) -> Delivery {
        let fresh = self.sampler.fresh(batch);
        for signal in [Signal::Logs, Signal::Traces] {
            let items = fresh.iter().map(|event| match signal {
                Signal::Logs => vec![record(event)],
                _ => spans::spans(event),
            });
            let items: Vec<_> = items.collect();
            self.pack(signal, items);
        }
        let snapshots = self.sampler.count(&fresh);
        self.points(&snapshots);
        if let Err(delivery) = self.send_all().await {
            return delivery;
        }
        if let Err(delivery) = quiet::after(self, batch).await {
            return delivery;
        }
        self.sampler.acknowledged(batch);
        let (dropped, refused) = (std::mem::take(&mut self.dropped), std::mem::take(&mut self.refused));
        match self.why.take() {
            Some(why) => Delivery::Part { dropped: dropped.min(batch.len() as u64), refused, why },
            None => Delivery::Done,
        }
    }

    fn wants(&self, signal: Signal) -> bool {
        self.signals.iter().any(|(wanted, _)| *wanted == signal)
    }

    /// Makes requests of the items of each event.
    fn pack(&mut self, signal: Signal, events: Vec<Vec<Vec<u8>>>) {
        if !self.wants(signal) {
            return;
        }
        // An event is lost with the first of its signals, and counted once.
        let first = self.signals.first().is_some_and(|(first, _)| *first == signal);
        let mut parts = vec![(Vec::<Vec<u8>>::new(), 0_u64, 0_usize)];
        for items in events {
            let bytes: usize = items.iter().map(Vec::len).sum();
            if parts.last().is_some_and(|(held, _, size)| !held.is_empty() && size + bytes > REQUEST_BYTES) {
                parts.push((Vec::new(), 0, 0));
            }
            let (held, count, size) = parts.last_mut().expect("there is always one");
            held.extend(items);
            *count += u64::from(first);
            *size += bytes;
        }
        for (items, events, _) in parts.into_iter().filter(|(items, ..)| !items.is_empty()) {
            self.push(signal, (&items, items.len() as u64), events);
        }
    }

    /// Makes requests of snapshots.
    fn points(&mut self, snapshots: &[Snapshot]) {
        if snapshots.is_empty() || !self.wants(Signal::Metrics) {
            return;
        }
        let (mut held, mut count, mut size) = (Vec::new(), 0, 0);
        for (name, gathered) in gather(snapshots) {
            let bytes = metric(&name, &gathered);
            if size + bytes.len() > REQUEST_BYTES && !held.is_empty() {
                self.push(Signal::Metrics, (&held, count), 0);
                (held, count, size) = (Vec::new(), 0, 0);
            }
            count += points(&gathered) as u64;
            size += bytes.len();
            held.push(bytes);
        }
        self.push(Signal::Metrics, (&held, count), 0);
    }

    fn push(&mut self, signal: Signal, (items, count): (&[Vec<u8>], u64), events: u64) {
        let body = request(&self.resource, &self.version, items.iter().map(Vec::as_slice));
        let body = if self.gzip { compressed(&body) } else { body };
        let body = if self.grpc { grpc::framed(&body, self.gzip) } else { body };
        self.requests.push_back(Request { signal, body, items: count, events });
    }

    /// Sends request after request until none is left, or says why it has to wait.
    async fn send_all(&mut self) -> Result<(), Delivery> {
        while let Some(request) = self.requests.front() {
            let (items, events) = (request.items, request.events);
            match self.send(request).await {
                Sent::Taken => {}
                Sent::Partly(refused, why) => self.lose(0, refused.min(items), why),
                Sent::Never(why) => self.lose(events, items, why),
                Sent::Later(delivery) => return Err(delivery),
            }
            self.requests.pop_front();
        }
        Ok(())
    }

    fn lose(&mut self, events: u64, items: u64, why: String) {
        self.dropped += events;
        self.refused += items;
        self.why = Some(why);
    }

    async fn send(&self, request: &Request) -> Sent {
        let Some((_, url)) = self.signals.iter().find(|(signal, _)| *signal == request.signal) else {
            return Sent::Taken;
        };
        let headers = if self.grpc { grpc::headers(self.gzip) } else { self.headers() };
        match self.receiver.post(url, headers, request.body.clone().into()).await {
            Ok(answer) if self.grpc => judge_call(&answer, &self.receiver),
            Ok(answer) => judge(&answer, &self.receiver),
            Err(error) => Sent::Later(silent(&error)),
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        if self.gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        headers
    }
}

impl Sampling for Otlp {
    fn sampler(&mut self) -> &mut Sampler {
        &mut self.sampler
    }

    fn own(&mut self) -> &mut Own {
        &mut self.own
    }

    fn is_sampling(&self) -> bool {
        self.wants(Signal::Metrics)
    }

    fn queue(&mut self, snapshots: Vec<Snapshot>) {
        self.points(&snapshots);
    }

    fn drain(&mut self) -> BoxFuture<'_, Result<(), Delivery>> {
        Box::pin(self.send_all())
    }
}

fn compressed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("a Vec takes every byte")
}

impl Exporter for Otlp {
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
