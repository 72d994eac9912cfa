//! One question to all servers of a step at once, each over TCP again if its reply is cut off, and what is looked
//! at beside the answer.

use std::time::Duration;

use hickory_proto::rr::{Record, RecordType};
use model::outcome::Failure;
use model::step::{Hop, Phase};

use super::answer::{Answer, answering};
use super::dnssec;
use super::dnssec::anchor::Anchors;
use super::exchange::{self, Reply};
use super::question::Question;
use super::server::{Asking, Server};
use crate::net::phases::Phases;
use crate::net::together::all;

/// What asking one server gave.
pub(super) struct Asked {
    pub(super) hops: Vec<Hop>,
    pub(super) bytes: usize,
    pub(super) ignored: u32,
    pub(super) transport: &'static str,
    pub(super) outcome: Result<Answer, Failure>,
}

/// What is done beside the question itself.
#[derive(Copy, Clone)]
pub(super) struct Beside<'a> {
    /// The question for the zone's SOA record, where serials are compared.
    pub(super) soa: Option<&'a Question>,
    /// The keys that are trusted, and whom the chain is asked of if not the server itself.
    pub(super) validate: Option<(&'a Anchors, Option<&'a Server>)>,
}

/// Asks every server at the same time; what each gave, in their order.
pub(super) async fn ask_all(
    servers: &[Server],
    question: &Question,
    asking: Asking<'_>,
    beside: Beside<'_>,
) -> Vec<Asked> {
    match servers {
        [one] => vec![ask_one(one, question, asking, beside).await],
        several => {
            all(several.iter().map(|server| ask_one(server, question, asking, beside)).collect()).await
        }
    }
}

/// Asks one server, over TCP again if its reply over UDP is cut off.
async fn ask_one(server: &Server, question: &Question, asking: Asking<'_>, beside: Beside<'_>) -> Asked {
    let mut asked = ask_once(server, question, asking).await;
    if beside.soa.is_none() && beside.validate.is_none() {
        return asked;
    }
    let Ok(answer) = &mut asked.outcome else { return asked };
    let extra = Box::pin(look_beside(server, question, asking, (beside, answer)));
    let (hops, failed) = extra.await;
    asked.hops.extend(hops);
    if let Some(failure) = failed {
        asked.outcome = Err(failure);
    }
    asked
}

async fn ask_once(server: &Server, question: &Question, asking: Asking<'_>) -> Asked {
    let mut phases = Phases::start(asking.step.began);
    let reply = server.exchange(question, asking, &mut phases).await;
    let cut_off = reply.as_ref().is_ok_and(|reply| reply.message.metadata.truncation);
    let asked = Asked::of(server, "", phases, (reply, question.kind(), false));
    let Some(to) = server.may_cut_off().filter(|_| cut_off) else { return asked };
    let mut phases = Phases::start(asking.step.began);
    let reply = Box::pin(exchange::over_tcp(to, &question.ask(), asking.deadline(), &mut phases)).await;
    let again = Asked::of(server, " over TCP", phases, (reply, question.kind(), true));
    let mut hops = asked.hops;
    hops.extend(again.hops);
    let mut outcome = again.outcome;
    if let Ok(answer) = &mut outcome {
        answer.took = took(&hops);
    }
    Asked { hops, outcome, transport: "tcp", ..again }
}

/// The zone's SOA record, and the proof of the answer; what fails here fails the step.
async fn look_beside(
    server: &Server,
    question: &Question,
    asking: Asking<'_>,
    (beside, answer): (Beside<'_>, &mut Answer),
) -> (Vec<Hop>, Option<Failure>) {
    let mut hops = Vec::new();
    if let Some(question) = beside.soa {
        let asked = ask_once(server, question, asking).await;
        hops.extend(asked.hops);
        match asked.outcome {
            Ok(found) => answer.zone_soa = soa_of(found, question).map(Box::new),
            Err(failure) => return (hops, Some(failure)),
        }
    }
    if let Some((anchors, through)) = beside.validate {
        let through = through.unwrap_or(server);
        let mut phases = Phases::start(asking.step.began);
        phases.enter(Phase::Dns);
        let proof = dnssec::validate(&answer.message, question, anchors, (through, asking)).await;
        let mut hop = phases.into_hop(format!("DNSSEC validation through {through}"));
        let failed = match proof {
            Ok(proof) => {
                hop.status = proof.as_ref().map(|(proof, _)| proof.state.as_str().into());
                answer.proof = proof;
                None
            }
            Err(failure) => Some(failure),
        };
        hops.push(hop);
        return (hops, failed);
    }
    (hops, None)
}

fn soa_of(answer: Answer, question: &Question) -> Option<Record> {
    let is_it = |record: &Record| record.record_type() == RecordType::SOA && record.name == *question.name();
    answer.message.answers.into_iter().find(is_it)
}

impl Asked {
    /// The hop of one exchange and what it came to.
    fn of(
        server: &Server,
        how: &str,
        phases: Phases,
        (reply, asked, truncated): (Result<Reply, Failure>, RecordType, bool),
    ) -> Self {
        let source = server.source();
        let mut label = source.text();
        label.push_str(how);
        let mut hop = phases.into_hop(label);
        let (mut bytes, mut ignored) = (0, 0);
        let took = took(std::slice::from_ref(&hop));
        let outcome = reply.and_then(|reply| {
            (bytes, ignored) = (reply.bytes, reply.ignored);
            let answer = Answer {
                source,
                answering: answering(&reply.message),
                message: reply.message,
                asked,
                truncated,
                plain: matches!(server, Server::System),
                took,
                zone_soa: None,
                proof: None,
            };
            hop.status = Some(answer.response_code().into());
            match answer.endless_aliases() {
                Some(why) => Err(why),
                None => Ok(answer),
            }
        });
        Self { hops: vec![hop], bytes, ignored, transport: server.transport(), outcome }
    }

    /// A server that has no address to ask it at.
    pub(super) fn of_nobody(failure: Failure) -> Self {
        Self { hops: Vec::new(), bytes: 0, ignored: 0, transport: "udp", outcome: Err(failure) }
    }
}

/// From the first phase to the last.
fn took(hops: &[Hop]) -> Duration {
    let start = hops.first().and_then(|hop| hop.phases.first()).map(|phase| phase.start);
    let end = hops.last().and_then(|hop| hop.phases.last()).map(|phase| phase.start + phase.duration);
    end.unwrap_or_default().saturating_sub(start.unwrap_or_default())
}
