//! Attributes of a step in OpenTelemetry's words, and our own where it has none.

use hickory_proto::rr::RecordType;
use model::address_text::ip_text;
use model::attribute::{Attributes, Text};
use model::step::Hop;

use super::answer::Answer;
use super::ask::Asked;
use super::{edns, types};

/// The most answers that are kept as an attribute.
const ANSWERS_SHOWN: usize = 32;

/// How many attributes a plain question and its answer have.
const ATTRIBUTES_USUAL: usize = 10;

/// What was asked, and how the replies came.
pub(super) fn of_question(name: &str, kind: RecordType, asked: &[Asked]) -> Attributes {
    let mut attributes = Attributes::with_room(ATTRIBUTES_USUAL);
    attributes.add("dns.question.name", Text::from(name));
    attributes.add("dns.question.type", types::type_name(kind));
    // Of several ways the one that says more than UDP.
    let unusual = asked.iter().map(|one| one.transport).find(|transport| *transport != "udp");
    attributes.add("network.transport", unusual.unwrap_or("udp"));
    let ignored: u32 = asked.iter().map(|one| one.ignored).sum();
    if ignored > 0 {
        attributes.set("prober.dns.replies_ignored", i64::from(ignored));
    }
    let bytes = asked.iter().map(|one| one.bytes).sum::<usize>();
    attributes.add("prober.dns.reply.size", i64::try_from(bytes).unwrap_or(i64::MAX));
    attributes
}

/// Who was talked to first.
pub(super) fn of_peer(attributes: &mut Attributes, hops: &[Hop]) {
    if let Some(peer) = hops.iter().find_map(|hop| hop.peer) {
        let address = ip_text(peer.ip());
        attributes.add("server.address", address.clone());
        attributes.add("server.port", i64::from(peer.port()));
        attributes.add("network.peer.address", address);
    }
}

/// What was answered; where servers differ, each answer names its server.
pub(super) fn of_answers(attributes: &mut Attributes, answers: &[Answer]) {
    let Some(first) = answers.first() else { return };
    let unusual = answers.iter().find(|answer| answer.response_code() != "NOERROR").unwrap_or(first);
    attributes.add("dns.response_code", unusual.response_code());
    attributes.add("dns.answers", texts(answers));
    of_extensions(attributes, answers);
    // The weakest proof speaks for all of them.
    let proofs = answers.iter().filter_map(|answer| answer.proof.as_ref());
    if let Some((proof, _)) = proofs.clone().max_by_key(|(proof, _)| proof.state as u8) {
        attributes.set("prober.dns.dnssec", proof.state.as_str());
        attributes.set("prober.dns.dnssec.reason", proof.reason.as_str());
        if !proof.detail.is_empty() {
            attributes.set("prober.dns.dnssec.detail", proof.detail.clone());
        }
        let longest = proofs.map(|(_, took)| *took).max().unwrap_or_default();
        attributes.set("prober.dns.validation.duration", longest.as_secs_f64());
    }
}

fn texts(answers: &[Answer]) -> Vec<Text> {
    if let [only] = answers {
        return only.texts().take(ANSWERS_SHOWN).collect();
    }
    let each: Vec<Vec<Text>> = answers.iter().map(|answer| answer.texts().collect()).collect();
    if each.windows(2).all(|pair| pair[0] == pair[1]) {
        return each.into_iter().next().unwrap_or_default().into_iter().take(ANSWERS_SHOWN).collect();
    }
    let named = each.into_iter().zip(answers).flat_map(|(texts, answer)| {
        texts.into_iter().map(move |text| Text::from(format!("{text} @{}", answer.source)))
    });
    named.take(ANSWERS_SHOWN).collect()
}

/// Who answered and what went wrong there, in the servers' own words.
fn of_extensions(attributes: &mut Attributes, answers: &[Answer]) {
    let said = |answer: &&Answer| {
        answer.message.edns.as_ref().is_some_and(|edns| !edns.options().as_ref().is_empty())
    };
    let mut names = Vec::new();
    let mut errors = Vec::new();
    for answer in answers.iter().filter(said) {
        names.extend(edns::nsid(&answer.message));
        errors.extend(edns::errors(&answer.message));
    }
    if !names.is_empty() {
        attributes.set("prober.dns.nsid", names.join(", "));
    }
    if !errors.is_empty() {
        attributes.set("prober.dns.extended_errors", errors);
    }
}
