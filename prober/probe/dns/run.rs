//! The action of a `dns` step.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;

use hickory_proto::rr::RecordType;
use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass};
use model::probe::BoxFuture;
use model::step::Hop;
use scenario::kind::{Action, Evidence, Nothing, StepContext, StepOutcome};
use scenario::template::Template;

use super::answer::{Answer, Answers};
use super::exchange::{self, Reply};
use super::question::Question;
use crate::net::fault;
use crate::net::phases::Phases;
use crate::net::shared::{Net, Shared};

/// The most answers that are kept as an attribute.
const ANSWERS_SHOWN: usize = 32;

/// A `dns` step, ready to be run.
#[derive(Debug)]
pub(super) struct Dns {
    pub(super) asking: Asking,
    pub(super) kind: RecordType,
    pub(super) recursion: bool,
    pub(super) over_tcp: bool,
    /// Empty for the system's.
    pub(super) resolvers: Vec<SocketAddr>,
}

/// The question: encoded when the file is compiled if the name is known by then.
#[derive(Debug)]
pub(super) enum Asking {
    /// The name and its question.
    Now(Box<str>, Question),
    /// A name with holes.
    Later(Template),
}

/// What asking one resolver gave.
struct Asked {
    hops: Vec<Hop>,
    bytes: usize,
    ignored: u32,
    outcome: Result<Answer, Failure>,
}

impl Action<Net> for Dns {
    fn target(&self) -> String {
        let kind = self.kind;
        let mut text = match &self.asking {
            Asking::Now(name, _) => format!("{kind} {name}"),
            Asking::Later(template) => format!("{kind} {template}"),
        };
        for (index, resolver) in self.resolvers.iter().enumerate() {
            text.push_str(if index == 0 { " at " } else { ", " });
            text.push_str(&resolver.to_string());
        }
        text
    }

    fn sources(&self) -> Option<usize> {
        // How many the system has is not in the file.
        (!self.resolvers.is_empty()).then_some(self.resolvers.len())
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(self.ask(net.shared(), context))
    }
}

impl Dns {
    async fn ask(&self, shared: &Shared, context: &StepContext<'_>) -> StepOutcome {
        let rendered;
        let (name, question) = match &self.asking {
            Asking::Now(name, question) => (&**name, question),
            Asking::Later(template) => match self.question(template, context) {
                Ok(made) => {
                    rendered = made;
                    (&*rendered.0, &rendered.1)
                }
                Err(failure) => return failed(Attributes::new(), Vec::new(), failure),
            },
        };
        let system;
        let resolvers = if self.resolvers.is_empty() {
            system = shared.resolver();
            &system.servers[..]
        } else {
            &self.resolvers
        };
        let asked = match resolvers {
            [] => {
                let failure = fault::config("this machine has no resolver to ask; name one in `resolvers`");
                return failed(Attributes::new(), Vec::new(), failure);
            }
            [one] => vec![self.ask_one(*one, question, context).await],
            several => {
                all(several.iter().map(|server| self.ask_one(*server, question, context)).collect()).await
            }
        };
        self.conclude(name, asked)
    }

    fn question(&self, name: &Template, context: &StepContext<'_>) -> Result<(String, Question), Failure> {
        let name = name.render(context.scope).map_err(|error| fault::unresolved(&error))?;
        let question = Question::new(&name, self.kind, self.recursion)
            .map_err(|error| Failure::new(FailureClass::Incorrect, "dns.name", error.to_string()))?;
        Ok((name.into_owned(), question))
    }

    /// Asks one resolver, over TCP again if its reply over UDP is cut off.
    async fn ask_one(&self, server: SocketAddr, question: &Question, context: &StepContext<'_>) -> Asked {
        let asked = question.ask();
        let mut hops = Vec::with_capacity(1);
        if !self.over_tcp {
            let mut phases = Phases::start(context.began);
            let reply = exchange::over_udp(server, &asked, context.deadline, &mut phases).await;
            let cut_off = reply.as_ref().is_ok_and(|reply| reply.message.metadata.truncation);
            let (hop, done) = Asked::of(server, "", phases, reply, (asked.kind(), cut_off));
            hops.push(hop);
            if !cut_off {
                return Asked { hops, ..done };
            }
        }
        let mut phases = Phases::start(context.began);
        let reply = exchange::over_tcp(server, &asked, context.deadline, &mut phases).await;
        let (hop, done) = Asked::of(server, " over TCP", phases, reply, (asked.kind(), !self.over_tcp));
        hops.push(hop);
        Asked { hops, ..done }
    }

    fn conclude(&self, name: &str, asked: Vec<Asked>) -> StepOutcome {
        let mut attributes = Attributes::new();
        attributes.set("dns.question.name", name);
        attributes.set("dns.question.type", type_name(self.kind));
        let tcp = asked.iter().any(|one| one.hops.len() > 1) || self.over_tcp;
        attributes.set("network.transport", if tcp { "tcp" } else { "udp" });
        let ignored: u32 = asked.iter().map(|one| one.ignored).sum();
        if ignored > 0 {
            attributes.set("prober.dns.replies_ignored", i64::from(ignored));
        }
        let bytes = asked.iter().map(|one| one.bytes).sum::<usize>();
        attributes.set("prober.dns.reply.size", i64::try_from(bytes).unwrap_or(i64::MAX));
        let (mut hops, mut answers, mut failure) = (Vec::new(), Vec::new(), None);
        for one in asked {
            hops.extend(one.hops);
            match one.outcome {
                Ok(answer) => answers.push(answer),
                // The first resolver that failed speaks for the step; the hops show the others.
                Err(why) => _ = failure.get_or_insert(why),
            }
        }
        if let Some(peer) = hops.iter().find_map(|hop| hop.peer) {
            attributes.set("server.address", peer.ip().to_string());
            attributes.set("server.port", i64::from(peer.port()));
            attributes.set("network.peer.address", peer.ip().to_string());
        }
        describe(&mut attributes, &answers);
        match failure {
            Some(failure) => failed(attributes, hops, failure),
            None => StepOutcome { hops, attributes, failure: None, evidence: Box::new(Answers(answers)) },
        }
    }
}

impl Asked {
    /// The hop of one exchange and what it came to.
    fn of(
        server: SocketAddr,
        how: &str,
        phases: Phases,
        reply: Result<Reply, Failure>,
        (kind, truncated): (RecordType, bool),
    ) -> (Hop, Self) {
        let mut hop = phases.into_hop(format!("{server}{how}"));
        hop.peer = Some(server);
        let (mut bytes, mut ignored) = (0, 0);
        let outcome = reply.map(|reply| {
            (bytes, ignored) = (reply.bytes, reply.ignored);
            let answer = Answer::new(server, &reply.message, kind, truncated);
            hop.status = Some(answer.response_code().to_owned());
            answer
        });
        (hop, Self { hops: Vec::new(), bytes, ignored, outcome })
    }
}

fn failed(attributes: Attributes, hops: Vec<Hop>, failure: Failure) -> StepOutcome {
    let evidence: Box<dyn Evidence> = Box::new(Nothing);
    StepOutcome { hops, attributes, failure: Some(failure), evidence }
}

/// Notes what was answered; where resolvers differ, each answer names its resolver.
fn describe(attributes: &mut Attributes, answers: &[Answer]) {
    let Some(first) = answers.first() else { return };
    let unusual = answers.iter().find(|answer| answer.response_code() != "NOERROR").unwrap_or(first);
    attributes.set("dns.response_code", unusual.response_code());
    let agree = answers.iter().all(|answer| answer.texts == first.texts);
    let shown: Vec<String> = if agree {
        first.texts.iter().take(ANSWERS_SHOWN).cloned().collect()
    } else {
        let each = answers
            .iter()
            .flat_map(|answer| answer.texts.iter().map(move |text| format!("{text} @{}", answer.server)));
        each.take(ANSWERS_SHOWN).collect()
    };
    attributes.set("dns.answers", shown);
}

fn type_name(kind: RecordType) -> String {
    match kind {
        RecordType::Unknown(number) => format!("TYPE{number}"),
        known => known.to_string(),
    }
}

/// What every future gives, in their order; all of them are polled in this task.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().map(|output| output.expect("every future was polled to its end")).collect()
}
