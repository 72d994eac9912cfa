//! Every kind against every peer that breaks the rules: each run ends by its deadline, in bounded memory, as what
//! it is, and with the phase in which it broke.

mod billing;
mod faults;
mod names;

use std::sync::Arc;
use std::time::Duration;

use scenario::fields::Bound;
use scenario::kind::Kind;
use testkit::hostile::{Fault, Hostile, Unconnectable};

use crate::net::shared::{Net, Shared};
use crate::net::together;
use crate::trial::{self, SLACK, Trial, template, text, texts};
use crate::{dns, http, s3, sql, tcp, tls};

/// The deadline of every run here; those that a peer keeps waiting take all of it.
const LIMIT: Duration = Duration::from_millis(500);
/// The most that a peer without end gets rid of: what a kind reads, and what fits into the systems between.
const POURED_MAX: u64 = 24 << 20;
/// How often a run that ended late is tried.
const TRIES: usize = 4;
/// How many runs go on at once; more of them would wait for each other on a small machine.
const AT_ONCE: usize = 6;

type Keys = Vec<(&'static str, Bound)>;

/// One kind of step, spoken in one way.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Way {
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 in TLS.
    Https,
    /// HTTP/2 without TLS, by prior knowledge.
    H2,
    /// A listing.
    S3,
    /// A handshake.
    Tls,
    /// A line that the server sends.
    Tcp,
    /// A query.
    Sql,
    /// A question over UDP.
    Dns,
    /// A question over TCP.
    DnsTcp,
}

impl Way {
    const fn kind(self) -> &'static Kind<Net> {
        match self {
            Self::Http | Self::Https | Self::H2 => &http::KIND,
            Self::S3 => &s3::KIND,
            Self::Tls => &tls::KIND,
            Self::Tcp => &tcp::KIND,
            Self::Sql => &sql::KIND,
            Self::Dns | Self::DnsTcp => &dns::KIND,
        }
    }

    /// The keys of a step at `place`, a host and a port.
    fn keys(self, place: &str) -> Keys {
        match self {
            Self::Http => vec![("url", template(format!("http://{place}/")))],
            Self::Https => vec![("url", template(format!("https://{place}/")))],
            Self::H2 => {
                vec![("url", template(format!("http://{place}/"))), ("http_version", Bound::Choice("2"))]
            }
            Self::S3 => vec![("endpoint", template(format!("http://{place}"))), ("bucket", template("shop"))],
            Self::Tls => vec![("address", template(place))],
            Self::Tcp => vec![("address", template(place)), ("read_until", text("\\n"))],
            Self::Sql => {
                let dsn = format!("postgresql://probe@{place}/shop?sslmode=disable");
                vec![("dsn", template(dsn)), ("query", text("select 1"))]
            }
            Self::Dns | Self::DnsTcp => {
                let transport = if self == Self::Dns { "udp" } else { "tcp" };
                vec![
                    ("name", template("shop.test")),
                    ("resolvers", texts([place])),
                    ("transport", Bound::Choice(transport)),
                ]
            }
        }
    }
}

/// One run that is to end badly, or at least to end.
struct Case {
    what: String,
    way: Way,
    keys: Keys,
    shared: Arc<Shared>,
    /// `CLASS TYPE PHASE`, or `ok`; several with ` | ` between them where the system decides.
    expected: &'static str,
    peer: Option<Hostile>,
}

impl Case {
    /// `way` at `place`.
    fn at(what: impl Into<String>, way: Way, place: &str, expected: &'static str) -> Self {
        Self { what: what.into(), way, keys: way.keys(place), shared: trial::shared(), expected, peer: None }
    }

    /// `way` at a peer with `fault`.
    fn of(fault: Fault, way: Way, expected: &'static str) -> Self {
        let mut what = format!("{fault:?}");
        what.truncate(what.floor_char_boundary(60));
        let peer = Hostile::start(fault);
        Self { peer: Some(peer), ..Self::at(what, way, "", expected) }.placed()
    }

    fn placed(mut self) -> Self {
        if let Some(peer) = &self.peer {
            self.keys = self.way.keys(&peer.addr().to_string());
        }
        self
    }

    /// The same with more keys.
    fn with(mut self, more: Keys) -> Self {
        self.keys.extend(more);
        self
    }

    async fn run(&self) -> Result<(), String> {
        let mut trial = self.once().await;
        for _ in 1..TRIES {
            // On a busy machine a run may end late, or at its deadline, for want of a processor; only the best of
            // some is the run's own.
            let starved = trial.took >= LIMIT && !self.expects(&told(&trial));
            if trial.took <= LIMIT + SLACK && !starved {
                break;
            }
            trial = self.once().await;
        }
        let Self { what, way, expected, .. } = self;
        let told = told(&trial);
        if !self.expects(&told) {
            let message = trial.outcome.failure.map(|failure| failure.message);
            return Err(format!("{way:?} and {what}: {told}, expected {expected} ({message:?})"));
        }
        if trial.took > LIMIT + SLACK {
            return Err(format!("{way:?} and {what} took {:?}", trial.took));
        }
        self.is_bounded()
    }

    fn expects(&self, told: &str) -> bool {
        self.expected.split(" | ").any(|known| known == told)
    }

    async fn once(&self) -> Trial {
        trial::run(self.way.kind(), self.keys.clone(), &self.shared, LIMIT).await
    }

    /// Whether the peer could not get rid of more than one run may take.
    fn is_bounded(&self) -> Result<(), String> {
        let Self { what, way, .. } = self;
        let runs = self.peer.as_ref().map_or(1, Hostile::connections) as u64;
        let poured = self.peer.as_ref().map_or(0, Hostile::poured);
        if poured > runs * POURED_MAX {
            return Err(format!("{way:?} and {what} took in {poured} bytes"));
        }
        Ok(())
    }
}

/// Class, type and the phase in which it broke, or `ok`.
fn told(trial: &Trial) -> String {
    let Some(failure) = &trial.outcome.failure else { return "ok".to_owned() };
    let phase = trial.outcome.hops.last().and_then(|hop| hop.phases.last()).map(|span| span.phase.as_str());
    format!("{} {} {}", failure.class, failure.error_type, phase.unwrap_or("nowhere"))
}

/// Runs all cases, some at a time, and says everything that is wrong at once.
async fn sweep(cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for some in cases.chunks(AT_ONCE) {
        let ran = together::all(some.iter().map(Case::run).collect()).await;
        wrong.extend(ran.into_iter().filter_map(Result::err));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The ways over TCP.
const OVER_TCP: [Way; 8] =
    [Way::Http, Way::Https, Way::H2, Way::S3, Way::Tls, Way::Tcp, Way::Sql, Way::DnsTcp];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_is_told_apart_from_nobody_who_answers() {
    let unconnectable = Unconnectable::start();
    let free = testkit::wait::free_port();
    let mut cases = Vec::new();
    for way in OVER_TCP {
        let silent = if way == Way::DnsTcp { "dns dns.timeout connect" } else { "timeout timeout connect" };
        cases.push(Case::at("a full queue", way, &unconnectable.addr().to_string(), silent));
        let place = format!("127.0.0.1:{free}");
        cases.push(Case::at("a closed port", way, &place, "connect connect.refused connect"));
    }
    let place = format!("127.0.0.1:{free}");
    cases.push(Case::at("a closed port", Way::Dns, &place, "connect connect.refused wait"));
    sweep(cases).await;
}
