//! A path to elements of an XML document: a small part of `XPath`.
//!
//! `/feed/entry[1]/title` goes from the top element down by names, `*` fits every name, `[n]` takes the n-th
//! element of that name below its parent, counted from 1 as in `XPath`, and a last `@name` takes an attribute. A
//! name without a prefix fits every prefix. Deliberately absent: axes, functions, `//`.

/// The longest path, in bytes.
const PATH_BYTES_MAX: usize = 512;
/// The most steps of a path.
const STEPS_MAX: usize = 32;

/// A path, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlPath {
    /// The names from the top element down; never empty.
    pub steps: Box<[XmlStep]>,
    /// The attribute that is taken in place of the element's text.
    pub attribute: Option<Box<str>>,
}

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlStep {
    /// The element's name; `None` fits every one.
    pub name: Option<Box<str>>,
    /// Which of those that fit, from 1; all of them if `None`.
    pub nth: Option<usize>,
}

impl XmlPath {
    /// The path that `text` spells.
    ///
    /// # Errors
    /// It spells none; what is wrong, and what helps.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        let example = || "like /feed/entry[1]/title or /feed/entry/@id".to_owned();
        if text.len() > PATH_BYTES_MAX {
            return Err((format!("an XML path has at most {PATH_BYTES_MAX} bytes"), example()));
        }
        if let Some(help) = of_function(text) {
            return Err((format!("`{text}` has a function, and paths have none"), help));
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err((
                format!("`{text}` is not an XML path"),
                format!("it begins at the top: write /{text}"),
            ));
        };
        if rest.starts_with('/') || text.contains("//") {
            return Err((
                format!("`{text}` is not an XML path"),
                "`//` is not known: name every element from the top down".to_owned(),
            ));
        }
        let mut parts: Vec<_> = rest.split('/').collect();
        let attribute = match parts.last().and_then(|last| last.strip_prefix('@')) {
            Some(name) if is_name(name) && parts.len() > 1 => Some(name.into()),
            Some(_) => return Err((format!("`{text}` does not name an attribute of an element"), example())),
            None => None,
        };
        if attribute.is_some() {
            parts.pop();
        }
        if parts.len() > STEPS_MAX {
            return Err((format!("an XML path has at most {STEPS_MAX} steps"), example()));
        }
        let steps = parts.into_iter().map(XmlStep::parse).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { steps: steps.into(), attribute })
    }
}

/// What helps whoever wrote a function of `XPath`; `None` if there is none outside of brackets.
fn of_function(text: &str) -> Option<String> {
    if let Some(path) = text.strip_suffix("/text()") {
        return Some(format!("write {path}: its text is what is looked at"));
    }
    let (function, inner) = text.strip_suffix(')')?.split_once('(').filter(|(name, _)| is_name(name))?;
    let path = XmlPath::parse(inner).ok().map(|_| inner);
    Some(match (function, path) {
        ("count", Some(path)) => {
            format!("to ask for at least three write \"{path}[3]\": {{ exists: true }}")
        }
        (_, Some(path)) => format!("write {path}: and what must hold of its text"),
        _ => "a path has names with `/` between them, like /feed/entry[1]/title".to_owned(),
    })
}

impl XmlStep {
    fn parse(text: &str) -> Result<Self, (String, String)> {
        let (name, nth) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
            Some((name, "0")) => {
                return Err((
                    format!("`{name}[0]` is never there"),
                    format!("elements are counted from 1: write {name}[1]"),
                ));
            }
            Some((name, number)) => {
                let wrong = || {
                    (
                        format!("`[{number}]` is not known"),
                        "only a number may stand there, counted from 1".to_owned(),
                    )
                };
                (
                    name,
                    Some(number.parse::<usize>().ok().filter(|number| *number < 100_000).ok_or_else(wrong)?),
                )
            }
            None => (text, None),
        };
        match name {
            "*" => Ok(Self { name: None, nth }),
            _ if is_name(name) => Ok(Self { name: Some(name.into()), nth }),
            _ => Err((
                format!("`{}` is not the name of an element", name.escape_debug()),
                "a path has names with `/` between them, like /feed/entry[1]/title".to_owned(),
            )),
        }
    }

    /// Whether an element of that name fits.
    pub fn fits(&self, name: &str) -> bool {
        let Some(wanted) = &self.name else { return true };
        let bare = name.rsplit(':').next().unwrap_or(name);
        **wanted == *name || (!wanted.contains(':') && **wanted == *bare)
    }
}

fn is_name(text: &str) -> bool {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | ':');
    !text.is_empty()
        && text.chars().all(fits)
        && !text.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-' || letter == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        let path = XmlPath::parse("/feed/*/atom:entry[2]/@id").unwrap();
        assert_eq!(path.attribute.as_deref(), Some("id"));
        let shown: Vec<_> = path.steps.iter().map(|step| (step.name.as_deref(), step.nth)).collect();
        assert_eq!(shown, [(Some("feed"), None), (None, None), (Some("atom:entry"), Some(2))]);
        assert!(path.steps[0].fits("a:feed") && path.steps[0].fits("feed") && !path.steps[0].fits("feeds"));
        assert!(path.steps[2].fits("atom:entry") && !path.steps[2].fits("entry"));
    }

    #[test]
    fn what_is_no_path_says_what_helps() {
        for (text, help) in [
            ("feed/entry", "it begins at the top: write /feed/entry"),
            ("count(/feed/entry)", "to ask for at least three write \"/feed/entry[3]\": { exists: true }"),
            ("string(/feed/title)", "write /feed/title: and what must hold of its text"),
            ("count(//a)", "a path has names with `/` between them, like /feed/entry[1]/title"),
            ("/feed/title/text()", "write /feed/title: its text is what is looked at"),
            ("//entry", "`//` is not known: name every element from the top down"),
            ("/feed/entry[0]", "elements are counted from 1: write entry[1]"),
            ("/feed/entry[last()]", "only a number may stand there, counted from 1"),
            ("/feed/", "a path has names with `/` between them, like /feed/entry[1]/title"),
            ("/", "a path has names with `/` between them, like /feed/entry[1]/title"),
            ("/@id", "like /feed/entry[1]/title or /feed/entry/@id"),
            ("/feed/@", "like /feed/entry[1]/title or /feed/entry/@id"),
            ("/1feed", "a path has names with `/` between them, like /feed/entry[1]/title"),
        ] {
            assert_eq!(XmlPath::parse(text).unwrap_err().1, help, "{text}");
        }
        assert!(XmlPath::parse(&"/a".repeat(40)).is_err());
        assert!(XmlPath::parse(&format!("/{}", "a".repeat(600))).is_err());
    }
}
