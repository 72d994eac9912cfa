//! The action of an `smtp` step and its evidence.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::address_text::ip_text;
use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass, cut};
use model::probe::{BoxFuture, Detail};
use model::step::{Hop, SHOWN_MAX};
use rustls_pki_types::ServerName;
use scenario::form::{Extent, Form};
use scenario::kind::{Action, Endpoint, Evidence, Nothing, StepContext, StepOutcome};
use scenario::value::{Reading, Selector, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::file;
use crate::http::facts::TlsFacts;
use crate::net::address::{Host, HostPort};
use crate::net::dial::dial;
use crate::net::fault::{self, within};
use crate::net::lines::Lines;
use crate::net::mail::{self, MailError, Reply, SAID_MAX};
use crate::net::phases::Phases;
use crate::net::reach::{self, Reach};
use crate::net::resolve::Family;
use crate::net::shared::{Net, Shared};
use crate::net::starttls::Protocol;
use crate::net::tls::{Before, Overheard, TlsChoice, TlsSetup, server_name};
use crate::octets::{self, Encoding};

/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_millis(50);

/// An `smtp` step, ready to be run.
#[derive(Debug)]
pub(super) struct Smtp {
    pub(super) reach: Reach,
    /// What the prober calls itself.
    pub(super) hello: String,
    pub(super) secure: Secure,
    /// The name that the certificate must be for, if it is not the address's host.
    pub(super) name: Option<Host>,
    pub(super) tls: TlsChoice,
}

/// Whether the connection is encrypted.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Secure {
    /// Not at all.
    No,
    /// After STARTTLS.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// One run of the step.
struct Dialogue<'a> {
    step: &'a Smtp,
    shared: &'a Arc<Shared>,
    address: &'a HostPort,
    deadline: Instant,
    hops: Vec<Hop>,
    phases: Phases,
    /// What the hop in progress is called.
    label: String,
    /// The code of an answer that refused.
    refused: Option<u16>,
    detail: Detail,
    attributes: Attributes,
}

/// What a mail server said of itself.
struct Greeted {
    greeting: Reply,
    /// `None` if the greeting was none.
    capabilities: Option<Vec<String>>,
}

impl Action<Net> for Smtp {
    fn target(&self) -> String {
        self.reach.to_string()
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.reach.endpoints()
    }

    fn form(&self, subject: &str, value: &str, extent: Extent) -> Form {
        file::form(subject, value, extent)
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(async move { self.reach.hold_outcome(self.look(net.shared(), net.detail(), context).await) })
    }
}

impl Smtp {
    async fn look(&self, shared: &Arc<Shared>, detail: Detail, context: &StepContext<'_>) -> StepOutcome {
        let address = match self.reach.resolve(context.scope, Family::Any) {
            Ok(address) => address,
            Err(failure) => return StepOutcome::failed(failure),
        };
        let mut attributes = reach::facts(&address, "tcp");
        attributes.set("network.protocol.name", "smtp");
        let mut dialogue = Dialogue {
            step: self,
            shared,
            address: &address,
            deadline: context.deadline,
            hops: Vec::with_capacity(4),
            phases: Phases::start(context.began),
            label: address.to_string(),
            refused: None,
            detail,
            attributes,
        };
        let done = within(context.deadline, dialogue.hold()).await;
        let done = done.unwrap_or_else(|| Err(fault::timed_out(&dialogue.phases, context.deadline)));
        dialogue.conclude(done)
    }
}

impl Dialogue<'_> {
    async fn hold(&mut self) -> Result<Greeted, Failure> {
        // Files are read before anything is measured.
        let setup = if self.step.secure == Secure::No {
            None
        } else {
            let name = server_name(self.step.name.as_ref().unwrap_or(&self.address.host))?;
            Some((self.shared.tls(&self.step.tls).await?, name))
        };
        let tcp = dial(self.shared, self.address, Family::Any, &mut self.phases).await?;
        match (setup, self.step.secure) {
            (Some(setup), Secure::Implicit) => {
                let tls = self.encrypt(tcp, &setup).await?;
                let mut lines = Lines::new(tls, SAID_MAX);
                let greeted = self.greet(&mut lines).await?;
                self.quit(&mut lines).await;
                Ok(greeted)
            }
            (Some(setup), _) => self.start_tls(tcp, &setup).await,
            (None, _) => {
                let mut lines = Lines::new(tcp, SAID_MAX);
                let greeted = self.greet(&mut lines).await?;
                self.quit(&mut lines).await;
                Ok(greeted)
            }
        }
    }

    async fn start_tls(
        &mut self,
        tcp: TcpStream,
        setup: &(Arc<TlsSetup>, ServerName<'static>),
    ) -> Result<Greeted, Failure> {
        let mut lines = Lines::new(tcp, SAID_MAX);
        let mut greeted = self.greet(&mut lines).await?;
        let Some(capabilities) = &greeted.capabilities else { return Ok(greeted) };
        if !mail::offers_tls(capabilities) {
            return Err(self.failure(MailError::NotOffered));
        }
        "STARTTLS".clone_into(&mut self.label);
        let agreed = mail::start_tls(lines, &mut self.phases).await;
        let (tcp, reply) = agreed.map_err(|error| self.failure(error))?;
        let tls = self.encrypt(tcp, setup).await?;
        self.end_hop(b"STARTTLS\r\n", &reply);
        let mut lines = Lines::new(tls, SAID_MAX);
        greeted.capabilities = Some(self.hello(&mut lines).await?);
        self.quit(&mut lines).await;
        Ok(greeted)
    }

    async fn encrypt(
        &mut self,
        tcp: TcpStream,
        (setup, name): &(Arc<TlsSetup>, ServerName<'static>),
    ) -> Result<TlsStream<Overheard<TcpStream>>, Failure> {
        let before = match self.step.secure {
            Secure::StartTls => Before::StartTls(Protocol::Smtp),
            Secure::No | Secure::Implicit => Before::Nothing,
        };
        let (stream, shown) = setup.connect(tcp, name, before, &mut self.phases).await;
        TlsFacts::new(&shown, self.shared).note(&mut self.attributes);
        stream
    }

    /// Reads the greeting, and says EHLO if it is one.
    async fn greet<S>(&mut self, lines: &mut Lines<S>) -> Result<Greeted, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.phases.enter(model::step::Phase::Wait);
        let greeting = Reply::read(lines, &mut self.phases).await.map_err(|error| self.failure(error))?;
        self.end_hop(b"", &greeting);
        let capabilities = match greeting.code {
            220 => Some(self.hello(lines).await?),
            _ => None,
        };
        Ok(Greeted { greeting, capabilities })
    }

    /// Says EHLO; what the server can do.
    async fn hello<S>(&mut self, lines: &mut Lines<S>) -> Result<Vec<String>, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        "EHLO".clone_into(&mut self.label);
        let said = mail::hello(lines, &self.step.hello, &mut self.phases).await;
        let reply = said.map_err(|error| self.failure(error))?;
        self.end_hop(format!("EHLO {}\r\n", self.step.hello).as_bytes(), &reply);
        // The first line is the server's name.
        Ok(reply.lines.into_iter().skip(1).collect())
    }

    /// The failure of a conversation that went wrong; a code is shown with the command that it answers.
    fn failure(&mut self, error: MailError) -> Failure {
        let told = error.told();
        let protocol =
            |error_type: &'static str, message| Failure::new(FailureClass::Protocol, error_type, message);
        match error {
            MailError::Broken(failure) => failure,
            MailError::TooLong | MailError::TooMany => {
                protocol("smtp.too_long", format!("{}: {told}", self.address))
            }
            MailError::NoReply(_) => {
                protocol("smtp.protocol", format!("what answers is no mail server: {told}"))
            }
            MailError::Refused(_, reply) => {
                self.refused = Some(reply.code);
                let error_type = format!("smtp.{}", reply.code);
                Failure::new(FailureClass::Protocol, error_type, format!("{}: {told}", self.address))
            }
            MailError::NotOffered | MailError::Forged(_) => {
                let message = format!("{} does not come to TLS: {told}", self.address);
                Failure::new(FailureClass::Tls, "tls.starttls", message)
            }
        }
    }

    /// Says goodbye, so that the server does not log a lost connection; its time is not the answer's.
    async fn quit<S>(&self, lines: &mut Lines<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut aside = Phases::start(self.phases.origin());
        let until = self.deadline.min(Instant::now() + GOODBYE);
        let _said = within(until, mail::ask(lines, "QUIT", &mut aside)).await;
    }

    /// Ends a hop whose answer has come; the next one is on the same connection.
    fn end_hop(&mut self, said: &[u8], reply: &Reply) {
        let next = Phases::start(self.phases.origin());
        let phases = std::mem::replace(&mut self.phases, next);
        if let Some(peer) = phases.peer {
            self.phases.connected(peer);
        }
        let mut hop = phases.into_hop(self.label.clone());
        hop.reused = !self.hops.is_empty();
        hop.status = Some(reply.code.to_string().into());
        let heard = format!("{} {}", reply.code, reply.lines.join("\n"));
        hop.exchange = octets::kept(self.detail, Encoding::Text, said, heard.as_bytes());
        self.hops.push(hop);
    }

    fn conclude(mut self, done: Result<Greeted, Failure>) -> StepOutcome {
        if let Some(peer) = self.phases.peer {
            self.attributes.set("network.peer.address", ip_text(peer.ip()));
        }
        // What fails between two commands, such as a wish that the server does not have, is in no hop of its own.
        if done.is_err() && (self.phases.has_begun() || self.hops.is_empty()) {
            let mut hop = self.phases.into_hop(self.label);
            hop.reused = !self.hops.is_empty();
            hop.status = self.refused.map(|code| code.to_string().into());
            self.hops.push(hop);
        }
        match done {
            Ok(greeted) => {
                let banner = cut(greeted.greeting.lines.join(" "), SHOWN_MAX);
                self.attributes.set("prober.smtp.banner", banner);
                self.attributes.set("prober.smtp.code", i64::from(greeted.greeting.code));
                let (hops, attributes) = (self.hops, self.attributes);
                StepOutcome { hops, attributes, failure: None, evidence: Box::new(greeted) }
            }
            Err(failure) => StepOutcome {
                hops: self.hops,
                attributes: self.attributes,
                failure: Some(failure),
                evidence: Box::new(Nothing),
            },
        }
    }
}

impl Evidence for Greeted {
    fn read<'a>(&'a self, subject: &str, _: &Selector) -> Reading<'a> {
        match subject {
            "code" => Reading::One(Value::Int(self.greeting.code.into())),
            "banner" => Reading::One(Value::Text(self.greeting.lines.join("\n").into())),
            "capabilities" => match &self.capabilities {
                Some(lines) => {
                    Reading::One(Value::List(lines.iter().map(|line| Value::Text(line.into())).collect()))
                }
                None => Reading::Unreadable("EHLO is said after a greeting of 220 only".to_owned()),
            },
            _ => Reading::Absent,
        }
    }

    /// What the server says beside its code.
    fn explain(&self, subject: &str) -> Option<String> {
        (subject == "code").then(|| cut(self.greeting.lines.join(" "), 120))
    }
}
