//! From a trust anchor down to the zone that a name belongs to, cut by cut.

use std::sync::Arc;

use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use model::outcome::{Failure, FailureClass};
use model::time::Timestamp;

use super::anchor::Anchors;
use super::denial::{Cut, Denial};
use super::rrset::{RrSet, dnssec};
use super::{Proof, Reason, Stop};
use crate::dns::answer::rcode;
use crate::dns::question::{Manner, Question};
use crate::dns::server::{Asking, Server};
use crate::dns::types::type_name;
use crate::net::fault;

/// The most questions that one validation asks.
const QUESTIONS_MAX: usize = 48;

/// How the chain is asked for.
const MANNER: Manner = Manner {
    recursion: true,
    unchecked: true,
    dnssec_ok: true,
    nsid: false,
    payload_bytes: crate::dns::question::PAYLOAD_BYTES,
    subnet: None,
};

/// What stands at a name.
#[derive(Clone, Debug)]
enum At {
    /// A zone with these keys, which the chain proves.
    Keys(Arc<[DNSKEY]>),
    /// No zone of its own.
    Nothing,
    /// A zone that nothing proves, and why.
    Unsigned(Proof),
}

/// The zone that a name belongs to.
#[derive(Clone, Debug)]
pub(super) enum Zone {
    /// Signed, with its name and the keys that the chain proves.
    Signed(Name, Arc<[DNSKEY]>),
    /// Not signed, and the proof of it.
    Unsigned(Proof),
}

/// The chains of one validation: what was asked for once is not asked for again.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    anchors: &'a Anchors,
    server: &'a Server,
    asking: Asking<'a>,
    known: Vec<(Name, At)>,
    questions: usize,
    /// The instant that signatures must be valid at.
    pub(super) now: Timestamp,
}

impl<'a> Chain<'a> {
    /// No link yet; links are asked of `server`.
    pub(super) fn new(anchors: &'a Anchors, server: &'a Server, asking: Asking<'a>) -> Self {
        let now = asking.step.scope.run.started_at;
        Self { anchors, server, asking, known: Vec::new(), questions: 0, now }
    }

    /// The deepest zone that `name` belongs to, going down from the nearest anchor.
    ///
    /// # Errors
    /// The chain is broken, or could not be asked for.
    pub(super) async fn zone_of(&mut self, name: &Name) -> Result<Zone, Stop> {
        let Some(anchor) = self.anchors.nearest(name) else {
            let detail = format!("no trust anchor stands above {name}");
            return Ok(Zone::Unsigned(Proof::insecure(Reason::NoTrustAnchor, detail)));
        };
        let mut zone = anchor.clone();
        let mut keys = match self.known(&zone) {
            Some(At::Keys(keys)) => keys,
            _ => self.anchor_keys(&zone).await?,
        };
        for labels in zone.iter().count() + 1..=name.iter().count() {
            let child = name.trim_to(labels);
            let at = match self.known(&child) {
                Some(known) => known,
                None => self.descend(&zone, &keys, &child).await?,
            };
            match at {
                At::Keys(found) => (zone, keys) = (child, found),
                At::Nothing => {}
                At::Unsigned(proof) => return Ok(Zone::Unsigned(proof)),
            }
        }
        Ok(Zone::Signed(zone, keys))
    }

    fn known(&self, name: &Name) -> Option<At> {
        self.known.iter().find(|(known, _)| known == name).map(|(_, at)| at.clone())
    }

    /// The keys of a zone with an anchor.
    async fn anchor_keys(&mut self, zone: &Name) -> Result<Arc<[DNSKEY]>, Stop> {
        let message = self.ask(zone, RecordType::DNSKEY).await?;
        let anchors = self.anchors;
        let keys = self.keys(&message, zone, "a trust anchor", |key| anchors.has(zone, key))?;
        self.known.push((zone.clone(), At::Keys(Arc::clone(&keys))));
        Ok(keys)
    }

    /// What stands at `child`, the next name below `zone`.
    async fn descend(&mut self, zone: &Name, keys: &[DNSKEY], child: &Name) -> Result<At, Stop> {
        let message = self.ask(child, RecordType::DS).await?;
        let at = match RrSet::of(&message.answers, child, RecordType::DS) {
            Some(set) => {
                set.verify(keys, zone, self.now)?;
                self.signed(&set, child).await?
            }
            None => match self.cut(&message, keys, zone, child)? {
                Cut::None => At::Nothing,
                Cut::Unsigned => At::Unsigned(self.unsigned(zone, child).await?),
            },
        };
        self.known.push((child.clone(), at.clone()));
        Ok(at)
    }

    /// The keys of `child`, which the DS records in `set` must name.
    async fn signed(&mut self, set: &RrSet<'_>, child: &Name) -> Result<At, Stop> {
        let named = set.records.iter().filter_map(|record| match dnssec(record) {
            Some(DNSSECRData::DS(ds)) => Some(ds),
            _ => None,
        });
        let usable = |ds: &&DS| ds.algorithm().is_supported() && ds.digest_type().is_supported();
        let named: Vec<&DS> = named.filter(usable).collect();
        if named.is_empty() {
            let detail = format!("every DS record of {child} uses an unsupported algorithm or digest");
            return Ok(At::Unsigned(Proof::insecure(Reason::UnsupportedAlgorithm, detail)));
        }
        let message = self.ask(child, RecordType::DNSKEY).await?;
        let is_named = |key: &DNSKEY| {
            named.iter().any(|ds| {
                let tag = key.calculate_key_tag().is_ok_and(|tag| tag == ds.key_tag());
                tag && ds.covers(child, key).unwrap_or(false)
            })
        };
        self.keys(&message, child, "a DS record", is_named).map(At::Keys)
    }

    /// The zone keys of a reply, whose set must be signed by one that `is_trusted`.
    fn keys(
        &self,
        message: &Message,
        zone: &Name,
        by: &str,
        is_trusted: impl Fn(&DNSKEY) -> bool,
    ) -> Result<Arc<[DNSKEY]>, Stop> {
        let Some(set) = RrSet::of(&message.answers, zone, RecordType::DNSKEY) else {
            let detail = format!("{zone} has {by}, but no DNSKEY record");
            return Err(Proof::bogus(Reason::NoMatchingKey, detail).into());
        };
        let all = set.records.iter().filter_map(|record| match dnssec(record) {
            Some(DNSSECRData::DNSKEY(key)) if key.zone_key() && !key.revoke() => Some(key.clone()),
            _ => None,
        });
        let all: Vec<DNSKEY> = all.collect();
        let trusted: Vec<DNSKEY> = all.iter().filter(|key| is_trusted(key)).cloned().collect();
        if trusted.is_empty() {
            let detail = format!("no key of {zone} is the one that {by} names");
            return Err(Proof::bogus(Reason::NoMatchingKey, detail).into());
        }
        set.verify(&trusted, zone, self.now)?;
        Ok(all.into())
    }

    /// What the absence of a DS record at `child` proves.
    fn cut(&self, message: &Message, keys: &[DNSKEY], zone: &Name, child: &Name) -> Result<Cut, Stop> {
        if let Some(alias) = RrSet::of(&message.answers, child, RecordType::CNAME) {
            // A name with an alias is no zone; the alias proves that the name belongs to this one.
            alias.verify(keys, zone, self.now)?;
            return Ok(Cut::None);
        }
        let denial = Denial::gather(&message.authorities, keys, zone, self.now);
        if let Some(rounds) = denial.costly {
            let detail = format!("{zone} hashes names {rounds} times, more often than is done here");
            return Err(Proof::insecure(Reason::UnsupportedAlgorithm, detail).into());
        }
        if let Some(cut) = denial.cut(child) {
            return Ok(cut);
        }
        Err(unproved(denial, &format!("{child} DS"), zone).into())
    }

    /// Why `child` counts as unsigned: whether it has keys that its parent does not know.
    async fn unsigned(&mut self, zone: &Name, child: &Name) -> Result<Proof, Stop> {
        let message = self.ask(child, RecordType::DNSKEY).await?;
        Ok(match RrSet::of(&message.answers, child, RecordType::DNSKEY) {
            Some(_) => {
                let detail = format!("{child} is signed, but {zone} has no DS record for it");
                Proof::insecure(Reason::MissingDs, detail)
            }
            None => Proof::insecure(Reason::Unsigned, format!("{child} is not signed")),
        })
    }

    async fn ask(&mut self, name: &Name, kind: RecordType) -> Result<Message, Stop> {
        self.questions += 1;
        if self.questions > QUESTIONS_MAX {
            let message = format!("validating takes more than {QUESTIONS_MAX} questions");
            return Err(Stop::Failed(Failure::new(FailureClass::Dns, "dns.chain_too_long", message)));
        }
        let question = Question::of(name.clone(), kind, &MANNER).map_err(|error| {
            Stop::Failed(Failure::new(FailureClass::Local, fault::BUG, error.to_string()))
        })?;
        let reply = self.server.look_up(&question, self.asking).await.map_err(Stop::Failed)?;
        match reply.message.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => Ok(reply.message),
            code => {
                let code = rcode(code, false);
                let message =
                    format!("{} answered {code} when asked for {} of {name}", self.server, type_name(kind));
                Err(Stop::Failed(Failure::new(FailureClass::Dns, "dns.no_chain", message)))
            }
        }
    }
}

/// The proof of a denial that does not hold.
pub(super) fn unproved(denial: Denial<'_>, what: &str, zone: &Name) -> Proof {
    match denial.defect {
        Some(defect) => defect,
        None if denial.is_empty() => {
            let detail = format!("the absence of {what} has no signature by {zone}");
            Proof::bogus(Reason::MissingSignature, detail)
        }
        None => Proof::bogus(Reason::MissingProof, format!("nothing proves the absence of {what} in {zone}")),
    }
}
