//! The socket where probe kinds plug in.
//!
//! A kind is a plain value: its keys and subjects are tables that the binder, the JSON Schema and the
//! documentation share, and its compile function turns bound keys into an action. Generic over `N`, what an
//! action needs to reach the network, so that a file is validated without any network at all.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass};
use model::probe::BoxFuture;
use model::step::Hop;

use crate::assertion::LATENCY;
use crate::diagnostic::Report;
use crate::fields::{Fields, Key};
use crate::form::{Extent, Form};
use crate::own::{Chooser, Rule};
use crate::showing::Shows;
use crate::template::Scope;
use crate::value::{Reading, Selector, SubjectType};

/// A kind of step.
pub struct Kind<N: 'static> {
    /// The key in a scenario file.
    pub name: &'static str,
    /// One line for `prober explain` and the schema.
    pub summary: &'static str,
    /// The keys of its map form.
    pub keys: &'static [Key],
    /// Splits the short form (`http: HEAD https://…`) into keys and the bytes of their values.
    pub short: Option<ShortForm>,
    /// What `expect`, `warn`, `capture`, `sli` and `until` may look at, beside `latency`.
    pub subjects: &'static [Subject],
    /// What is expected where the author says nothing about the subject: `("status", "2xx")`, as YAML.
    pub implied: &'static [(&'static str, &'static str)],
    /// The failure that a broken `expect` stands for, if it is not plainly `incorrect` / `assert.SUBJECT`.
    pub classify: Classify,
    /// Makes the action; mistakes beyond the table's go to the report, and then the answer is `None`.
    pub compile: Compile<N>,
}

/// Splits a short form into keys and the bytes of their values.
pub type ShortForm = fn(&str) -> Vec<(&'static str, Range<usize>)>;

/// `(subject, actual value as text, whether the assertion was implied)` to class and `error.type`.
pub type Classify = fn(&str, &str, bool) -> Option<(FailureClass, Cow<'static, str>)>;

/// A kind's compile function.
pub type Compile<N> = fn(Fields, &mut Report) -> Option<Box<dyn Action<N>>>;

impl<N> fmt::Debug for Kind<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Kind({})", self.name)
    }
}

/// Something that a step observes and an assertion may look at.
#[derive(Debug)]
pub struct Subject {
    /// The key under `expect`.
    pub name: &'static str,
    /// What it is, in one sentence for people.
    pub doc: &'static str,
    /// Its type, and whether it is looked at as a whole or by a selector.
    pub shape: Shape,
    /// An example for the schema: the YAML value.
    pub example: &'static str,
    /// Which way it is bounded in most files, if it is a duration: one that is bounded only the other way is warned of.
    pub wants: Wants,
}

impl Subject {
    /// A subject that wants nothing; see the fields for what each is.
    pub const fn new(name: &'static str, shape: Shape, doc: &'static str, example: &'static str) -> Self {
        Self { name, doc, shape, example, wants: Wants::Nothing }
    }

    /// The same subject with what it wants.
    #[must_use]
    pub const fn wanting(self, wants: Wants) -> Self {
        Self { wants, ..self }
    }
}

/// Which bound of a duration keeps what is good apart from what is feared.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Wants {
    /// The longer, the better: how long a certificate is still valid.
    AtLeast,
    /// The shorter, the better: how long an answer takes.
    AtMost,
    /// Neither, or it is no duration.
    Nothing,
}

/// The subject that every kind has, beside those of its table.
pub(crate) static LATENCY_SUBJECT: Subject = Subject::new(
    LATENCY,
    Shape::One(SubjectType::Duration),
    "How long the step took: with `retry`, all attempts and the pauses between them; with `poll`, the last poll. Under `sli.good`, how long the run took, with all polls and pauses.",
    "{ lt: 300ms }",
)
.wanting(Wants::AtMost);

/// Whether a subject is one value or many that a selector chooses from.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Shape {
    /// `status: 200`
    One(SubjectType),
    /// `json: { $.status: UP }`, the keys are JSON paths (RFC 9535).
    JsonPath,
    /// `xml: { /feed/entry[1]/title: … }`, the keys are paths of names from the top element down.
    XmlPath,
    /// `regex: { 'updated: (\S+)': … }`, the keys are regular expressions that match somewhere in a text.
    Pattern,
    /// `headers: { Last-Modified: … }`, the keys are header names, case does not matter.
    Header,
    /// `rows: { "[0].last": … }`, the keys are row number and column name.
    Row,
    /// `css: { "h1.title": Shop }`, the keys are texts that the kind itself takes apart.
    Own(&'static Chooser),
    /// `json_schema: order.schema.json`, a rule that the kind itself compiles; it is kept or broken.
    Rule(&'static Rule),
    /// `agree: [soa.serial]`, the names of subjects that all sources must say the same of.
    Agree,
}

/// One step, ready to be run any number of times.
pub trait Action<N>: Send + Sync + fmt::Debug {
    /// What the step talks to, for people: `GET ${vars.shop}/`; captures and secrets stay names.
    fn target(&self) -> String;

    /// What a run of this step can show of the subject: of an answer to HEAD, say, no body.
    fn shows(&self, _subject: &str) -> Shows {
        Shows::Anything
    }

    /// How long a run of this step takes at least if all goes well, as far as its file says it.
    fn takes(&self) -> Option<Takes> {
        None
    }

    /// Told once, when the file is compiled, which subjects anything looks at: expectations, captures, the SLI.
    ///
    /// What only one of the others needs, and costs the target something, can be left out.
    fn looked_at(&mut self, _subjects: &[&'static str]) {}

    /// Runs the step once; ends by itself at the context's deadline.
    ///
    /// `net` is this run's own: it carries connections and cookies from step to step.
    fn run<'a>(&'a self, net: &'a mut N, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome>;

    /// Whether doing it twice does no more than doing it once, once the target may have seen it.
    fn is_repeatable(&self) -> bool {
        true
    }

    /// What this very step expects where the author says nothing about the subject, beside what its kind
    /// does: `("dnssec", "secure")`, as YAML.
    fn implies(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Whether the subject, or an item of it, ever has or is this text: compared with another one it would never hold.
    fn form(&self, _subject: &str, _value: &str, _extent: Extent) -> Form {
        Form::Fits
    }

    /// How many sources are asked, if the file says so.
    fn sources(&self) -> Option<usize> {
        None
    }

    /// Where the step connects to, as far as the file says it: hosts that a run fills in are not there.
    ///
    /// Only so that a file is refused before it runs; each connection of a run is judged anyway.
    fn endpoints(&self) -> Vec<Endpoint> {
        Vec::new()
    }
}

/// How long a step takes at least.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Takes {
    /// So long.
    pub least: Duration,
    /// What takes so long, for people: `all pings are sent after`.
    pub what: &'static str,
    /// The key that decides it.
    pub key: &'static str,
}

/// A host that a step connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The name or address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What a step is told.
#[derive(Clone, Debug)]
pub struct StepContext<'a> {
    /// Captures, secrets and facts of the run, for templates.
    pub scope: &'a Scope<'a>,
    /// When the run began on the monotonic clock; hop phases count from `began`.
    pub began: Instant,
    /// When the step must have ended.
    pub deadline: Instant,
}

/// What one step showed, before its assertions are looked at.
pub struct StepOutcome {
    /// The exchanges with their phases; offsets count from the step's own start.
    pub hops: Vec<Hop>,
    /// Facts in OpenTelemetry's words.
    pub attributes: Attributes,
    /// What went wrong before there was anything to assert; assertions are then not looked at.
    pub failure: Option<Failure>,
    /// What the assertions look at.
    pub evidence: Box<dyn Evidence>,
}

impl StepOutcome {
    /// How long the target took: until its last phase ended, or `elapsed` if nothing has phases or the step failed.
    ///
    /// What follows is ours, such as a goodbye or a look at a chain, and never counts against a target.
    pub fn took(&self, elapsed: Duration) -> Duration {
        if self.failure.is_some() {
            return elapsed;
        }
        let spans = self.hops.iter().filter_map(|hop| hop.phases.last());
        let end = spans.map(|last| last.start + last.duration).max();
        end.map_or(elapsed, |end| end.min(elapsed))
    }
}

impl StepOutcome {
    /// The outcome of a step that failed before it asked anybody.
    pub fn failed(failure: Failure) -> Self {
        Self {
            hops: Vec::new(),
            attributes: Attributes::new(),
            failure: Some(failure),
            evidence: Box::new(Nothing),
        }
    }
}

/// What a step observed.
pub trait Evidence: Send + Any {
    /// The subject's value.
    fn read<'a>(&'a self, subject: &str, selector: &Selector) -> Reading<'a>;

    /// Who was asked, if that is not plain from the scenario: where a reading has several values, the source
    /// of each in their order.
    fn sources(&self) -> Vec<String> {
        Vec::new()
    }

    /// What each source showed, by its name, where a step asked several that each answered for itself: every
    /// assertion must hold for each of them. [`Self::read`] is then about the first.
    fn each(&self) -> Option<&[(String, Box<dyn Evidence>)]> {
        None
    }

    /// Whether there is no such subject because of what another subject says, such as a status of health where the call
    /// failed: what a kind expects of it without being told does not count then, and the other one is judged by itself.
    fn is_moot(&self, _subject: &str) -> bool {
        false
    }

    /// Why the subject is what it is, in a few words for the message of a broken assertion.
    fn explain(&self, _subject: &str) -> Option<String> {
        None
    }
}

/// The evidence of a step that observed nothing.
#[derive(Copy, Clone, Debug)]
pub struct Nothing;

impl Evidence for Nothing {
    fn read<'a>(&'a self, _: &str, _: &Selector) -> Reading<'a> {
        Reading::Absent
    }
}
