//! Whether an answer's records, or their absence, are proved.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::CNAME;
use hickory_proto::rr::{Name, RData, RecordType};

use super::chain::{Chain, Zone, unproved};
use super::denial::Denial;
use super::rrset::RrSet;
use super::{Proof, Reason, Stop};
use crate::dns::question::Question;
use crate::dns::types::type_name;

/// The most aliases that are followed.
const ALIASES_MAX: usize = 12;

/// Follows the aliases from the question to its records and proves each link.
///
/// # Errors
/// Something is not proved, or the chain could not be asked for.
pub(super) async fn judge(
    message: &Message,
    question: &Question,
    chain: &mut Chain<'_>,
) -> Result<Proof, Stop> {
    let (mut name, kind) = (question.name().clone(), question.kind());
    let mut proof = Proof::secure();
    for _ in 0..=ALIASES_MAX {
        if kind == RecordType::ANY && message.answers.iter().any(|record| record.name == name) {
            let sets = RrSet::all(&message.answers);
            for set in sets.iter().filter(|set| *set.name == name) {
                proof = proof.and(prove(set, message, chain).await?);
            }
            return Ok(proof);
        }
        if let Some(set) = RrSet::of(&message.answers, &name, kind) {
            return Ok(proof.and(prove(&set, message, chain).await?));
        }
        let Some(alias) = RrSet::of(&message.answers, &name, RecordType::CNAME) else {
            return Ok(proof.and(prove_absence(message, &name, kind, chain).await?));
        };
        let RData::CNAME(CNAME(target)) = &alias.records[0].data else { break };
        let target = target.clone();
        // An alias that a DNAME above stands for has no signature of its own.
        let above = dname_above(message, &name).filter(|_| alias.signer().is_none());
        proof = proof.and(prove(above.as_ref().unwrap_or(&alias), message, chain).await?);
        name = target;
    }
    let detail = format!("{} leads through more than {ALIASES_MAX} aliases", question.name());
    Ok(Proof::bogus(Reason::MissingProof, detail))
}

fn dname_above<'a>(message: &'a Message, name: &Name) -> Option<RrSet<'a>> {
    let mut above = name.base_name();
    loop {
        if let Some(set) = RrSet::of(&message.answers, &above, RecordType::DNAME) {
            return Some(set);
        }
        if above.is_root() {
            return None;
        }
        above = above.base_name();
    }
}

/// Proves one set of records.
async fn prove(set: &RrSet<'_>, message: &Message, chain: &mut Chain<'_>) -> Result<Proof, Stop> {
    let lowest = set.signer().unwrap_or(set.name);
    let (zone, keys) = match chain.zone_of(lowest).await? {
        Zone::Signed(zone, keys) => (zone, keys),
        Zone::Unsigned(proof) => return Ok(proof),
    };
    let verified = set.verify(&keys, &zone, chain.now)?;
    if verified.labels < set.name.num_labels() && !set.name.is_wildcard() {
        // The records are a wildcard's, which is right only where nothing stands closer to the name.
        let denial = Denial::gather(&message.authorities, &keys, &zone, chain.now);
        if denial.costly.is_none() && !denial.no_closer(set.name, verified.labels) {
            return Err(unproved(denial, &set.shown(), &zone).into());
        }
        // As delv has it, which takes the absence of a name under the same record for proved: so do we.
        if denial.may_hide_closer(set.name, verified.labels) {
            let detail = format!("{zone} opts out: a closer name than the wildcard's may be there unsigned");
            return Ok(Proof::insecure(Reason::Unsigned, detail));
        }
    }
    Ok(Proof::secure())
}

/// Proves that `name` has no records of `kind`, or does not exist.
async fn prove_absence(
    message: &Message,
    name: &Name,
    kind: RecordType,
    chain: &mut Chain<'_>,
) -> Result<Proof, Stop> {
    let sets = RrSet::all(&message.authorities);
    let lowest = sets.iter().filter_map(RrSet::signer).find(|signer| signer.zone_of(name));
    let (zone, keys) = match chain.zone_of(lowest.unwrap_or(name)).await? {
        Zone::Signed(zone, keys) => (zone, keys),
        Zone::Unsigned(proof) => return Ok(proof),
    };
    let denial = Denial::gather(&message.authorities, &keys, &zone, chain.now);
    if let Some(rounds) = denial.costly {
        let detail = format!("{zone} hashes names {rounds} times, more often than is done here");
        return Ok(Proof::insecure(Reason::UnsupportedAlgorithm, detail));
    }
    let proved = match message.metadata.response_code {
        ResponseCode::NXDomain => denial.no_name(name),
        _ => denial.no_type(name, kind),
    };
    let what = format!("{name} {}", type_name(kind));
    if proved { Ok(Proof::secure()) } else { Err(unproved(denial, &what, &zone).into()) }
}
