//! XML as a bounded tree of elements.
//!
//! Entities beyond XML's own five are refused, and a document type is passed over: nothing is ever expanded
//! or fetched. Deliberately absent: what namespaces mean (a name is compared as it is written),
//! encodings beside UTF-8.

use std::borrow::Cow;
use std::collections::HashMap;

use quick_xml::XmlVersion;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;
use scenario::xml_path::XmlPath;

/// The most elements and attributes of a document.
const NODES_MAX: usize = 100_000;
/// The deepest nesting.
const DEPTH_MAX: usize = 64;

/// One element, with everything below it.
#[derive(Debug, Default)]
pub(crate) struct Element {
    /// The name as written, with its prefix.
    pub(crate) name: Box<str>,
    /// Names and values in order.
    pub(crate) attributes: Vec<(Box<str>, Box<str>)>,
    /// The element's own text, without that of its children.
    pub(crate) text: String,
    /// The elements directly below.
    pub(crate) children: Vec<Element>,
}

/// Why a text is no XML that can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum XmlError {
    /// Not UTF-8.
    #[error("it is not UTF-8 from byte {0} on")]
    Encoding(usize),
    /// XML's rules are broken.
    #[error("{0}")]
    Broken(#[from] quick_xml::Error),
    /// A character that XML does not have.
    #[error("it has the character U+{0:04X} in it, which XML does not allow")]
    Letter(u32),
    /// What an element or attribute may not be called.
    #[error("`{0}` is no name")]
    Name(String),
    /// A prefix that no element around declares.
    #[error("the prefix of `{0}` is not declared")]
    Prefix(String),
    /// A `<` in the value of this attribute.
    #[error("there is a `<` in the value of the attribute `{0}`")]
    Value(String),
    /// The end of CDATA outside of one.
    #[error("there is a `]]>` in a text")]
    TextEnd,
    /// An entity that is not one of XML's five.
    #[error("it uses the entity `&{0};`, which is not expanded")]
    Entity(String),
    /// More elements and attributes than are read.
    #[error("it has more than {NODES_MAX} elements and attributes")]
    Nodes,
    /// Nested deeper than is read.
    #[error("it is nested deeper than {DEPTH_MAX} elements")]
    Depth,
    /// No element, or several at the top.
    #[error("it does not have one element at the top")]
    Root,
    /// The end of an element is missing.
    #[error("it ends inside of the element `{0}`")]
    Cut(String),
}

impl XmlError {
    /// Whether it may be XML all the same: what is wrong is only that we do not read it.
    pub(crate) const fn is_ours(&self) -> bool {
        matches!(self, Self::Entity(_) | Self::Nodes | Self::Depth)
    }
}

impl Element {
    /// The document in `bytes`.
    ///
    /// # Errors
    /// It is not XML, or goes beyond the limits.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, XmlError> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| XmlError::Encoding(error.valid_up_to()))?;
        check_letters(text)?;
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        let mut tree = Tree::default();
        loop {
            match reader.read_event()? {
                Event::Start(start) => tree.open(&start)?,
                Event::Empty(start) => {
                    tree.open(&start)?;
                    tree.close()?;
                }
                Event::End(_) => tree.close()?,
                Event::Text(text) if text.contains("]]>") => return Err(XmlError::TextEnd),
                Event::Text(text) => tree.text(&text.xml10_content())?,
                Event::CData(text) => tree.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => tree.text(&resolve(&reference)?)?,
                Event::Eof => return tree.finish(),
                // It may give elements attributes, and so prefixes.
                Event::DocType(_) => tree.any_prefix = true,
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            }
        }
    }

    /// The texts that `path` leads to, in the document's order; blanks around them are left out.
    pub(crate) fn find(&self, path: &XmlPath) -> Vec<&str> {
        let Some((first, rest)) = path.steps.split_first() else { return Vec::new() };
        let top = first.fits(&self.name) && first.nth.is_none_or(|nth| nth == 1);
        let mut found: Vec<&Self> = if top { vec![self] } else { Vec::new() };
        for step in rest {
            let below = found.iter().map(|element| {
                let fitting = element.children.iter().filter(|child| step.fits(&child.name));
                match step.nth {
                    None => fitting.collect(),
                    Some(nth) => fitting.skip(nth - 1).take(1).collect::<Vec<_>>(),
                }
            });
            found = below.collect::<Vec<_>>().concat();
        }
        match &path.attribute {
            None => found.iter().map(|element| element.text.trim()).collect(),
            Some(name) => {
                let named = |element: &&Self| element.attributes.iter().position(|(key, _)| key == name);
                found
                    .iter()
                    .filter_map(|element| named(element).map(|at| &*element.attributes[at].1))
                    .collect()
            }
        }
    }

    /// The first element of that name directly below.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| &*child.name == name)
    }

    /// The text of the first element of that name directly below.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }
}

/// A document while it is read.
#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    nodes: usize,
    /// How many of the open elements declare a prefix.
    prefixes: HashMap<Box<str>, usize>,
    /// Whether prefixes need no declaration that we see.
    any_prefix: bool,
}

impl Tree {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), XmlError> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(XmlError::Root);
        }
        if self.open.len() == DEPTH_MAX {
            return Err(XmlError::Depth);
        }
        self.count()?;
        let mut element = Element { name: name(start.name().as_ref())?.into(), ..Element::default() };
        for attribute in start.attributes() {
            self.count()?;
            let attribute: Attribute<'_> = attribute.map_err(quick_xml::Error::from)?;
            let key = name(attribute.key.as_ref())?;
            if attribute.value.contains('<') {
                return Err(XmlError::Value(short(key)));
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
            check_letters(&value)?;
            if let Some(prefix) = key.strip_prefix("xmlns:") {
                *self.prefixes.entry(prefix.into()).or_default() += 1;
            }
            element.attributes.push((key.into(), value.into()));
        }
        self.check_prefixes(&element)?;
        self.open.push(element);
        Ok(())
    }

    /// Whether all prefixes of an element are declared (<https://www.w3.org/TR/xml-names/#ns-qualnames>).
    fn check_prefixes(&self, element: &Element) -> Result<(), XmlError> {
        let names = std::iter::once(&element.name).chain(element.attributes.iter().map(|(key, _)| key));
        let mut wrong = names.filter(|name| match name.split_once(':') {
            None | Some(("xml" | "xmlns", _)) => false,
            Some((prefix, _)) => !self.any_prefix && !self.prefixes.contains_key(prefix),
        });
        wrong.next().map_or(Ok(()), |name| Err(XmlError::Prefix(short(name))))
    }

    fn count(&mut self) -> Result<(), XmlError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX { Err(XmlError::Nodes) } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), XmlError> {
        // The reader has matched the names; an end without a start is its error.
        let element = self.open.pop().ok_or(XmlError::Root)?;
        for prefix in element.attributes.iter().filter_map(|(key, _)| key.strip_prefix("xmlns:")) {
            if let Some(count) = self.prefixes.get_mut(prefix) {
                *count -= 1;
                if *count == 0 {
                    self.prefixes.remove(prefix);
                }
            }
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(XmlError::Root),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Element, XmlError> {
        if let Some(open) = self.open.pop() {
            return Err(XmlError::Cut(open.name.into()));
        }
        self.root.ok_or(XmlError::Root)
    }
}

/// Whether XML has all letters of a text (<https://www.w3.org/TR/xml/#charsets>).
fn check_letters(text: &str) -> Result<(), XmlError> {
    let wrong = |letter: &char| matches!(*letter, '\0'..='\x08' | '\x0B' | '\x0C' | '\x0E'..='\x1F' | '\u{FFFE}' | '\u{FFFF}');
    text.chars().find(wrong).map_or(Ok(()), |letter| Err(XmlError::Letter(u32::from(letter))))
}

/// The text, if it is a name with at most one prefix (<https://www.w3.org/TR/xml-names/#NT-QName>).
fn name(text: &str) -> Result<&str, XmlError> {
    let begins = |letter: char| {
        matches!(letter, '_' | 'a'..='z' | 'A'..='Z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
            | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}' | '\u{200D}' | '\u{2070}'..='\u{218F}'
            | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
            | '\u{10000}'..='\u{EFFFF}')
    };
    let goes_on = |letter: char| {
        begins(letter)
            || matches!(letter, '-' | '.' | '0'..='9' | '·' | '\u{300}'..='\u{36F}' | '\u{203F}' | '\u{2040}')
    };
    let is_part = |part: &str| part.starts_with(begins) && part.chars().all(goes_on);
    let (prefix, local) = text.split_once(':').unwrap_or(("a", text));
    if is_part(prefix) && is_part(local) { Ok(text) } else { Err(XmlError::Name(short(text))) }
}

fn short(name: &str) -> String {
    model::outcome::cut(name.to_owned(), 40)
}

/// What `&amp;`, `&#38;` and their kin stand for.
fn resolve(reference: &BytesRef<'_>) -> Result<Cow<'static, str>, XmlError> {
    if let Some(letter) = reference.resolve_char_ref()? {
        let text = letter.to_string();
        check_letters(&text)?;
        return Ok(Cow::Owned(text));
    }
    let name = reference.xml10_content();
    quick_xml::escape::resolve_predefined_entity(&name)
        .map(Cow::Borrowed)
        .ok_or_else(|| XmlError::Entity(model::outcome::cut(name.into_owned(), 40)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_a_tree() {
        let text = "\u{feff}<?xml version=\"1.0\"?><!DOCTYPE a><a b=\"1 &lt; 2\"><c>x &amp; <![CDATA[<y>]]>&#33;</c>\
                    <!-- no --><d/></a>\n";
        let root = Element::parse(text.as_bytes()).unwrap();
        assert_eq!(&*root.name, "a");
        assert_eq!(root.attributes, [("b".into(), "1 < 2".into())]);
        assert_eq!(root.text_of("c"), Some("x & <y>!"));
        assert_eq!(root.child("d").unwrap().children.len(), 0);
        assert!(root.child("e").is_none());
    }

    #[test]
    fn what_is_no_xml_says_why() {
        let deep = "<a>".repeat(DEPTH_MAX + 1);
        let many = format!("<a>{}</a>", "<b/>".repeat(NODES_MAX));
        for (text, expected) in [
            ("", "it does not have one element at the top"),
            ("hello", "it does not have one element at the top"),
            ("<a/><b/>", "it does not have one element at the top"),
            ("<a><b>", "it ends inside of the element `b`"),
            ("<a>&evil;</a>", "it uses the entity `&evil;`, which is not expanded"),
            (&deep, "it is nested deeper than 64 elements"),
            (&many, "it has more than 100000 elements and attributes"),
        ] {
            assert_eq!(Element::parse(text.as_bytes()).unwrap_err().to_string(), expected);
        }
        assert_eq!(Element::parse(b"<a>\xff</a>").unwrap_err().to_string(), "it is not UTF-8 from byte 3 on");
        for text in ["<a></b>", "<a", "<a b=c></a>", "</a>", "<a>&#x110000;</a>", "{\"not\": \"xml\"}<"] {
            assert!(Element::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_well_formed_is_no_xml() {
        for (text, expected) in [
            ("<a>\u{1}</a>", "it has the character U+0001 in it, which XML does not allow"),
            ("<a b='\u{b}'/>", "it has the character U+000B in it, which XML does not allow"),
            ("<a>&#8;</a>", "it has the character U+0008 in it, which XML does not allow"),
            ("<a b='&#8;'/>", "it has the character U+0008 in it, which XML does not allow"),
            ("<1a></1a>", "`1a` is no name"),
            ("<a 1=''/>", "`1` is no name"),
            ("<a:b:c xmlns:a='x'/>", "`a:b:c` is no name"),
            ("<a b='<c>'/>", "there is a `<` in the value of the attribute `b`"),
            ("<a>]]></a>", "there is a `]]>` in a text"),
            ("<a:b/>", "the prefix of `a:b` is not declared"),
            ("<a x:b=''/>", "the prefix of `x:b` is not declared"),
            ("<a><b xmlns:x='x'/><x:c/></a>", "the prefix of `x:c` is not declared"),
        ] {
            let error = Element::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expected, "{text}");
            assert!(!error.is_ours());
        }
        assert!(Element::parse(b"<a><!-- b -- c --></a>").is_err());
        for text in [
            "<größe _a='>' b.c-d1='&lt;' xml:lang='de'>]] &gt; ]]&gt;<![CDATA[<]]><!-- - b --></größe>",
            "<x:a xmlns:x='x' x:b=''><x:c xmlns:x='y'/><x:d/></x:a>",
            "<!DOCTYPE a [<!ATTLIST a xmlns:x CDATA #FIXED 'x'>]><a x:b=''/>",
            "<a>\t\r\n\u{85}\u{10FFFF}</a>",
        ] {
            assert!(Element::parse(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_path_leads_to_texts_and_attributes() {
        let text = "<a:feed xmlns:a=\"x\"><a:entry id=\"1\"><title> One </title></a:entry>\
                    <a:entry id=\"2\"><title>Two</title><title>Zwei</title></a:entry><other/></a:feed>";
        let root = Element::parse(text.as_bytes()).unwrap();
        for (path, found) in [
            ("/feed/entry/title", &["One", "Two", "Zwei"][..]),
            ("/feed/entry[2]/title[1]", &["Two"]),
            ("/feed/entry/title[2]", &["Zwei"]),
            ("/a:feed/a:entry/@id", &["1", "2"]),
            ("/*/*[3]", &[""]),
            ("/feed[2]", &[]),
            ("/feed/b:entry", &[]),
            ("/entry", &[]),
            ("/feed/entry/@none", &[]),
        ] {
            assert_eq!(root.find(&XmlPath::parse(path).unwrap()), found, "{path}");
        }
    }

    #[test]
    fn entities_are_never_expanded() {
        let text = "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\"><!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>";
        for entity in ["b", "c", "x"] {
            let text = format!("{text}&{entity};</a>");
            let error = Element::parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, XmlError::Entity(_)), "{error}");
        }
        let attribute = "<!DOCTYPE a [<!ENTITY b \"bbbb\">]><a c=\"&b;\"/>";
        assert!(Element::parse(attribute.as_bytes()).is_err());
    }
}
