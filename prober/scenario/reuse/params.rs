//! The parameters of a template: their types, and whether a value fits.

use crate::bind::{Binder, Place, scalar};
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, KeyType};
use crate::name;
use crate::names::{NOTHING, Names, Shared};
use crate::source::{Span, Spanned};
use crate::suggest::{nearest, one_of};
use crate::template::Template;
use crate::tree::{Node, Scalar, ScalarKind};

use super::keys::{DEFAULT, PARAM_KEYS};

/// The most parameters of a template.
const PARAMS_MAX: usize = 50;

/// The words for types, in the order of [`Type`].
pub(super) const TYPES: &[&str] =
    &["url", "text", "duration", "number", "int", "bool", "size", "percent", "choice"];

/// What an argument must be.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Type {
    Url,
    Text,
    Duration,
    Number,
    Int,
    Bool,
    Size,
    Percent,
    Choice,
}

impl Type {
    const ALL: [Self; 9] = [
        Self::Url,
        Self::Text,
        Self::Duration,
        Self::Number,
        Self::Int,
        Self::Bool,
        Self::Size,
        Self::Percent,
        Self::Choice,
    ];

    fn of(word: &str) -> Option<Self> {
        let index = TYPES.iter().position(|known| *known == word)?;
        Self::ALL.get(index).copied()
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Url => "a URL",
            Self::Text => "a text",
            Self::Duration => "a duration",
            Self::Number => "a number",
            Self::Int => "a whole number",
            Self::Bool => "`true` or `false`",
            Self::Size => "a size",
            Self::Percent => "a percentage",
            Self::Choice => "one of a few words",
        }
    }
}

/// One parameter of a template.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: Spanned<String>,
    /// `None` after a mistake in its type: then every value fits, and the mistake is reported once.
    kind: Option<Type>,
    values: Vec<String>,
    pub(crate) doc: String,
    pub(crate) default: Option<Node>,
}

impl Param {
    /// Reads `limit: { type: duration, default: 300ms }`; what is wrong is reported and left out.
    fn read(name: &Spanned<String>, node: &Node, report: &mut Report) -> Self {
        if let Err(problem) = name::private("parameter", &name.value, name.span) {
            report.push(problem);
        }
        let mut param =
            Self { name: name.clone(), kind: None, values: Vec::new(), doc: String::new(), default: None };
        if node.map().is_none() {
            let message = format!("expected the type of a parameter, found {}", node.describe());
            let word = node.scalar().map(|scalar| &*scalar.text).filter(|word| Type::of(word).is_some());
            let help = format!("write {}: {{ type: {} }}", name.value, word.unwrap_or("text"));
            report.push(Diagnostic::error("E103", node.span, message).help(help));
            return param;
        }
        let shared = Shared::default();
        let mut names = Names::new(&shared, &NOTHING, None);
        let place = Place::under(&name.value);
        let (mut fields, _) =
            Binder { report, names: &mut names }.entries(node, name.span, PARAM_KEYS, &place);
        let kind = fields.choice("type").and_then(|word| Type::of(word.value));
        let values = fields.list("values");
        param.doc = fields.text("doc").map(|doc| doc.value).unwrap_or_default();
        match (kind, &values) {
            (Some(Type::Choice), None) => {
                let problem =
                    Diagnostic::error("E101", name.span, "a `choice` needs the words to choose from");
                report.push(problem.help("add values: [fast, slow]"));
                return param;
            }
            (Some(other), Some(values)) if other != Type::Choice => {
                let problem =
                    Diagnostic::error("E154", values.span, "`values` belongs to parameters of type `choice`");
                report.push(problem.help("write type: choice, or leave out `values`"));
            }
            _ => {}
        }
        param.values =
            values.map(|list| list.value.into_iter().filter_map(word).collect()).unwrap_or_default();
        param.kind = kind;
        param.read_default(node, report);
        param
    }

    fn read_default(&mut self, node: &Node, report: &mut Report) {
        let Some(default) = node.get(DEFAULT) else { return };
        let Some(text) = default.scalar() else {
            let message = format!("a default is a single value, found {}", default.describe());
            report.push(Diagnostic::error("E103", default.span, message));
            return;
        };
        let mut sound = true;
        if text.text.contains("${") {
            crate::interpolate::paths(default, &mut |path, node, range| {
                if path.starts_with("params.") {
                    sound = false;
                    let span = node.part(range.start, range.end);
                    report.push(Diagnostic::error("E154", span, "a default cannot use another parameter"));
                }
            });
        } else if let Err(problem) = self.check(text, default.span) {
            sound = false;
            report.push(problem);
        }
        self.default = sound.then(|| default.clone());
    }

    /// The value with the parameter's type.
    ///
    /// # Errors
    /// It does not fit; the mistake is at the value, with the parameter as its second place.
    pub(crate) fn check(&self, value: &Scalar, span: Span) -> Result<Scalar, Diagnostic> {
        let name = self.name.value.as_str();
        let bind = |wanted: &KeyType| scalar(value, wanted, name, span).map(drop);
        let fits = match self.kind {
            None => Ok(()),
            Some(Type::Url) => bind(&KeyType::Text).and_then(|()| url(&value.text, span)),
            Some(Type::Text) => bind(&KeyType::Text),
            Some(Type::Duration) => bind(&KeyType::Duration),
            Some(Type::Int) => bind(&KeyType::Int(i64::MIN, i64::MAX)),
            Some(Type::Bool) => bind(&KeyType::Bool),
            Some(Type::Size) => bind(&KeyType::Size),
            Some(Type::Number) => number(value, span),
            Some(Type::Percent) => percent(value, name, span),
            Some(Type::Choice) => self.choice(value, span),
        };
        fits.map_err(|problem| self.second_place(problem))?;
        let kind = match self.kind {
            Some(Type::Text | Type::Url) => ScalarKind::Quoted,
            _ => value.kind,
        };
        Ok(Scalar { kind, verbatim: None, ..value.clone() })
    }

    /// Whether a value that is known only in the run may be passed.
    ///
    /// # Errors
    /// The type must be checked before.
    pub(crate) fn check_holes(&self, template: &Template, span: Span) -> Result<(), Diagnostic> {
        match self.kind {
            None | Some(Type::Url | Type::Text) => Ok(()),
            Some(kind) => {
                let message = format!(
                    "`{}` is {}, and `{template}` is known only in the run",
                    self.name.value,
                    kind.words()
                );
                Err(self.second_place(Diagnostic::error("E207", span, message)))
            }
        }
    }

    /// The mistake of an argument that is no single value.
    pub(crate) fn not_single(&self, node: &Node) -> Diagnostic {
        let words = self.kind.map_or("a single value", Type::words);
        let message = format!("expected {words}, found {}", node.describe());
        self.second_place(Diagnostic::error("E103", node.span, message))
    }

    fn second_place(&self, problem: Diagnostic) -> Diagnostic {
        let words = self.kind.map_or("a parameter", Type::words);
        problem.other(self.name.span, format!("`{}` is {words}", self.name.value))
    }

    fn choice(&self, value: &Scalar, span: Span) -> Result<(), Diagnostic> {
        if self.values.iter().any(|word| **word == *value.text) {
            return Ok(());
        }
        let found = model::outcome::cut(value.text.to_string(), 60);
        let problem =
            Diagnostic::error("E105", span, format!("`{found}` is not a value of `{}`", self.name.value));
        let words = || self.values.iter().map(String::as_str);
        Err(match nearest(&found, words()) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None => problem.help(format!("expected {}", one_of(words()))),
        })
    }
}

fn word(item: Spanned<Bound>) -> Option<String> {
    match item.value {
        Bound::Text(text) => Some(text),
        _ => None,
    }
}

fn url(text: &str, span: Span) -> Result<(), Diagnostic> {
    if url::Url::parse(text).is_ok_and(|url| url.has_host()) {
        return Ok(());
    }
    let found = model::outcome::cut(text.to_owned(), 60);
    Err(Diagnostic::error("E122", span, format!("`{found}` is not a URL"))
        .help("a URL has a scheme and a host, such as https://shop.example/health"))
}

fn number(value: &Scalar, span: Span) -> Result<(), Diagnostic> {
    if matches!(value.kind, ScalarKind::Int(_))
        || matches!(value.kind, ScalarKind::Float(found) if found.is_finite())
    {
        return Ok(());
    }
    let found = model::outcome::cut(value.text.to_string(), 60);
    let problem = Diagnostic::error("E103", span, format!("expected a number, found the text `{found}`"));
    let quoted = value.kind == ScalarKind::Quoted && value.text.parse::<f64>().is_ok();
    Err(if quoted { problem.help("write it without quotes") } else { problem })
}

fn percent(value: &Scalar, name: &str, span: Span) -> Result<(), Diagnostic> {
    let text = value.text.trim();
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| (0.0..=100.0).contains(number));
    if text.strip_suffix('%').is_some_and(|digits| number(digits).is_some()) {
        return Ok(());
    }
    let found = model::outcome::cut(text.to_owned(), 60);
    let problem =
        Diagnostic::error("E103", span, format!("expected a percentage like `99.9%`, found `{found}`"));
    Err(match number(text) {
        Some(_) => problem.help(format!("write {name}: {text}%")),
        None => problem,
    })
}

/// The parameters under `params`.
pub(super) fn read(node: &Node, report: &mut Report) -> Vec<Param> {
    let Some(entries) = node.map() else {
        let message = format!("expected a map of parameters, found {}", node.describe());
        report
            .push(Diagnostic::error("E103", node.span, message).help("write params: { url: { type: url } }"));
        return Vec::new();
    };
    if entries.len() > PARAMS_MAX {
        let message = format!("{} parameters, and {PARAMS_MAX} are the most", entries.len());
        report.push(Diagnostic::error("E117", entries[PARAMS_MAX].0.span, message));
    }
    entries.iter().take(PARAMS_MAX).map(|(name, node)| Param::read(name, node, report)).collect()
}
