//! `expect`, `warn` and `sli` bound against a kind's subjects: wrong operands are found here, not in a run.

mod clash;
mod literal;
mod operand;
mod path_help;
mod phrase;
mod role;
mod rule;
mod select;
mod sense;
mod status;
mod table;
mod turned;

pub(crate) use clash::{exclude_each_other, is_out_of_reach};
pub(crate) use select::{Selected, select_key, words as selector_words};
pub(crate) use table::{OPERATORS, Operator, TIMELY, TOLERANCE_KEY, Takes, item_type, type_words};

use std::borrow::Cow;
use std::sync::Arc;

use model::step::Part;

use crate::assertion::{Assertion, Inner};
use crate::bind::{Binder, Elsewhere, Place};
use crate::diagnostic::Diagnostic;
use crate::fields::{Bound, KeyType};
use crate::kind::{Kind, LATENCY_SUBJECT, Shape, Subject};
use crate::matcher::Matcher;
use crate::source::Spanned;
use crate::suggest::nearest;
use crate::tree::{Node, NodeValue};
use crate::value::{Selector, SubjectType};
use operand::Operand;

/// What a matcher is applied to.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) enum ValueType {
    /// A subject that is one value.
    One(SubjectType),
    /// A value whose type is known only in the run: from JSON, a row.
    Dynamic,
    /// A text that a key finds, which may be a time: what a regular expression matches.
    Found,
    /// The same where a key may find several: headers, elements of a page or a document.
    FoundMany,
}

impl ValueType {
    /// Whether texts of this type are shown in quotes.
    fn is_quoted(self) -> bool {
        matches!(
            self,
            Self::Dynamic
                | Self::Found
                | Self::FoundMany
                | Self::One(SubjectType::Text | SubjectType::Texts | SubjectType::Any)
        )
    }

    /// The type of what a key finds in a subject of this shape.
    pub(crate) const fn chosen(shape: Shape) -> Self {
        match shape {
            Shape::Pattern => Self::Found,
            Shape::Header | Shape::XmlPath | Shape::Own(_) => Self::FoundMany,
            Shape::One(_) | Shape::JsonPath | Shape::Row | Shape::Rule(_) | Shape::Agree => Self::Dynamic,
        }
    }
}

/// The subjects that may be looked at in one map.
pub(crate) struct Subjects {
    /// "an http step", for messages.
    pub(crate) words: String,
    /// The kind's table.
    pub(crate) table: &'static [Subject],
    /// The keys of the kind, to say that one belongs there.
    pub(crate) kind_keys: Vec<&'static str>,
    /// The kind's name.
    pub(crate) kind: &'static str,
}

impl Subjects {
    /// The subjects of a kind.
    pub(crate) fn of<N>(kind: &'static Kind<N>) -> Self {
        let article = if kind.name.starts_with(['a', 'e', 'f', 'h', 'i', 'o', 's']) && kind.name != "file" {
            "an"
        } else {
            "a"
        };
        Self {
            words: format!("{article} {} step", kind.name),
            table: kind.subjects,
            kind_keys: kind.keys.iter().map(|key| key.name).collect(),
            kind: kind.name,
        }
    }

    /// What `sli.good` may look at in a scenario of several steps.
    pub(crate) fn flow() -> Self {
        Self {
            words: "a scenario of several steps".to_owned(),
            table: &[],
            kind_keys: Vec::new(),
            kind: "flow",
        }
    }

    /// What `good` of an objective over several scenarios may look at: what the runs of all kinds have.
    pub(crate) fn objective() -> Self {
        Self { words: "an objective over several scenarios".to_owned(), ..Self::flow() }
    }

    /// The type of what an assertion of these looks at.
    fn type_of(&self, assertion: &Assertion) -> Option<ValueType> {
        self.table.iter().find(|subject| subject.name == assertion.subject()).map(|subject| {
            match subject.shape {
                Shape::One(kind) => ValueType::One(kind),
                shape => ValueType::chosen(shape),
            }
        })
    }

    fn all(&self) -> impl Iterator<Item = &'static Subject> + use<> {
        self.table.iter().chain([&LATENCY_SUBJECT])
    }

    fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.all().map(|subject| subject.name)
    }

    fn find(&self, name: &str) -> Option<&'static Subject> {
        self.all().find(|subject| subject.name == name)
    }

    fn unknown(&self, name: &Spanned<String>) -> Diagnostic {
        let in_kind = |typed: &str| {
            if self.kind_keys.contains(&typed) {
                return Some(Elsewhere::Under(self.kind.to_owned()));
            }
            let beside = ["name", "timeout", "every", "warn", "capture", "expect", "steps", "owner", "aim"];
            beside.contains(&typed).then(|| Elsewhere::Hint(format!("`{typed}` stands one level up")))
        };
        let other = self.names().collect();
        let place = Place { words: format!("here for {}", self.words), other, elsewhere: &in_kind };
        place.unknown_key(name, &[])
    }
}

impl Binder<'_, '_> {
    fn each_assertion(&mut self, node: &Node, subjects: &Subjects, part: Option<Part>) -> Vec<Assertion> {
        let NodeValue::Map(entries) = &node.value else {
            let message = format!("expected a map of what to look at, found {}", node.describe());
            let help =
                format!("{} shows: {}", subjects.words, subjects.names().collect::<Vec<_>>().join(", "));
            self.report.push(Diagnostic::error("E103", node.span, message).help(help));
            return Vec::new();
        };
        let word = part.map_or("good", Part::as_str);
        if entries.is_empty() {
            self.report.push(Diagnostic::error("E104", node.span, format!("`{word}` is empty")));
        }
        let mut assertions = Vec::with_capacity(entries.len());
        let is_wanted = matches!(part, None | Some(Part::Expect | Part::Warn | Part::Good));
        for entry in entries {
            let (name, value) = entry;
            let before = assertions.len();
            let Some(Subject { name: subject, shape, wants, .. }) = subjects.find(&name.value) else {
                self.report.push(subjects.unknown(name));
                continue;
            };
            match *shape {
                Shape::Agree => self.agree(subject, value, subjects, &mut assertions),
                Shape::Rule(rule) => assertions.extend(self.rule(subject, rule, value)),
                Shape::One(SubjectType::Duration) if value.scalar().is_some() => {
                    self.bare_duration(value, subject, *wants);
                }
                shape => self.subject(subject, shape, value, &mut assertions),
            }
            for assertion in assertions.iter().skip(before).filter(|_| is_wanted) {
                self.right_way_round(entry, assertion, *wants);
            }
        }
        if !is_wanted || part.is_none() {
            self.no_history(entries, &assertions, word);
        }
        assertions
    }

    /// `advances` compares a run with earlier ones, which has no meaning inside of one run.
    fn no_history(&mut self, entries: &[(Spanned<String>, Node)], assertions: &[Assertion], part: &str) {
        let Some(wrong) = assertions.iter().find(|assertion| assertion.follows_a_value()) else { return };
        let at = entries.iter().find(|(key, _)| key.value == wrong.subject());
        let message = format!("`advances` has no meaning under `{part}`");
        let problem = Diagnostic::error("E308", at.map(|(key, _)| key.span).unwrap_or_default(), message);
        self.report
            .push(problem.help("it compares a run with earlier runs: put it under `expect` or `warn`"));
    }

    /// `agree: [soa.serial]`: one assertion for each of the subjects.
    fn agree(&mut self, key: &'static str, value: &Node, subjects: &Subjects, to: &mut Vec<Assertion>) {
        let Some(Bound::List(names)) = self.value(value, &KeyType::OneOrMany(&KeyType::Text), key) else {
            return;
        };
        let comparable = || {
            let one = |subject: &&Subject| matches!(subject.shape, Shape::One(_));
            subjects.table.iter().filter(one).map(|subject| subject.name)
        };
        for name in names {
            let Bound::Text(text) = name.value else { continue };
            let Some(subject) = comparable().find(|known| **known == *text) else {
                let message =
                    format!("`{}` is nothing that can agree", model::outcome::cut(text.clone(), 60));
                let problem = Diagnostic::error("E105", name.span, message);
                self.report.push(match nearest(&text, comparable()) {
                    Some(near) => problem.label(format!("did you mean `{near}`?")),
                    None => problem.help(format!("one of {}", comparable().collect::<Vec<_>>().join(", "))),
                });
                continue;
            };
            to.push(Assertion::new(Inner {
                subject,
                selector: Selector::Whole,
                several: false,
                matchers: Box::new([Matcher::Agree]),
                name: format!("{key} {subject}").into(),
                expected: Cow::Borrowed("the same from each"),
                implied: false,
                quoted: false,
            }));
        }
    }

    fn subject(&mut self, subject: &'static str, shape: Shape, value: &Node, to: &mut Vec<Assertion>) {
        let Shape::One(kind) = shape else { return self.keyed(subject, shape, value, to) };
        let Some((matchers, expected)) = self.matchers(value, ValueType::One(kind), subject) else { return };
        let quoted = ValueType::One(kind).is_quoted();
        let (name, selector) = (subject.into(), Selector::Whole);
        to.push(Assertion::new(Inner {
            subject,
            selector,
            several: false,
            matchers,
            name,
            expected,
            implied: false,
            quoted,
        }));
    }

    /// `json: { $.status: UP }`: a map from selectors to matchers.
    fn keyed(&mut self, subject: &'static str, shape: Shape, value: &Node, to: &mut Vec<Assertion>) {
        let NodeValue::Map(entries) = &value.value else {
            let (what, example) = select::words(shape);
            let message = format!("expected a map of {what} and what must hold, found {}", value.describe());
            let problem = Diagnostic::error("E103", value.span, message);
            self.report.push(problem.help(format!("write {subject}: {{ {example} }}")));
            return;
        };
        if entries.is_empty() {
            self.report.push(Diagnostic::error("E104", value.span, format!("`{subject}` is empty")));
        }
        if shape == Shape::Header {
            self.header_once(entries);
        }
        for (key, value) in entries {
            let selected = self.report_err(select_key(subject, shape, key, self.names.patterns()));
            if shape == Shape::Pattern && selected.is_some() {
                self.pattern_as_meant(&key.value, key.span);
            }
            let matchers = self.matchers(value, ValueType::chosen(shape), &key.value);
            if let (Some(Selected { selector, several, name }), Some((matchers, expected))) =
                (selected, matchers)
            {
                to.push(Assertion::new(Inner {
                    subject,
                    selector,
                    several,
                    matchers,
                    name,
                    expected,
                    implied: false,
                    quoted: true,
                }));
            }
        }
    }

    /// A bare value or a map of operators, with the words for people.
    fn matchers(
        &mut self,
        node: &Node,
        value: ValueType,
        key: &str,
    ) -> Option<(Box<[Matcher]>, Cow<'static, str>)> {
        let NodeValue::Map(entries) = &node.value else {
            let Operand { matcher, words } = self.bare(node, value, key)?;
            self.makes_sense(node, &[], std::slice::from_ref(&matcher), (value, key));
            return Some((Box::new([matcher]), phrase::shared(words)));
        };
        if entries.is_empty() {
            self.report.push(Diagnostic::error("E104", node.span, format!("nothing is expected of `{key}`")));
            return None;
        }
        let mut matchers = Vec::with_capacity(entries.len());
        let mut phrases = Vec::with_capacity(entries.len());
        let mut sound = true;
        let tolerance = entries.iter().find(|(key, _)| key.value == TOLERANCE_KEY.name);
        for (operator, operand) in entries {
            if operator.value == TOLERANCE_KEY.name {
                continue;
            }
            match self.operator(operator, operand, value) {
                Some(Operand { matcher, words }) => {
                    matchers.push(matcher);
                    phrases.push(words);
                }
                None => sound = false,
            }
        }
        if let Some((key, node)) = tolerance {
            sound &= self.future_tolerance((key, node), &mut matchers);
        }
        sound &= self.no_contradiction(entries, &matchers, sound);
        sound = sound && self.makes_sense(node, entries, &matchers, (value, key));
        sound.then(|| (matchers.into(), phrase::shared(phrase::joined(&phrases))))
    }

    /// `exists: false` beside anything else can never hold.
    fn no_contradiction(
        &mut self,
        entries: &[(Spanned<String>, Node)],
        matchers: &[Matcher],
        sound: bool,
    ) -> bool {
        let absent = matchers.iter().position(|matcher| matches!(matcher, Matcher::Exists(false)));
        match absent {
            Some(index) if sound && matchers.len() > 1 => {
                let problem = Diagnostic::error(
                    "E308",
                    entries[index].0.span,
                    "`exists: false` cannot hold together with another operator",
                );
                self.report.push(problem);
                false
            }
            _ => true,
        }
    }

    fn operator(&mut self, operator: &Spanned<String>, operand: &Node, value: ValueType) -> Option<Operand> {
        let typed = operator.value.as_str();
        let Some(known) = OPERATORS.iter().find(|known| known.name == typed) else {
            self.report.push(unknown_operator(operator, value));
            return None;
        };
        if !(known.fits)(value) {
            let fitting: Vec<_> = operators_for(value).collect();
            let message = format!("`{typed}` cannot be used with {}", type_words(value));
            let problem = Diagnostic::error("E308", operator.span, message);
            let problem = problem.help(format!("operators here are {}", fitting.join(", ")));
            self.report.push(match (value, known.takes) {
                (ValueType::Found | ValueType::FoundMany, Takes::Limit) => problem
                    .help("it is a text, even one of digits: for a form write { matches: '^[1-9][0-9]*$' }, for a time newer_than"),
                _ => problem,
            });
            return None;
        }
        (known.bind)(self, operand, value, typed)
    }
}

fn operators_for(value: ValueType) -> impl Iterator<Item = &'static str> {
    OPERATORS.iter().filter(move |operator| (operator.fits)(value)).map(|operator| operator.name)
}

fn unknown_operator(operator: &Spanned<String>, value: ValueType) -> Diagnostic {
    let typed = operator.value.as_str();
    let shown = model::outcome::cut(typed.to_owned(), 60);
    let problem = Diagnostic::error("E306", operator.span, format!("unknown operator `{shown}`"));
    let other = match typed.to_ascii_lowercase().as_str() {
        "eq" | "is" | "==" | "=" | "equal" | "equal_to" => Some("equals"),
        "ne" | "neq" | "!=" | "not_equals" | "not_equal" => Some("not"),
        ">" | "greater_than" | "more_than" | "above" => Some("gt"),
        ">=" | "ge" | "min" | "at_least" => Some("gte"),
        "<" | "less_than" | "below" | "under" => Some("lt"),
        "<=" | "le" | "max" | "at_most" => Some("lte"),
        "regex" | "regexp" | "match" | "pattern" => Some("matches"),
        "includes" | "include" | "has" => Some("contains"),
        "length" | "size" | "count" => Some("len"),
        "younger_than" | "max_age" | "within" => Some("newer_than"),
        "one_of" | "oneof" | "any_of" => Some("in"),
        "present" | "exist" => Some("exists"),
        _ => None,
    };
    let near = nearest(typed, operators_for(value))
        .or(other.filter(|name| operators_for(value).any(|known| known == *name)));
    let problem = match near {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem,
    };
    let list = operators_for(value).collect::<Vec<_>>().join(", ");
    let problem = problem.help(format!("operators here are {list}"));
    match value {
        ValueType::Dynamic if near.is_none() => {
            problem.help("to compare with a whole object, write equals: { … }")
        }
        _ => problem,
    }
}

/// The assertion that a kind implies, from its table; `None` if the table is wrong.
pub(crate) fn implied<N>(
    kind: &'static Kind<N>,
    subject: &'static str,
    value: &'static str,
) -> Option<Assertion> {
    let mut report = crate::diagnostic::Report::default();
    let node = crate::tree::parse(0, value, &mut report)?;
    let shared = crate::names::Shared::default();
    let mut names = crate::names::Names::new(&shared, &crate::names::NOTHING, None);
    let mut binder = Binder { report: &mut report, names: &mut names };
    let subjects = Subjects::of(kind);
    let &Subject { name: subject, shape, .. } = subjects.find(subject)?;
    if shape == Shape::Agree {
        let mut assertions = Vec::with_capacity(1);
        binder.agree(subject, &node, &subjects, &mut assertions);
        return assertions.pop().and_then(Assertion::into_implied);
    }
    let Shape::One(kind) = shape else { return None };
    let (matchers, expected) = binder.matchers(&node, ValueType::One(kind), subject)?;
    let expected = if *expected == *value { Cow::Borrowed(value) } else { expected };
    Some(Assertion::new(Inner {
        subject,
        selector: Selector::Whole,
        several: false,
        matchers,
        name: Arc::from(subject),
        expected,
        implied: true,
        quoted: ValueType::One(kind).is_quoted(),
    }))
}
