//! Keys that are not known where they stand: what was probably meant.

use crate::diagnostic::Diagnostic;
use crate::fields::Key;
use crate::source::{Span, Spanned};
use crate::suggest::nearest;

/// Where a map stands, for messages about its keys.
pub(crate) struct Place<'a> {
    /// "here", "here for an http step", "in prober.yaml".
    pub(crate) words: String,
    /// Keys that are valid here and read by what they hold, not by a table.
    pub(crate) other: Vec<&'a str>,
    /// Keys that are valid at another place, and that place.
    pub(crate) elsewhere: &'a dyn Fn(&str) -> Option<Elsewhere>,
}

/// The place where a key belongs.
pub(crate) enum Elsewhere {
    /// Under this key.
    Under(String),
    /// A sentence with what to write instead.
    Hint(String),
}

/// Keys of the language that this version does not have yet.
pub(crate) const LATER: [&str; 20] = [
    "routes",
    "network",
    "use",
    "with",
    "matrix",
    "poll",
    "retry",
    "teardown",
    "maintenance",
    "slo",
    "alerts",
    "quorum",
    "was",
    "cel",
    "agree",
    "apiVersion",
    "metadata",
    "spec",
    "include",
    "s3",
];

fn nowhere(_: &str) -> Option<Elsewhere> {
    None
}

impl<'a> Place<'a> {
    /// The same, with these keys valid beside those of a table.
    pub(crate) fn with(self, other: &[&'a str]) -> Self {
        Self { other: other.to_vec(), ..self }
    }
}

impl Place<'static> {
    /// Under a key of a record.
    pub(crate) fn under(key: &str) -> Self {
        Self { words: format!("under `{key}`"), other: Vec::new(), elsewhere: &nowhere }
    }
}

impl Place<'_> {
    /// The mistake of a key that has no meaning here.
    pub(crate) fn unknown_key(&self, name: &Spanned<String>, keys: &[Key]) -> Diagnostic {
        let typed = name.value.as_str();
        if LATER.contains(&typed) {
            let message = format!("`{typed}` is not supported by this version yet");
            return Diagnostic::error("E106", name.span, message);
        }
        let shown = model::outcome::cut(typed.to_owned(), 60);
        let problem = Diagnostic::error("E102", name.span, format!("unknown key `{shown}`"));
        let known = || keys.iter().map(|key| key.name).chain(self.other.iter().copied());
        let problem = match nearest(typed, known()) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None => match (self.elsewhere)(typed).or_else(|| other_tools(typed)) {
                Some(Elsewhere::Under(place)) => problem.label(format!("`{shown}` belongs under `{place}`")),
                Some(Elsewhere::Hint(hint)) => problem.label(hint),
                None => problem,
            },
        };
        problem.help(self.allowed(keys))
    }

    /// A list of the keys that are known here.
    pub(crate) fn allowed(&self, keys: &[Key]) -> String {
        let names: Vec<_> = keys.iter().map(|key| key.name).chain(self.other.iter().copied()).collect();
        format!("keys allowed {}: {}", self.words, names.join(", "))
    }

    /// The mistake of a key that must be there.
    pub(crate) fn missing(&self, key: &Key, at: Span) -> Diagnostic {
        Diagnostic::error("E101", at, format!("the key `{}` is missing {}", key.name, self.words))
            .help(format!("add {}: {}", key.name, key.example))
    }
}

/// Words of other tools for things that this language has under another name.
fn other_tools(typed: &str) -> Option<Elsewhere> {
    let plain: String = typed.chars().filter(char::is_ascii_alphanumeric).collect();
    let hint = match plain.to_ascii_lowercase().as_str() {
        "assertions" | "assertion" | "assert" | "asserts" | "checks" | "check" | "conditions"
        | "condition" | "validations" | "validate" | "expected" | "expectations" | "responses" => {
            "what must hold stands under `expect`"
        }
        "interval" | "frequency" | "period" | "schedule" | "cadence" | "intervalseconds" | "runevery" => {
            "the interval is `every`, such as every: 1m; or `cron`"
        }
        "url" | "urls" | "target" | "targets" | "host" | "hosts" | "hostname" | "endpoint" | "uri"
        | "address" | "request" | "requests" => {
            "what to probe stands under its kind, such as http: https://shop.example/"
        }
        "type" | "kind" | "protocol" | "module" | "probe" | "prober" => {
            "the kind of a step is a key itself, such as http: https://shop.example/"
        }
        "timeoutseconds" | "timeoutsec" | "timeoutms" | "deadline" => {
            "the limit is `timeout`, such as timeout: 10s"
        }
        "tags" | "annotations" => "labels stand under `labels`",
        "description" | "summary" | "purpose" => "what it is for stands under `aim`",
        "team" | "contact" | "group" => "the team stands under `owner`",
        "variables" | "env" | "environment" | "parameters" => "variables stand under `vars`",
        "locations" | "location" | "sites" | "region" => "where it runs stands under `regions`",
        "id" | "slug" => "the key of its history is `name`",
        "extract" | "save" | "store" | "export" | "captures" => {
            "values for later steps stand under `capture`"
        }
        "tests" | "monitors" | "flow" | "stages" | "tasks" => "several requests stand under `steps`",
        "threshold" | "thresholds" | "slowthreshold" => {
            "a limit for good runs stands under `sli: { good: { latency: … } }`"
        }
        "retries" | "attempts" => "`retry` is not supported by this version yet",
        _ => return None,
    };
    Some(Elsewhere::Hint(hint.to_owned()))
}
