//! What the composition root hands to the dashboard: the facts that this crate may not know by itself.
//!
//! Shared "latest values" are `watch` channels; what has to be computed is a function. Deliberately absent: the
//! scheduler's arithmetic and the metrics' registry, which live elsewhere.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::outcome::Reason;
use model::probe::BoxFuture;
use model::slot::{Cadence, Stream};
use model::time::{Clock, Timestamp};
use store::Store;
use tokio::sync::watch;

use crate::fleet::FleetView;

/// Everything that pages and API are made of.
#[derive(Clone)]
pub struct Sources {
    /// The stored events; only read.
    pub store: Store,
    /// The wall clock for ages and windows.
    pub clock: Arc<dyn Clock>,
    /// What is scheduled now; the root sends a new one after each successful reload.
    pub catalogue: watch::Receiver<Arc<Catalogue>>,
    /// How every promise stands, by name; the root sends a new list after each tick.
    pub standings: watch::Receiver<Arc<[slo::standing::Standing]>>,
    /// How the last reading of the files went.
    pub reload_state: watch::Receiver<ReloadState>,
    /// Whether slots are being run.
    pub readiness: watch::Receiver<Readiness>,
    /// Begins an exposition of the metrics; called, and asked for its pieces, on a thread that may block.
    pub metrics: Arc<MetricsFn>,
    /// What the prober doubts of itself now, and whom that hides.
    pub doubts: Arc<DoubtsFn>,
    /// The starts at which a stream is due, the same function that the store's recovery uses.
    pub expected: Arc<ExpectedFn>,
    /// Probes a target that somebody asks for; dropped when the one who asks has gone.
    pub probe: Arc<ProbeFn>,
    /// Reads the files again and says how that went; awaited for at most 30 seconds, dropped after that.
    pub reload: Arc<ReloadFn>,
    /// What the process says of itself; called on a thread that may block.
    pub own: Arc<OwnFn>,
    /// Makes the weekly review, or says why it cannot; called on a thread that may block, one at a time.
    pub review: Arc<ReviewFn>,
    /// What is known of the fleet; `None` for a prober that is in none.
    pub fleet: watch::Receiver<Option<Arc<FleetView>>>,
    /// The schemas for editors: names, and how each is made. Seldom asked for and long, so none is kept.
    pub schemas: Vec<(String, SchemaFn)>,
    /// Bounds and names.
    pub settings: Settings,
}

/// Makes the text of a schema.
pub type SchemaFn = Arc<dyn Fn() -> String + Send + Sync>;

/// What the process says of itself.
pub type OwnFn = dyn Fn() -> Vec<OwnFact> + Send + Sync;

/// Makes the weekly review.
pub type ReviewFn = dyn Fn() -> Result<Review, String> + Send + Sync;

/// One fact about the prober itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFact {
    /// The heading that it belongs under.
    pub group: &'static str,
    /// What.
    pub name: String,
    /// How much, with its unit.
    pub value: String,
    /// Whether somebody should look at it.
    pub is_bad: bool,
}

/// The weekly review as tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Review {
    /// Its title.
    pub title: String,
    /// What it is about, in a sentence.
    pub about: String,
    /// Its parts.
    pub sections: Vec<ReviewSection>,
    /// All of it as Markdown.
    pub markdown: String,
}

/// One part of the review.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewSection {
    /// A word that names it in an address.
    pub key: String,
    /// Its title.
    pub title: String,
    /// A sentence below the title; empty for none.
    pub note: String,
    /// The key and the title of each column; `run` and `scenario` become links.
    pub columns: Vec<(String, String)>,
    /// A cell for each column.
    pub rows: Vec<Vec<String>>,
    /// What is said where there is no row.
    pub empty: String,
}

/// Probes a target once.
pub type ProbeFn = dyn Fn(ProbeRequest) -> BoxFuture<'static, ProbeAnswer> + Send + Sync;

/// What somebody asks to be probed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbeRequest {
    /// How; empty if it is not said.
    pub module: String,
    /// What.
    pub target: String,
    /// How long the one who asks will wait.
    pub timeout: Option<Duration>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeAnswer {
    /// The metrics of the run, as Prometheus text.
    Metrics(String),
    /// It was not made, and would not be; why.
    Refused(String),
    /// Too many are being made.
    Busy,
}

/// All metrics in a format, piece by piece.
pub type MetricsFn = dyn Fn(Format) -> Pieces + Send + Sync;

/// What the prober doubts of itself now.
pub type DoubtsFn = dyn Fn() -> OwnDoubts + Send + Sync;

/// What the prober doubts of itself, whom that hides, and who is not told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnDoubts {
    /// Why no slot is run at all, and what slots are missed for meanwhile.
    pub suspended: Vec<(Reason, String)>,
    /// What is doubted, where (empty for the whole machine), and why.
    pub doubts: Vec<(&'static str, Arc<str>, String)>,
    /// The streams of which too many of the last hour's runs say nothing, and the share of those.
    pub hidden: Vec<(Stream, f64)>,
    /// The routes of alerts that do not get through, and why; addresses without their secret parts.
    pub undelivered: Vec<(String, String)>,
}

/// Pieces of one text; each is made when it is asked for.
pub type Pieces = Box<dyn Iterator<Item = Vec<u8>> + Send>;

/// The starts of a stream's slots in `[from, to)`, in order.
pub type ExpectedFn = dyn Fn(&Stream, &Cadence, Timestamp, Timestamp) -> Vec<Timestamp> + Send + Sync;

/// Reads the files again.
pub type ReloadFn = dyn Fn() -> BoxFuture<'static, ReloadState> + Send + Sync;

/// The first slot of one stream at or after a time; `None` if there is none any more.
pub type NextSlotFn = dyn Fn(Timestamp) -> Option<Timestamp> + Send + Sync;

/// The form of the metrics.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0, which ends with `# EOF`.
    OpenMetrics,
}

/// All scenarios that are scheduled in this process.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// The project's name, or its folder's.
    pub project: String,
    /// The name of this prober, as in `prober.id`.
    pub prober: String,
    /// One card a stream; several regions of one scenario are several cards.
    pub cards: Vec<ScenarioCard>,
    /// The warnings about the files, as the terminal shows them; empty if there are none.
    pub warnings: String,
}

/// What people should know about one stream.
#[derive(Clone)]
pub struct ScenarioCard {
    /// Scenario and region.
    pub stream: Stream,
    /// Names that the scenario had before; events are stored under them too.
    pub was: Box<[Arc<str>]>,
    /// The name for people; the scenario's name if none is given.
    pub title: Arc<str>,
    /// What the system is for; empty if not given.
    pub aim: Arc<str>,
    /// The team; empty if not given.
    pub owner: Arc<str>,
    /// Where to read what to do; empty if not given. Only `http` and `https` addresses become links.
    pub runbook: Arc<str>,
    /// The scenario's labels.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// How often it is due, for people: `every 30s`.
    pub cadence: String,
    /// The longest that a run may take.
    pub timeout: Duration,
    /// The kind of its steps, or `flow`.
    pub kind: Arc<str>,
    /// What each step talks to, for people; secrets left out.
    pub targets: Vec<String>,
    /// The first digits of the hash over the resolved scenario.
    pub version: Arc<str>,
    /// The file, as people should see it.
    pub path: Arc<str>,
    /// The line in it, counted from 1; 0 if it is not known.
    pub line: u32,
    /// The file's text; empty if it is not known.
    pub text: Arc<str>,
    /// What its own objective is called, if it has one or alerts.
    pub slo: Option<Arc<str>>,
    /// Whether everybody may see its name and state.
    pub public: bool,
    /// Gives the next slot.
    pub next_slot: Arc<NextSlotFn>,
}

impl ScenarioCard {
    /// The streams of the names that it had before, the newest name first.
    pub(crate) fn former(&self) -> Vec<Stream> {
        let stream = |name: &Arc<str>| Stream { scenario: Arc::clone(name), ..self.stream.clone() };
        self.was.iter().map(stream).collect()
    }

    /// Where it runs, for people: its region, and which replica where it is not the first.
    pub(crate) fn place(&self) -> String {
        place(&self.stream)
    }

    /// Whether the stream's history is this card's.
    pub(crate) fn holds(&self, stream: &Stream) -> bool {
        self.stream == *stream
            || self.was.iter().any(|name| {
                *name == stream.scenario
                    && self.stream.region == stream.region
                    && self.stream.replica == stream.replica
            })
    }
}

impl Catalogue {
    /// The names that a scenario, or the instances of one, had before.
    pub(crate) fn former_names(&self, name: &str) -> Vec<String> {
        let cards = self.cards.iter().filter(|card| is_named(name, &card.stream.scenario));
        let mut names: Vec<String> = cards.flat_map(|card| &card.was).map(ToString::to_string).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Where a stream runs, for people: `eu`, or `eu/1` for the second replica there.
pub(crate) fn place(stream: &Stream) -> String {
    match stream.replica {
        0 => stream.region.to_string(),
        replica => format!("{}/{replica}", stream.region),
    }
}

/// Whether `name` is the wanted scenario, or an instance of it: `health[service=cart]` of `health`.
pub(crate) fn is_named(wanted: &str, name: &str) -> bool {
    name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
}

impl fmt::Debug for ScenarioCard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ScenarioCard({} {})", self.stream, self.cadence)
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Sources").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// How the last reading of the files went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadState {
    /// The plans are those of the files as they were then.
    Loaded {
        /// When.
        at: Timestamp,
    },
    /// The files had mistakes; the plans from before go on.
    Failed {
        /// When.
        at: Timestamp,
        /// The mistakes as the terminal shows them, without colours.
        diagnostics: String,
    },
}

/// Whether slots are being run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Not yet, and why not.
    Starting(String),
    /// Plans are loaded and the first slot can run.
    Ready,
    /// The prober is shutting down.
    Draining,
}

/// Bounds of the server, and the names it answers to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host names beside `localhost` and loopback addresses that a request may be for; lower case, without a port.
    pub hosts: Vec<String>,
    /// Who may look and who may act.
    pub access: crate::access::Access,
    /// Whether everybody may see the status page and badges of public scenarios.
    pub public_status: bool,
    /// How connections are encrypted; `None` for plain ones.
    pub tls: Option<crate::tls::Tls>,
    /// Connections at once; when they are all taken, new ones wait in the system's queue.
    pub connections_max: usize,
    /// Reads of the store at once; when they are all taken, a request waits a little and is then refused.
    pub reads_max: usize,
    /// The longest that one request may take.
    pub request_timeout: Duration,
    /// How long open requests may go on after the stop.
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            access: crate::access::Access::default(),
            public_status: false,
            tls: None,
            connections_max: 128,
            reads_max: 2,
            request_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(3),
        }
    }
}
