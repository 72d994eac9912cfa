//! Which records of an answer belong to its question.
//!
//! A server may put any record into an answer. One counts if it is of the asked name, or of the name that the asked one
//! is an alias of (RFC 1034, section 3.6.2); everything else is nobody's word for the name.

use std::iter::successors;

use hickory_proto::op::Query;
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// The most aliases that are followed; a chain without an end is left there.
const ALIASES_MAX: usize = 16;

/// The names from the asked one along its aliases to the one that has records of the asked type.
pub(crate) fn names<'a>(query: &'a Query, answers: &'a [Record]) -> impl Iterator<Item = &'a Name> {
    let follow = move |name: &&'a Name| {
        if answers.iter().any(|record| is_of(record, name, query)) {
            None
        } else {
            alias(name, query, answers)
        }
    };
    successors(Some(query.name()), follow).take(ALIASES_MAX + 1)
}

/// Why the aliases of an answer end nowhere, for people; `None` if they do not go on beyond what is followed.
pub(crate) fn endless(query: &Query, answers: &[Record]) -> Option<String> {
    // Most names are no aliases.
    alias(query.name(), query, answers)?;
    let names: Vec<_> = names(query, answers).collect();
    alias(names.last()?, query, answers)?;
    if answers.iter().any(|record| names.last().is_some_and(|last| is_of(record, last, query))) {
        return None;
    }
    let shown = |names: &[&Name]| names.iter().map(|name| name.to_ascii()).collect::<Vec<_>>().join(" → ");
    // The first name that comes a second time closes the circle.
    let circle = names.iter().enumerate().find_map(|(from, name)| {
        let later = names[from + 1..].iter().position(|other| is_same(other, name))?;
        Some(&names[..=from + 1 + later])
    });
    Some(match circle {
        Some(circle) => format!("aliases that lead in a circle: {}", shown(circle)),
        None => format!("more than {ALIASES_MAX} aliases, which are not followed: {}", shown(&names)),
    })
}

/// The records of the asked type that answer the question, in their order.
pub(crate) fn records<'a>(query: &'a Query, answers: &'a [Record]) -> impl Iterator<Item = &'a Record> {
    places(query, answers).into_iter().map(|place| &answers[place])
}

/// Where in `answers` those records are: those of the first name along the aliases that has any.
pub(crate) fn places(query: &Query, answers: &[Record]) -> Box<[usize]> {
    let mut owner = Some(query.name());
    for _ in 0..=ALIASES_MAX {
        let Some(name) = owner else { break };
        let all = answers.iter().enumerate();
        let found: Box<[usize]> =
            all.filter(|(_, record)| is_of(record, name, query)).map(|(place, _)| place).collect();
        if !found.is_empty() {
            return found;
        }
        owner = alias(name, query, answers);
    }
    Box::default()
}

/// Whether `record` is one of `name`'s, of the type and class that `query` asks for. Letters are equal whatever their
/// case (RFC 4343).
fn is_of(record: &Record, name: &Name, query: &Query) -> bool {
    let asked = query.query_type();
    (asked == RecordType::ANY || record.record_type() == asked)
        && record.dns_class == query.query_class()
        && is_same(&record.name, name)
}

/// Whether two names are equal label by label, letters whatever their case.
///
/// The library's own comparison tells which comes first, for which it has to go from the root on.
pub(crate) fn is_same(one: &Name, other: &Name) -> bool {
    let (mut ones, mut others) = (one.iter(), other.iter());
    loop {
        match (ones.next(), others.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one.eq_ignore_ascii_case(other) => {}
            _ => return false,
        }
    }
}

fn alias<'a>(name: &Name, query: &Query, answers: &'a [Record]) -> Option<&'a Name> {
    answers.iter().find_map(|record| match &record.data {
        RData::CNAME(target) if record.dns_class == query.query_class() && is_same(&record.name, name) => {
            Some(&target.0)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::rdata::CNAME;

    use super::*;

    /// The addresses that count of `answers`, each `name > alias` or `name address`.
    fn check(answers: &[&str], expected: &[&str]) {
        let name = |text: &str| Name::from_ascii(text).unwrap();
        let record = |text: &&str| {
            let (owner, data) = text.split_once(' ').unwrap();
            let data = match data.strip_prefix("> ") {
                Some(alias) => RData::CNAME(CNAME(name(alias))),
                None => RData::A(data.parse().unwrap()),
            };
            Record::from_rdata(name(owner), 60, data)
        };
        let answers: Vec<Record> = answers.iter().map(record).collect();
        let query = Query::query(name("shop.test."), RecordType::A);
        let found: Vec<_> = records(&query, &answers).map(|record| record.data.to_string()).collect();
        assert_eq!(found, expected, "{answers:?}");
    }

    #[test]
    fn only_records_of_the_asked_name_count() {
        check(&["shop.test. 192.0.2.1", "SHOP.test. 192.0.2.2"], &["192.0.2.1", "192.0.2.2"]);
        check(&["other.test. 192.0.2.1"], &[]);
        check(&["shop.test. > a.test.", "a.test. > B.test.", "b.test. 192.0.2.1"], &["192.0.2.1"]);
        check(&["b.test. 192.0.2.1", "shop.test. > b.test."], &["192.0.2.1"]);
        check(&["shop.test. > a.test.", "b.test. 192.0.2.1"], &[]);
    }

    #[test]
    fn names_are_the_same_as_the_library_says() {
        let names = ["", ".", "a", "a.", "A.", "b.", "a.b.", "A.b", "ab.", "a.b.c.", "b.c.", "*.b.", "a-.b."];
        let names: Vec<Name> = names.iter().map(|name| Name::from_ascii(name).unwrap()).collect();
        for (one, other) in names.iter().flat_map(|one| names.iter().map(move |other| (one, other))) {
            assert_eq!(is_same(one, other), one.eq_ignore_root(other), "{one} {other}");
        }
    }

    #[test]
    fn aliases_without_an_end_are_left() {
        check(&["shop.test. > a.test.", "a.test. > shop.test.", "b.test. 192.0.2.1"], &[]);
        check(&["shop.test. > shop.test."], &[]);
    }
}
