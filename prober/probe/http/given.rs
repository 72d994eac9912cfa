//! Headers that an author gives, for every kind that sends some.

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, header};
use model::outcome::Failure;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Bound, Fields};
use scenario::source::Spanned;
use scenario::template::{Part, Scope, Template};
use scenario::value::{Reading, Value};

use crate::net::fault::{self, unusable};

/// Which headers are not the author's to set.
pub(crate) struct Reserved {
    /// Whose they are: "connection".
    pub(crate) whose: &'static str,
    /// Which.
    pub(crate) is: fn(&HeaderName) -> bool,
    /// What to do about one.
    pub(crate) help: &'static str,
}

/// What HTTP itself sets.
pub(super) const OF_HTTP: Reserved = Reserved {
    whose: "connection",
    is: |name| [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::UPGRADE].contains(name),
    help: "it is set from the body",
};

/// The headers under `key`, in their order; `None` if the report says which cannot be sent.
pub(crate) fn headers(
    key: &str,
    reserved: &Reserved,
    fields: &mut Fields,
    report: &mut Report,
) -> Option<Vec<(HeaderName, Template)>> {
    let Some(given) = fields.map(key) else { return Some(Vec::new()) };
    let (mut headers, mut is_wrong) = (Vec::with_capacity(given.value.len()), false);
    for (name, value) in given.value {
        let Bound::Template(value) = value.value else { continue };
        match one(&name, &value, reserved) {
            Ok(name) => headers.push((name, value)),
            Err(diagnostic) => {
                report.push(*diagnostic);
                is_wrong = true;
            }
        }
    }
    (!is_wrong).then_some(headers)
}

fn one(name: &Spanned<String>, value: &Template, reserved: &Reserved) -> Result<HeaderName, Box<Diagnostic>> {
    let wrong = |code, message: String| Diagnostic::error(code, name.span, message);
    let parsed = HeaderName::from_bytes(name.value.as_bytes()).map_err(|_| {
        wrong("E173", format!("`{}` cannot be the name of a header", name.value))
            .help("letters, digits and dashes, like Content-Type")
    })?;
    if (reserved.is)(&parsed) {
        let message = format!("the header {parsed} belongs to the {} and cannot be set", reserved.whose);
        return Err(Box::new(wrong("E173", message).help(reserved.help)));
    }
    if fits(value) {
        Ok(parsed)
    } else {
        let message = format!("the value of header {parsed} has a line break or control character in it");
        Err(Box::new(wrong("E209", message).help("a header is one line")))
    }
}

/// Whether what is written of a header's value can be sent.
pub(super) fn fits(value: &Template) -> bool {
    value.parts().iter().all(|part| match part {
        Part::Text(text) => HeaderValue::from_str(text).is_ok(),
        Part::Hole(..) => true,
    })
}

/// The headers of this run.
///
/// # Errors
/// A name has no value, or one would have a control character in it.
pub(crate) fn filled(headers: &[(HeaderName, Template)], scope: &Scope<'_>) -> Result<HeaderMap, Failure> {
    let mut filled = HeaderMap::with_capacity(headers.len());
    for (name, template) in headers {
        let text = template.render(scope).map_err(|error| fault::unresolved(&error))?;
        let value = HeaderValue::from_str(&text).map_err(|_| {
            unusable(template, &format!("header {name} would have a control character in it"))
        })?;
        filled.append(name, value);
    }
    Ok(filled)
}

/// What an answer's headers say under `name`, as assertions see it; bytes that are no UTF-8 are shown as \u{fffd}.
pub(crate) fn reading<'a>(headers: &'a HeaderMap, name: &str) -> Reading<'a> {
    let mut values =
        headers.get_all(name).iter().map(|value| Value::Text(String::from_utf8_lossy(value.as_bytes())));
    match (values.next(), values.next()) {
        (None, _) => Reading::Absent,
        (Some(only), None) => Reading::One(only),
        (Some(first), Some(second)) => Reading::Many([first, second].into_iter().chain(values).collect()),
    }
}
