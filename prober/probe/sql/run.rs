//! The action of a `sql` step.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::address_text::ip_text;
use model::attribute::{Attributes, Text};
use model::outcome::{Failure, FailureClass, cut};
use model::probe::BoxFuture;
use model::step::{Hop, Phase};
use scenario::kind::{Action, Endpoint, Nothing, StepContext, StepOutcome};
use scenario::template::Template;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::dsn::{self, Dsn, Login};
use super::rows::Rows;
use super::session::{Duplex, Session, SessionError};
use crate::net::dial::dial;
use crate::net::fault::{self, within};
use crate::net::named;
use crate::net::phases::Phases;
use crate::net::resolve::Family;
use crate::net::roots::Roots;
use crate::net::shared::{Net, Shared};
use crate::net::starttls::Protocol;
use crate::net::tls::{Before, TlsChoice, Verify, server_name};

/// The length and the code of PostgreSQL's request to go on in TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// How long the goodbye may take.
pub(super) const GOODBYE: Duration = Duration::from_millis(50);
/// How much later than ours the server's own limit ends a statement: one that it ends may look like one that came to
/// its end, as `sleep` does, and who has gone away leaves nothing running.
const LATER: Duration = Duration::from_secs(1);

/// The longest part of the query that is kept as an attribute, in bytes.
const QUERY_SHOWN: usize = 256;

/// A `sql` step, ready to be run.
#[derive(Debug)]
pub(super) struct Sql {
    pub(super) place: Where,
    pub(super) query: String,
    pub(super) rows_limit: usize,
    /// A PEM file of the authorities to trust instead of the system's.
    pub(super) ca: Option<Arc<str>>,
    /// Why the certificate need not hold; `None` if it must.
    pub(super) insecure: Option<String>,
}

/// Where the database is: parsed when the file is compiled if nothing of it is secret.
#[derive(Debug)]
pub(super) enum Where {
    /// A constant.
    Now(Box<Dsn>),
    /// A dsn with holes.
    Later(Template),
}

impl Where {
    /// What asking came to, held against the target if it named a host that may not be asked.
    fn hold(&self, mut outcome: StepOutcome) -> StepOutcome {
        if let Self::Later(template) = self {
            let names = dsn::is_named_by_capture(template);
            outcome.failure = outcome.failure.map(|failure| named::hold_if(names, template, failure));
        }
        outcome
    }
}

/// One run of the step.
pub(super) struct Conversation<'a> {
    pub(super) step: &'a Sql,
    pub(super) dsn: &'a Dsn,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) deadline: Instant,
    /// The way in.
    pub(super) entry: Phases,
    /// The query; nothing in it until the session is open.
    pub(super) query: Phases,
    pub(super) attributes: Attributes,
}

impl Action<Net> for Sql {
    fn target(&self) -> String {
        match &self.place {
            Where::Now(dsn) => format!("{}://{dsn}", dsn.system()),
            Where::Later(template) => template.to_string(),
        }
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        match &self.place {
            Where::Now(dsn) => vec![dsn.address.endpoint()],
            Where::Later(_) => Vec::new(),
        }
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(async move {
            let shared = Arc::clone(net.shared());
            self.place.hold(self.ask(&shared, net, context).await)
        })
    }
}

impl Sql {
    async fn ask(&self, shared: &Arc<Shared>, net: &mut Net, context: &StepContext<'_>) -> StepOutcome {
        let parsed;
        let dsn = match &self.place {
            Where::Now(dsn) => dsn,
            Where::Later(template) => match fill(template, context) {
                Ok(dsn) => {
                    parsed = dsn;
                    &parsed
                }
                Err(failure) => return outcome(Vec::new(), Attributes::new(), Err(failure)),
            },
        };
        if let Some(password) = dsn.password() {
            // The dsn is secret as a whole; whoever sees the password alone sees enough.
            net.hide("dsn", password);
        }
        let mut conversation = Conversation {
            step: self,
            dsn,
            shared,
            deadline: context.deadline,
            entry: Phases::start(context.began),
            query: Phases::start(context.began),
            attributes: self.facts(dsn),
        };
        let rows = within(context.deadline, conversation.rows()).await;
        let rows = rows.unwrap_or_else(|| Err(conversation.timed_out()));
        conversation.conclude(rows)
    }

    fn facts(&self, dsn: &Dsn) -> Attributes {
        let mut attributes = Attributes::new();
        attributes.set("server.address", dsn.address.host.to_string());
        attributes.set("server.port", i64::from(dsn.address.port));
        attributes.set("network.transport", "tcp");
        attributes.set("db.system.name", dsn.system());
        attributes.set("db.namespace", dsn.database.clone());
        attributes.set("db.query.text", cut(self.query.clone(), QUERY_SHOWN));
        if let Some(why) = self.insecure.as_ref().filter(|_| dsn.tls) {
            attributes.set("prober.tls.insecure", why.clone());
        }
        attributes
    }
}

fn fill(template: &Template, context: &StepContext<'_>) -> Result<Dsn, Failure> {
    let text = template.render(context.scope).map_err(|error| fault::unresolved(&error))?;
    Dsn::parse(&text).map_err(|error| fault::unusable(template, &error.to_string()))
}

fn outcome(hops: Vec<Hop>, attributes: Attributes, rows: Result<Rows, Failure>) -> StepOutcome {
    match rows {
        Ok(rows) => StepOutcome { hops, attributes, failure: None, evidence: Box::new(rows) },
        Err(failure) => StepOutcome { hops, attributes, failure: Some(failure), evidence: Box::new(Nothing) },
    }
}

impl Conversation<'_> {
    async fn rows(&mut self) -> Result<Rows, Failure> {
        let config = match &self.dsn.login {
            Login::Postgres(config) => config,
            Login::MySql(user, password) => return self.mysql_rows(user, password).await,
        };
        let stream = self.connect().await?;
        self.entry.enter(Phase::Wait);
        let opened = Session::open(stream, config, self.server_limit()).await;
        let mut session = opened.map_err(|error| self.failure(&error))?;
        self.entry.finish();
        self.query.enter(Phase::Send);
        let asked = self.asked(&mut session).await;
        // Only after a goodbye does the server not log a lost connection; its time is not the answer's.
        let until = self.deadline.min(Instant::now() + GOODBYE);
        let _said = within(until, session.close()).await;
        asked
    }

    async fn asked(&mut self, session: &mut Session) -> Result<Rows, Failure> {
        let marked = MarkPhases { session, phases: &mut self.query };
        let rows = marked.session.ask(&self.step.query, self.step.rows_limit).await;
        drop(marked);
        let rows = rows.map_err(|error| self.failure(&error));
        self.query.finish();
        rows
    }

    /// The connection, encrypted if the dsn says so.
    async fn connect(&mut self) -> Result<Box<dyn Duplex>, Failure> {
        let mut stream = dial(self.shared, &self.dsn.address, Family::Any, &mut self.entry).await?;
        if !self.dsn.tls {
            return Ok(Box::new(stream));
        }
        self.entry.enter(Phase::Tls);
        if !offers_tls(&mut stream).await.map_err(|error| fault::of_io(&error, "asking for TLS"))? {
            let message = format!("{} does not offer TLS, which the dsn requires", self.dsn);
            return Err(Failure::new(FailureClass::Tls, "tls.handshake", message));
        }
        self.encrypt(stream, Protocol::Postgres).await
    }

    /// The same connection in TLS.
    pub(super) async fn encrypt(
        &mut self,
        stream: TcpStream,
        protocol: Protocol,
    ) -> Result<Box<dyn Duplex>, Failure> {
        let roots = self.step.ca.clone().map_or(Roots::System, Roots::File);
        let verify = if self.step.insecure.is_some() { Verify::Record } else { Verify::Enforce };
        let setup = self.shared.tls(&TlsChoice { roots, verify, ..TlsChoice::default() }).await?;
        let name = server_name(&self.dsn.host)?;
        let (connected, shown) =
            setup.connect(stream, &name, Before::StartTls(protocol), &mut self.entry).await;
        if let Some(protocol) = shown.protocol.and_then(|version| version.as_str()) {
            let number = protocol.trim_start_matches("TLSv").replace('_', ".");
            self.attributes.set("tls.protocol.version", number);
        }
        Ok(Box::new(connected?))
    }

    /// After which time the server is to end a statement by itself.
    pub(super) fn server_limit(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()) + LATER
    }

    pub(super) fn timed_out(&self) -> Failure {
        let phases = if self.query.current().is_some() { &self.query } else { &self.entry };
        let failure = fault::timed_out(phases, self.deadline);
        let message = format!("{}: {}", self.dsn, failure.message);
        Failure::new(failure.class, failure.error_type, message)
    }

    fn failure(&self, session: &SessionError) -> Failure {
        let dsn = self.dsn;
        if session.too_much {
            let message = format!("{dsn}: the answer is longer than the limit of 4 MiB");
            return Failure::new(FailureClass::Protocol, "sql.too_large", message);
        }
        if let Some(refusal) = session.error.as_db_error() {
            let code = refusal.code().code();
            let message = format!("{dsn}: {} (SQLSTATE {code})", refusal.message());
            return Failure::new(FailureClass::Protocol, format!("sql.{}", word(code)), message);
        }
        match session.error.source() {
            Some(source) => match source.downcast_ref::<io::Error>() {
                Some(error) if is_broken(error) => fault::of_io(error, &format!("talking to {dsn}")),
                Some(error) => no_postgres(dsn, &error.to_string()),
                None if source.to_string() == "password missing" => {
                    fault::config(format!("{dsn} asks for a password and the dsn has none"))
                }
                None => no_postgres(dsn, &source.to_string()),
            },
            None if session.error.is_closed() => {
                let message = format!("{dsn} closed the connection");
                Failure::new(FailureClass::Connect, "connect.reset", message)
            }
            None => no_postgres(dsn, &session.error.to_string()),
        }
    }

    fn conclude(mut self, rows: Result<Rows, Failure>) -> StepOutcome {
        if let Some(peer) = self.entry.peer {
            self.attributes.set("network.peer.address", ip_text(peer.ip()));
        }
        if let Ok(rows) = &rows {
            let count = i64::try_from(rows.cells.len()).unwrap_or(i64::MAX);
            self.attributes.set("db.response.returned_rows", count);
        }
        let code = rows.as_ref().err().and_then(|failure| failure.error_type.strip_prefix("sql."));
        let status = code.map(str::to_owned);
        if let Some(code) = &status {
            self.attributes.set("db.response.status_code", code.clone());
        }
        let mut entry = self.entry.into_hop(format!("sign in to {}", self.dsn));
        // The request to go on in TLS and the handshake are one phase.
        entry.phases.dedup_by(|later, earlier| {
            let same = later.phase == earlier.phase;
            if same {
                earlier.duration += later.duration;
            }
            same
        });
        let mut query = self.query.into_hop(format!("query {}", self.dsn));
        let mut hops = Vec::with_capacity(2);
        if query.phases.is_empty() {
            entry.status = status.map(Text::from);
            hops.push(entry);
        } else {
            (query.reused, query.peer, query.status) = (true, entry.peer, status.map(Text::from));
            hops.extend([entry, query]);
        }
        outcome(hops, self.attributes, rows)
    }
}

/// Turns a session's moments into phases when the question ends, however it ends.
struct MarkPhases<'a> {
    session: &'a mut Session,
    phases: &'a mut Phases,
}

impl Drop for MarkPhases<'_> {
    fn drop(&mut self) {
        let (sent, answered) = self.session.moments();
        if let Some(sent) = sent {
            self.phases.enter_at(Phase::Wait, sent);
        }
        if let Some(answered) = answered {
            self.phases.enter_at(Phase::Receive, answered);
        }
    }
}

/// Asks the server to go on in TLS.
async fn offers_tls(stream: &mut TcpStream) -> io::Result<bool> {
    stream.write_all(&SSL_REQUEST).await?;
    Ok(stream.read_u8().await? == b'S')
}

fn no_postgres(dsn: &Dsn, why: &str) -> Failure {
    let message = format!("{dsn} does not speak PostgreSQL's protocol as expected: {why}");
    Failure::new(FailureClass::Protocol, "sql.protocol", message)
}

/// Whether the connection broke; any other error is the codec's, about what came in.
fn is_broken(error: &io::Error) -> bool {
    error.raw_os_error().is_some() || error.kind() == io::ErrorKind::UnexpectedEof
}

/// A SQLSTATE as it may stand in an error type; a server may send anything.
pub(super) fn word(code: &str) -> &str {
    if code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) { code } else { "unknown" }
}
