//! What NSEC and NSEC3 records prove (RFC 4035, section 5.4; RFC 5155, section 8; RFC 9824). Pure.

use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, NSEC, NSEC3};
use hickory_proto::rr::{Name, Record, RecordType};
use model::time::Timestamp;

use super::Proof;
use super::rrset::{RrSet, dnssec};

/// The most NSEC and NSEC3 records of one reply that are looked at.
const RECORDS_MAX: usize = 16;

/// More rounds of hashing are not done; such a zone counts as unsigned (RFC 9276, section 3.2).
const ITERATIONS_MAX: u16 = 150;

/// The type that says that a name does not exist although a record stands at it (RFC 9824).
const NXNAME: RecordType = RecordType::Unknown(128);

/// Records of one zone that deny others, with signatures that hold.
#[derive(Debug)]
pub(super) struct Denial<'a> {
    zone: &'a Name,
    nsec: Vec<(&'a Name, &'a NSEC)>,
    /// By the hash that is their owner's first label.
    nsec3: Vec<(Vec<u8>, &'a NSEC3)>,
    /// How often the zone hashes, if that is too often.
    pub(super) costly: Option<u16>,
    /// What was wrong with a record that was left out.
    pub(super) defect: Option<Proof>,
}

/// What stands between a zone and a name below it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nothing: the name belongs to the zone, or does not exist.
    None,
    /// Another zone, and no DS record says that it is signed.
    Unsigned,
}

impl<'a> Denial<'a> {
    /// The records of `section` that `keys` of `zone` signed.
    pub(super) fn gather(section: &'a [Record], keys: &[DNSKEY], zone: &'a Name, now: Timestamp) -> Self {
        let mut found = Self { zone, nsec: Vec::new(), nsec3: Vec::new(), costly: None, defect: None };
        let sets = RrSet::all(section).into_iter();
        let denying = sets.filter(|set| matches!(set.kind, RecordType::NSEC | RecordType::NSEC3));
        for set in denying.filter(|set| zone.zone_of(set.name)).take(RECORDS_MAX) {
            match set.verify(keys, zone, now) {
                // A record that a wildcard stands behind would deny what it does not cover.
                Ok(verified) if verified.labels == set.name.num_labels() => found.add(&set),
                Ok(_) => {}
                Err(why) => found.defect = found.defect.or(Some(why)),
            }
        }
        found
    }

    fn add(&mut self, set: &RrSet<'a>) {
        for record in &set.records {
            match dnssec(record) {
                Some(DNSSECRData::NSEC(nsec)) => self.nsec.push((set.name, nsec)),
                Some(DNSSECRData::NSEC3(nsec3)) if nsec3.iterations() > ITERATIONS_MAX => {
                    self.costly = Some(nsec3.iterations());
                }
                Some(DNSSECRData::NSEC3(nsec3)) => {
                    let hash = set.name.iter().next().and_then(unbase32);
                    if let Some(hash) = hash.filter(|_| set.name.base_name() == *self.zone) {
                        self.nsec3.push((hash, nsec3));
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether there is anything to prove with.
    pub(super) fn is_empty(&self) -> bool {
        self.nsec.is_empty() && self.nsec3.is_empty()
    }

    /// What stands between the zone and `child`; `None` if nothing is proved.
    pub(super) fn cut(&self, child: &Name) -> Option<Cut> {
        let of_types = |has: &dyn Fn(RecordType) -> bool| {
            if has(RecordType::DS) || has(RecordType::SOA) {
                None
            } else if has(RecordType::NS) {
                Some(Cut::Unsigned)
            } else {
                Some(Cut::None)
            }
        };
        if let Some(nsec) = self.nsec_at(child) {
            return of_types(&|kind| nsec.type_set().contains(kind));
        }
        if self.nsec_covering(child).is_some() {
            return Some(Cut::None);
        }
        if let Some(nsec3) = self.nsec3_at(child) {
            return of_types(&|kind| nsec3.type_set().contains(kind));
        }
        let (.., covering) = self.encloser(child)?;
        // Where a zone opts out, unsigned zones below it have no record at all.
        Some(if covering.opt_out() { Cut::Unsigned } else { Cut::None })
    }

    /// Whether `name` does not exist, nor a wildcard for it.
    pub(super) fn no_name(&self, name: &Name) -> bool {
        if self.nsec_at(name).is_some_and(|nsec| nsec.type_set().contains(NXNAME)) {
            return true;
        }
        if let Some((owner, nsec)) = self.nsec_covering(name) {
            let next = nsec.next_domain_name();
            return !name.zone_of(next) && self.covers_wildcard(&common(name, owner, next));
        }
        self.encloser(name).is_some_and(|(encloser, ..)| {
            wildcard(&encloser).is_some_and(|wildcard| self.nsec3_covering(&wildcard).is_some())
        })
    }

    /// Whether `name` exists, or a wildcard for it, without records of `kind` and without an alias.
    pub(super) fn no_type(&self, name: &Name, kind: RecordType) -> bool {
        let lacks = |has: &dyn Fn(RecordType) -> bool| {
            // Beyond a cut only the parent's own record, DS, can be denied by the parent.
            let beyond = has(RecordType::NS) && !has(RecordType::SOA);
            !has(kind) && !has(RecordType::CNAME) && (kind == RecordType::DS || !beyond)
        };
        if let Some(nsec) = self.nsec_at(name) {
            return lacks(&|kind| nsec.type_set().contains(kind));
        }
        if let Some((owner, nsec)) = self.nsec_covering(name) {
            let next = nsec.next_domain_name();
            // A name that only names below it make exist has nothing at all.
            let stands_at_wildcard = || {
                let wildcard = wildcard(&common(name, owner, next))?;
                self.nsec_at(&wildcard).map(|nsec| lacks(&|kind| nsec.type_set().contains(kind)))
            };
            return name.zone_of(next) || stands_at_wildcard().unwrap_or(false);
        }
        if let Some(nsec3) = self.nsec3_at(name) {
            return lacks(&|kind| nsec3.type_set().contains(kind));
        }
        let Some((encloser, _, covering)) = self.encloser(name) else { return false };
        if kind == RecordType::DS && covering.opt_out() {
            return true;
        }
        let at_wildcard = wildcard(&encloser).and_then(|wildcard| self.nsec3_at(&wildcard));
        at_wildcard.is_some_and(|nsec3| lacks(&|kind| nsec3.type_set().contains(kind)))
    }

    /// Whether nothing stands closer to `name` than the wildcard that was signed with `labels` labels.
    pub(super) fn no_closer(&self, name: &Name, labels: u8) -> bool {
        let closer = name.trim_to(usize::from(labels) + 1);
        // A name with names below it exists, also without records of its own.
        let denies = |(owner, nsec): (&Name, &NSEC)| {
            !closer.zone_of(owner) && !closer.zone_of(nsec.next_domain_name())
        };
        self.nsec_covering(&closer).is_some_and(denies)
            || self.nsec_covering(name).is_some_and(denies)
            || self.nsec3_covering(&closer).is_some()
    }

    /// Whether a zone that opts out may have an unsigned name closer to `name` than the wildcard that was signed with
    /// `labels` labels (RFC 5155, section 9.2).
    pub(super) fn may_hide_closer(&self, name: &Name, labels: u8) -> bool {
        let closer = name.trim_to(usize::from(labels) + 1);
        self.nsec3_covering(&closer).is_some_and(NSEC3::opt_out)
    }

    fn nsec_at(&self, name: &Name) -> Option<&'a NSEC> {
        self.nsec.iter().find(|(owner, _)| *owner == name).map(|(_, nsec)| *nsec)
    }

    fn nsec_covering(&self, name: &Name) -> Option<(&'a Name, &'a NSEC)> {
        let covers = |owner: &Name, nsec: &NSEC| {
            let next = nsec.next_domain_name();
            let types = nsec.type_set();
            let cut = types.contains(RecordType::NS) && !types.contains(RecordType::SOA);
            // The parent's record at a cut, or one beside a DNAME, says nothing of the names below.
            let beyond = (cut || types.contains(RecordType::DNAME)) && owner.zone_of(name);
            let before_next = name < next || next <= owner;
            self.zone.zone_of(name) && owner < name && before_next && !beyond
        };
        self.nsec.iter().find(|(owner, nsec)| covers(owner, nsec)).copied()
    }

    fn covers_wildcard(&self, encloser: &Name) -> bool {
        wildcard(encloser).is_some_and(|wildcard| self.nsec_covering(&wildcard).is_some())
    }

    fn hash(&self, name: &Name) -> Option<Vec<u8>> {
        let (_, first) = self.nsec3.first()?;
        let hashed = first.hash_algorithm().hash(first.salt(), name, first.iterations()).ok()?;
        Some(hashed.as_ref().to_vec())
    }

    fn nsec3_at(&self, name: &Name) -> Option<&'a NSEC3> {
        let hash = self.hash(name)?;
        self.nsec3.iter().find(|(owner, _)| *owner == hash).map(|(_, nsec3)| *nsec3)
    }

    fn nsec3_covering(&self, name: &Name) -> Option<&'a NSEC3> {
        let hash = self.hash(name)?;
        let covers = |owner: &[u8], next: &[u8]| {
            if owner < next { owner < &*hash && &*hash < next } else { owner < &*hash || &*hash < next }
        };
        self.nsec3
            .iter()
            .find(|(owner, nsec3)| covers(owner, nsec3.next_hashed_owner_name()))
            .map(|(_, nsec3)| *nsec3)
    }

    /// The closest name above `name` that exists, the one below that on the way to `name`, and the record that
    /// covers it.
    fn encloser(&self, name: &Name) -> Option<(Name, Name, &'a NSEC3)> {
        let mut closer = name.clone();
        while closer != *self.zone && !closer.is_root() {
            let above = closer.base_name();
            if let Some(nsec3) = self.nsec3_at(&above) {
                let types = nsec3.type_set();
                let cut = types.contains(RecordType::NS) && !types.contains(RecordType::SOA);
                let covering = self.nsec3_covering(&closer)?;
                return (!cut && !types.contains(RecordType::DNAME)).then_some((above, closer, covering));
            }
            closer = above;
        }
        None
    }
}

fn wildcard(encloser: &Name) -> Option<Name> {
    encloser.prepend_label("*").ok()
}

/// The longest name that `name` lies below together with `owner` or with `next`.
fn common(name: &Name, owner: &Name, next: &Name) -> Name {
    let mut above = name.base_name();
    while !above.is_root() && !above.zone_of(owner) && !above.zone_of(next) {
        above = above.base_name();
    }
    above
}

fn unbase32(label: &[u8]) -> Option<Vec<u8>> {
    let (mut held, mut bits, mut bytes) = (0_u32, 0, Vec::with_capacity(20));
    for letter in label {
        let value = match letter {
            b'0'..=b'9' => letter - b'0',
            b'a'..=b'v' => letter - b'a' + 10,
            b'A'..=b'V' => letter - b'A' + 10,
            _ => return None,
        };
        held = (held << 5 | u32::from(value)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    #[test]
    fn names_between_two_records_do_not_exist() {
        use RecordType::{A, NS, SOA};
        let records = [
            (name("test."), NSEC::new(name("a.test."), [NS, SOA])),
            (name("a.test."), NSEC::new(name("b.c.test."), [A])),
            (name("b.c.test."), NSEC::new(name("sub.test."), [A])),
            (name("sub.test."), NSEC::new(name("test."), [NS])),
        ];
        let zone = name("test.");
        let nsec = records.iter().map(|(owner, nsec)| (owner, nsec)).collect();
        let denial = Denial { zone: &zone, nsec, nsec3: Vec::new(), costly: None, defect: None };
        for (asked, exists) in [
            ("bb.test.", false),
            ("x.bb.test.", false),
            ("zz.test.", false),
            ("a.test.", true),
            // Only a name below it makes it exist.
            ("c.test.", true),
            // The parent knows nothing of the names beyond a cut.
            ("x.sub.test.", true),
        ] {
            assert_eq!(denial.no_name(&name(asked)), !exists, "{asked}");
        }
        for (asked, kind, lacks) in
            [("a.test.", NS, true), ("a.test.", A, false), ("c.test.", A, true), ("sub.test.", A, false)]
        {
            assert_eq!(denial.no_type(&name(asked), kind), lacks, "{asked} {kind}");
        }
        for (asked, closest) in [("x.bb.test.", true), ("x.c.test.", false), ("x.b.c.test.", false)] {
            assert_eq!(denial.no_closer(&name(asked), 1), closest, "{asked}");
        }
        for (asked, cut) in [
            ("sub.test.", Some(Cut::Unsigned)),
            ("a.test.", Some(Cut::None)),
            ("c.test.", Some(Cut::None)),
            ("bb.test.", Some(Cut::None)),
            ("x.sub.test.", None),
        ] {
            assert_eq!(denial.cut(&name(asked)), cut, "{asked}");
        }
    }
}
