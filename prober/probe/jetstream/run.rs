//! The action of a `jetstream` step.

use std::borrow::Cow;
use std::sync::Arc;

use model::address_text::ip_text;
use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass};
use model::probe::BoxFuture;
use model::step::{Hop, Phase};
use scenario::kind::{Action, Endpoint, Evidence, Nothing, StepContext, StepOutcome};
use scenario::template::{Scope, Template};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

use super::session::{Credentials, Info, RECEIVED_MAX, Session, is_stream, is_subject};
use super::state::State;
use crate::http::facts::TlsFacts;
use crate::net::address::HostPort;
use crate::net::dial::dial;
use crate::net::fault::{self, unusable, within};
use crate::net::lines::{Leftover, Lines};
use crate::net::phases::Phases;
use crate::net::reach::{self, Reach};
use crate::net::resolve::Family;
use crate::net::shared::{Net, Shared};
use crate::net::tls::{Before, TlsChoice, server_name};

/// A `jetstream` step, ready to be run.
#[derive(Debug)]
pub(super) struct JetStream {
    pub(super) reach: Reach,
    pub(super) stream: Template,
    /// Whose last message is looked at; the stream's if `None`.
    pub(super) subject: Option<Template>,
    pub(super) domain: Option<String>,
    pub(super) sign_in: SignIn,
    /// `None` without TLS.
    pub(super) tls: Option<TlsChoice>,
}

/// Who signs in.
#[derive(Debug)]
pub(super) enum SignIn {
    /// Nobody in particular.
    Nobody,
    /// Whoever has the token.
    Token(Template),
    /// A user, with a password.
    User(Template, Template),
}

impl SignIn {
    /// What is said of it in this run; secrets are hidden in all that people see.
    fn credentials(&self, net: &mut Net, scope: &Scope<'_>) -> Result<Credentials, Failure> {
        let fill = |template: &Template| {
            template.render(scope).map(Cow::into_owned).map_err(|error| fault::unresolved(&error))
        };
        Ok(Credentials(match self {
            Self::Nobody => Vec::new(),
            Self::Token(token) => {
                let token = fill(token)?;
                net.hide("token", &token);
                vec![("auth_token", token)]
            }
            Self::User(user, password) => {
                let password = fill(password)?;
                net.hide("password", &password);
                vec![("user", fill(user)?), ("pass", password)]
            }
        }))
    }
}

/// What is asked in this run.
struct Asked {
    address: HostPort,
    stream: String,
    subject: Option<String>,
    credentials: Credentials,
    /// The run's own name.
    id: String,
}

/// One run of the step.
struct Questions<'a> {
    step: &'a JetStream,
    hops: Vec<Hop>,
    phases: Phases,
    attributes: Attributes,
    label: String,
}

impl Action<Net> for JetStream {
    fn target(&self) -> String {
        format!("{} at {}", self.stream, self.reach)
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.reach.endpoints()
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(async move { self.reach.hold_outcome(self.look(net, context).await) })
    }
}

impl JetStream {
    async fn look(&self, net: &mut Net, context: &StepContext<'_>) -> StepOutcome {
        let asked = match self.asked(net, context.scope) {
            Ok(asked) => asked,
            Err(failure) => return StepOutcome::failed(failure),
        };
        let mut attributes = reach::facts(&asked.address, "tcp");
        attributes.set("messaging.system", "nats");
        attributes.set("messaging.destination.name", asked.stream.clone());
        let label = format!("sign in to {}", asked.address);
        let mut questions = Questions {
            step: self,
            hops: Vec::with_capacity(3),
            phases: Phases::start(context.began),
            attributes,
            label,
        };
        // Boxed: the connection is there in the clear and in TLS.
        let asking = Box::pin(questions.connect(net.shared(), asked));
        let done = within(context.deadline, asking).await;
        let done = done.unwrap_or_else(|| Err(fault::timed_out(&questions.phases, context.deadline)));
        questions.conclude(done.map_err(|failure| self.in_domain(failure)))
    }

    /// A domain that nobody knows is as silent as a server without JetStream.
    fn in_domain(&self, mut failure: Failure) -> Failure {
        if let Some(domain) = self.domain.as_ref().filter(|_| failure.error_type == "jetstream.503") {
            failure.message = format!("{}, or no domain `{domain}` is known here", failure.message);
        }
        failure
    }

    fn asked(&self, net: &mut Net, scope: &Scope<'_>) -> Result<Asked, Failure> {
        let fill = |template: &Template, fits: fn(&str) -> bool, what: &str| {
            let text = template.render(scope).map_err(|error| fault::unresolved(&error))?;
            if fits(&text) { Ok(text.into_owned()) } else { Err(unusable(template, what)) }
        };
        let stream = fill(&self.stream, is_stream, "this is not the name of a stream")?;
        let subject = self.subject.as_ref().map(|subject| fill(subject, is_subject, "this is not a subject"));
        Ok(Asked {
            address: self.reach.resolve(scope, Family::Any)?.into_owned(),
            stream,
            subject: subject.transpose()?,
            credentials: self.sign_in.credentials(net, scope)?,
            id: scope.run.id.to_string(),
        })
    }

    /// The subject of a question to the API.
    fn api(&self, question: &str, stream: &str) -> String {
        match &self.domain {
            Some(domain) => format!("$JS.{domain}.API.{question}.{stream}"),
            None => format!("$JS.API.{question}.{stream}"),
        }
    }
}

impl Questions<'_> {
    async fn connect(&mut self, shared: &Arc<Shared>, asked: Asked) -> Result<State, Failure> {
        // Files are read before anything is measured.
        let setup = match &self.step.tls {
            Some(choice) => Some((shared.tls(choice).await?, server_name(&asked.address.host)?)),
            None => None,
        };
        let tcp = dial(shared, &asked.address, Family::Any, &mut self.phases).await?;
        self.phases.enter(Phase::Wait);
        let mut lines = Lines::new(tcp, RECEIVED_MAX);
        let info = Info::read(&mut lines, &mut self.phases).await?;
        self.attributes.set("prober.nats.version", info.version.clone());
        let Some((setup, name)) = setup else {
            if info.wants_tls {
                return Err(tls("the server wants TLS, and the step does not: write tls: true"));
            }
            return self.ask(lines, asked).await;
        };
        if !info.has_tls {
            return Err(tls("the server does not offer TLS"));
        }
        let tcp = lines.into_inner().await.map_err(|left| match left {
            Leftover::Said(_) => tls("the server said more before TLS began"),
            Leftover::Broken(failure) => failure,
        })?;
        let (stream, shown) = setup.connect(tcp, &name, Before::Line, &mut self.phases).await;
        TlsFacts::new(&shown, shared).note(&mut self.attributes);
        self.ask(Lines::new(stream?, RECEIVED_MAX), asked).await
    }

    async fn ask<S>(&mut self, lines: Lines<S>, asked: Asked) -> Result<State, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let secure = self.step.tls.is_some();
        let who = (asked.credentials, secure, asked.id.as_str());
        let mut session = Session::open(lines, who, &mut self.phases).await?;
        let stream = asked.stream.as_str();
        let mut state = State::default();
        let mut filter = json!({});
        if let Some(subject) = &asked.subject {
            self.next_hop(format!("last message of {subject} in {stream}"));
            let question = json!({ "last_by_subj": subject });
            let api = self.step.api("STREAM.MSG.GET", stream);
            state.note_message(&session.ask(&api, &question, &mut self.phases).await?)?;
            filter = json!({ "subjects_filter": subject });
        }
        self.next_hop(format!("state of {stream}"));
        let api = self.step.api("STREAM.INFO", stream);
        let answer = session.ask(&api, &filter, &mut self.phases).await?;
        state.note_info(&answer, asked.subject.is_some())?;
        Ok(state)
    }

    /// Ends the hop in progress; the one that `label` names is on the same connection.
    fn next_hop(&mut self, label: String) {
        let next = Phases::start(self.phases.origin());
        let phases = std::mem::replace(&mut self.phases, next);
        if let Some(peer) = phases.peer {
            self.phases.connected(peer);
        }
        let mut hop = phases.into_hop(std::mem::replace(&mut self.label, label));
        hop.reused = !self.hops.is_empty();
        self.hops.push(hop);
    }

    fn conclude(mut self, done: Result<State, Failure>) -> StepOutcome {
        if let Some(peer) = self.phases.peer {
            self.attributes.set("network.peer.address", ip_text(peer.ip()));
        }
        self.next_hop(String::new());
        let (failure, evidence): (_, Box<dyn Evidence>) = match done {
            Ok(state) => {
                state.describe(&mut self.attributes);
                (None, Box::new(state))
            }
            Err(failure) => {
                if let (Some(hop), Some(code)) =
                    (self.hops.last_mut(), failure.error_type.strip_prefix("jetstream."))
                {
                    hop.status = Some(code.to_owned().into());
                }
                (Some(failure), Box::new(Nothing))
            }
        };
        StepOutcome { hops: self.hops, attributes: self.attributes, failure, evidence }
    }
}

fn tls(why: &str) -> Failure {
    Failure::new(FailureClass::Tls, "tls.handshake", why)
}
