//! The action of a `dns` step.

use std::sync::Arc;

use hickory_proto::rr::RecordType;
use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass};
use model::probe::BoxFuture;
use model::step::{Hop, Phase};
use scenario::form::{Extent, Form};
use scenario::kind::{Action, Endpoint, Evidence, Nothing, StepContext, StepOutcome};
use scenario::showing::Shows;
use scenario::template::Template;

use super::answer::Answers;
use super::ask::{Asked, Beside, ask_all};
use super::authority::{self, Authority, Reach};
use super::dnssec::anchor::AnchorSource;
use super::facts;
use super::question::{Manner, Question};
use super::server::{Asking, Server};
use super::types;
use crate::net::fault;
use crate::net::phases::{Phases, note_timeout};
use crate::net::shared::{Net, Shared};

/// What is expected of a zone's own servers: that they know the zone, and the same of it.
const IN_STEP: [(&str, &str); 2] = [("authoritative", "true"), ("agree", "[soa.serial]")];

/// What is expected of an answer that is validated.
const PROVED: (&str, &str) = ("dnssec", "secure");

/// A `dns` step, ready to be run.
#[derive(Debug)]
pub(super) struct Dns {
    pub(super) words: Words,
    pub(super) kind: RecordType,
    pub(super) manner: Manner,
    /// Who is asked, or who knows the zone's servers; empty for the system's name servers.
    pub(super) servers: Vec<Server>,
    /// Whether the system's name servers are asked over TCP alone.
    pub(super) over_tcp: bool,
    /// How the zone's own name servers are reached, if they are to be asked.
    pub(super) authority: Option<Reach>,
    /// Which keys are trusted, if answers are validated.
    pub(super) validate: Option<AnchorSource>,
}

/// The question: encoded when the file is compiled if the name is known by then.
#[derive(Debug)]
pub(super) enum Words {
    /// The name and its question.
    Now(Box<str>, Question),
    /// A name with holes.
    Later(Template),
}

impl Action<Net> for Dns {
    fn target(&self) -> String {
        let kind = types::type_name(self.kind);
        let mut text = match &self.words {
            Words::Now(name, _) => format!("{kind} {name}"),
            Words::Later(template) => format!("{kind} {template}"),
        };
        if self.authority.is_some() {
            text.push_str(" at the zone's name servers");
        }
        for (index, server) in self.servers.iter().enumerate() {
            text.push_str(match (index, self.authority) {
                (0, None) => " at ",
                (0, Some(_)) => ", found through ",
                _ => ", ",
            });
            text.push_str(&server.to_string());
        }
        text
    }

    fn shows(&self, subject: &str) -> Shows {
        let (is_shown, help) = match subject {
            "dnssec" | "dnssec.reason" | "validation_time" => {
                (self.validate.is_some(), "add validate: true under `dns`")
            }
            "name_servers" => (self.authority.is_some(), "add at: authoritative under `dns`"),
            "nsid" => (self.manner.nsid, "add nsid: true under `dns`"),
            "client_subnet" => {
                (self.manner.subnet.is_some(), "add client_subnet: 203.0.113.0/24 under `dns`")
            }
            "agree" | "rcode" | "answers" | "answer_count" | "query_time" => (true, ""),
            // Of the system's resolver, applications see addresses and nothing else.
            _ => {
                let plain = |server: &Server| matches!(server, Server::System);
                let all_plain = !self.servers.is_empty() && self.servers.iter().all(plain);
                (!all_plain, "name a server in place of `system`: resolvers: 192.0.2.53")
            }
        };
        if is_shown { Shows::Anything } else { Shows::Nothing(help) }
    }

    fn implies(&self) -> &'static [(&'static str, &'static str)] {
        match (self.authority.is_some(), self.validate.is_some()) {
            (false, false) => &[],
            (false, true) => &[PROVED],
            (true, false) => &IN_STEP,
            (true, true) => &[IN_STEP[0], IN_STEP[1], PROVED],
        }
    }

    fn form(&self, subject: &str, value: &str, extent: Extent) -> Form {
        match (subject, extent) {
            ("answers", Extent::Whole) => types::form(self.kind, value),
            _ => Form::Fits,
        }
    }

    fn sources(&self) -> Option<usize> {
        // A zone has at least two name servers (RFC 1034, section 4.1); which, only the run shows. How many
        // name servers the system has is not in the file either.
        if self.authority.is_some() {
            Some(2)
        } else {
            (!self.servers.is_empty()).then_some(self.servers.len())
        }
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.servers.iter().filter_map(Server::endpoint).collect()
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(self.ask(net.shared(), context))
    }
}

impl Dns {
    async fn ask(&self, shared: &Arc<Shared>, context: &StepContext<'_>) -> StepOutcome {
        let asking = Asking { shared, step: context };
        let rendered;
        let (name, question) = match &self.words {
            Words::Now(name, question) => (&**name, question),
            Words::Later(template) => match self.question(template, context) {
                Ok(made) => {
                    rendered = made;
                    (&*rendered.0, &rendered.1)
                }
                Err(failure) => return failed(Attributes::new(), Vec::new(), failure),
            },
        };
        let system;
        let servers = if self.servers.is_empty() {
            system = self.system(shared);
            &system[..]
        } else {
            &self.servers
        };
        if servers.is_empty() {
            let failure = fault::config("this machine has no resolver to ask; name one in `resolvers`");
            return failed(Attributes::new(), Vec::new(), failure);
        }
        if self.authority.is_none() && self.validate.is_none() {
            let beside = Beside { soa: None, validate: None };
            let asked = ask_all(servers, question, asking, beside).await;
            return self.conclude(name, asked, None);
        }
        // Boxed: it is larger, and the plain question should not carry it.
        Box::pin(self.ask_thoroughly(name, question, servers, asking)).await
    }

    /// The system's name servers, as the moment has them.
    fn system(&self, shared: &Shared) -> Vec<Server> {
        let each = shared.resolver();
        let server = |address: &_| if self.over_tcp { Server::Tcp(*address) } else { Server::Udp(*address) };
        each.servers.iter().map(server).collect()
    }

    fn question(&self, name: &Template, context: &StepContext<'_>) -> Result<(String, Question), Failure> {
        let name = name.render(context.scope).map_err(|error| fault::unresolved(&error))?;
        let question = Question::new(&name, self.kind, &self.manner)
            .map_err(|error| Failure::new(FailureClass::Incorrect, "dns.name", error.to_string()))?;
        Ok((name.into_owned(), question))
    }

    /// Asks the zone's own servers, validates, or both.
    async fn ask_thoroughly(
        &self,
        name: &str,
        question: &Question,
        servers: &[Server],
        asking: Asking<'_>,
    ) -> StepOutcome {
        let anchors = match &self.validate {
            Some(source) => match source.read().await {
                Ok(anchors) => Some(anchors),
                Err(failure) => return failed(Attributes::new(), Vec::new(), failure),
            },
            None => None,
        };
        let Some(reach) = self.authority else {
            let beside = Beside { soa: None, validate: anchors.as_ref().map(|anchors| (anchors, None)) };
            let asked = ask_all(servers, question, asking, beside).await;
            return self.conclude(name, asked, None);
        };
        let mut phases = Phases::start(asking.step.began);
        phases.enter(Phase::Dns);
        let found = authority::find(question.name(), servers, reach, asking).await;
        let hop = phases.into_hop(format!("name servers for {name}"));
        let mut found = match found {
            Ok(found) => found,
            Err(failure) => return failed(Attributes::new(), vec![hop], failure),
        };
        let soa = Question::of(found.zone.clone(), RecordType::SOA, &self.manner).ok();
        let beside = Beside {
            soa: soa.as_ref().filter(|_| self.kind != RecordType::SOA),
            validate: anchors.as_ref().map(|anchors| (anchors, servers.first())),
        };
        let mut asked = ask_all(&found.servers, question, asking, beside).await;
        let nowhere = std::mem::take(&mut found.nowhere).into_iter().map(Asked::of_nobody);
        asked.extend(nowhere);
        let mut outcome = self.conclude(name, asked, Some(found));
        outcome.hops.insert(0, hop);
        outcome
    }

    fn conclude(&self, name: &str, asked: Vec<Asked>, authority: Option<Authority>) -> StepOutcome {
        let mut attributes = facts::of_question(name, self.kind, &asked);
        if authority.is_none() && self.servers.iter().all(|server| matches!(server, Server::System)) {
            // Whether its answer can be believed is a question about this machine.
            attributes.set("prober.dns.system_resolver", true);
        }
        let (mut hops, mut failures) = (Vec::new(), Vec::new());
        let mut answers = Vec::with_capacity(asked.len());
        for one in asked {
            if let (Err(first), true) = (&one.outcome, failures.is_empty()) {
                note_timeout(&mut attributes, first, &one.hops);
            }
            if hops.is_empty() {
                hops = one.hops;
            } else {
                hops.extend(one.hops);
            }
            match one.outcome {
                Ok(answer) => answers.push(answer),
                Err(why) => failures.push(why),
            }
        }
        facts::of_peer(&mut attributes, &hops);
        facts::of_answers(&mut attributes, &answers);
        let name_servers = authority.map(|authority| {
            attributes.set("prober.dns.zone", authority.zone.to_ascii());
            attributes.set("prober.dns.name_servers", authority.names.clone());
            authority.names
        });
        if let Some(failure) = together(failures) {
            return failed(attributes, hops, failure);
        }
        let evidence = Box::new(Answers { each: answers, name_servers });
        StepOutcome { hops, attributes, failure: None, evidence }
    }
}

/// One failure that says all: the first, and in its message the others'.
fn together(failures: Vec<Failure>) -> Option<Failure> {
    let mut failures = failures.into_iter();
    let first = failures.next()?;
    let mut message = first.message.clone();
    for other in failures {
        message.push_str("; ");
        message.push_str(&other.message);
    }
    Some(Failure::new(first.class, first.error_type, message))
}

fn failed(attributes: Attributes, hops: Vec<Hop>, failure: Failure) -> StepOutcome {
    let evidence: Box<dyn Evidence> = Box::new(Nothing);
    StepOutcome { hops, attributes, failure: Some(failure), evidence }
}
