//! HTML bodies, and the CSS selectors that look into them.
//!
//! A page is read as browsers read it, whatever is wrong with it, but not whatever it costs: it is read piece by
//! piece, and given up when it is nested deeper or has more parts than any page for people.

use scenario::own::{Chooser, Chosen, Wrong};

/// The longest selector, in bytes.
const SELECTOR_BYTES_MAX: usize = 512;
/// The most brackets of a selector; its parser works recursively.
const BRACKETS_MAX: usize = 16;

/// `css: { "h1.title": Shop }`: elements by CSS selectors, their text or an attribute.
pub(super) static CHOOSER: Chooser = Chooser {
    words: "CSS selectors",
    entry: "h1.title: Shop",
    example: "a.next @href",
    pattern: r"\S",
    code: "E313",
    parse,
};

fn parse(text: &str) -> Result<Chosen, Wrong> {
    let brackets = text.bytes().filter(|byte| matches!(byte, b'(' | b'[')).count();
    if text.len() > SELECTOR_BYTES_MAX || brackets > BRACKETS_MAX {
        let message =
            format!("a selector may have {SELECTOR_BYTES_MAX} bytes and {BRACKETS_MAX} brackets at most");
        return Err(wrong(message, ""));
    }
    let (selector, attribute) = match text.rsplit_once(" @") {
        Some((selector, name)) if is_name(name) => (selector.trim_end(), Some(name.to_ascii_lowercase())),
        Some((_, name)) => {
            let message = format!("`{}` is not the name of an attribute", name.escape_debug());
            return Err(wrong(message, "write one behind the selector, like a.next @href"));
        }
        None => (text, None),
    };
    engine::parse(selector).map(|selector| Chosen::new(text, Choice { selector, attribute }))
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.');
    !text.is_empty() && text.bytes().all(fits)
}

fn wrong(message: String, help: &str) -> Wrong {
    let help =
        if help.is_empty() { "like h1, .price, #total, a[rel=next], ul.items > li" } else { help }.to_owned();
    Wrong { message, help, at: String::new() }
}

/// A selector, and the attribute that is taken in place of the element's text.
pub(super) struct Choice {
    selector: engine::Selector,
    attribute: Option<String>,
}

pub(super) use engine::Page;

#[cfg(feature = "rich")]
mod engine {
    use std::borrow::Cow;

    use html5ever::driver::{self, ParseOpts};
    use html5ever::tendril::{StrTendril, TendrilSink as _};
    use scenario::own::Wrong;
    use scenario::value::{Reading, Value};
    use scraper::error::SelectorErrorKind;
    use scraper::{ElementRef, Html, HtmlTreeSink};

    use super::{Choice, wrong};

    pub(super) use scraper::Selector;

    /// How much is read between two looks at what came of it, in bytes.
    const PIECE_BYTES: usize = 4 << 10;
    /// The deepest nesting; browsers stop at the same.
    const DEPTH_MAX: usize = 512;
    /// The most elements, texts and comments.
    const NODES_MAX: usize = 100_000;
    /// The most elements that one selector takes.
    const FOUND_MAX: usize = 10_000;

    pub(super) fn parse(text: &str) -> Result<Selector, Wrong> {
        Selector::parse(text).map_err(|error| {
            let why = match error {
                SelectorErrorKind::EndOfLine => "it ends too early",
                SelectorErrorKind::TooManyNestedBlocks => "it is nested too deep",
                SelectorErrorKind::ExpectedColonOnPseudoElement
                | SelectorErrorKind::ExpectedIdentityOnPseudoElement => "there is no such pseudo-element",
                SelectorErrorKind::UnexpectedSelectorParseError(_) => "a part of it is not known here",
                _ => "there is something in it that cannot stand there",
            };
            wrong(format!("`{}` is not a CSS selector: {why}", text.escape_debug()), "")
        })
    }

    /// A page that was read.
    pub(in crate::http) struct Page(Html);

    impl Page {
        /// Reads `text` as browsers do.
        ///
        /// # Errors
        /// It is too deep or too large; in words for people.
        pub(in crate::http) fn read(text: &str) -> Result<Self, String> {
            let mut parser =
                driver::parse_document(HtmlTreeSink::new(Html::new_document()), ParseOpts::default());
            let mut rest = text;
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
                rest = more;
                parser.process(StrTendril::from_slice(piece));
                within_bounds(&parser.tokenizer.sink.sink)?;
            }
            Ok(Self(parser.finish()))
        }

        /// What `choice` takes.
        pub(in crate::http) fn take(&self, choice: &Choice) -> Reading<'_> {
            let found = self.0.select(&choice.selector).filter(|element| !is_inert(*element)).take(FOUND_MAX);
            let values: Vec<_> = match &choice.attribute {
                None => found.map(|element| Value::Text(Cow::Owned(text(element)))).collect(),
                Some(name) => {
                    let attributes = found.filter_map(|element| element.attr(name));
                    attributes.map(|value| Value::Text(Cow::Borrowed(value))).collect()
                }
            };
            Reading::of(values)
        }
    }

    /// Whether an element is only part of a `template`: those are no part of the page for browsers' selectors.
    fn is_inert(element: ElementRef<'_>) -> bool {
        let is_template = |above: ElementRef<'_>| {
            let name = &above.value().name;
            name.local == *"template" && name.ns == html5ever::ns!(html)
        };
        element.ancestors().filter_map(ElementRef::wrap).any(is_template)
    }

    /// The text of an element as people read it: one blank where there is white space.
    fn text(element: ElementRef<'_>) -> String {
        let mut out = String::new();
        let mut gap = false;
        for part in element.text() {
            for letter in part.chars() {
                if letter.is_whitespace() {
                    gap = !out.is_empty();
                } else {
                    if std::mem::take(&mut gap) {
                        out.push(' ');
                    }
                    out.push(letter);
                }
            }
        }
        out
    }

    /// Bad pages make a parser's work grow with the square of their depth; they are left before it does.
    fn within_bounds(sink: &HtmlTreeSink) -> Result<(), String> {
        let html = sink.0.borrow();
        let mut nodes = html.tree.nodes();
        if nodes.len() > NODES_MAX {
            return Err(format!("the page has more than {NODES_MAX} parts"));
        }
        let depth = nodes.next_back().map_or(0, |last| last.ancestors().take(DEPTH_MAX + 1).count());
        if depth > DEPTH_MAX {
            return Err(format!("the page is nested deeper than {DEPTH_MAX} elements"));
        }
        Ok(())
    }
}

#[cfg(not(feature = "rich"))]
mod engine {
    use scenario::own::Wrong;
    use scenario::value::Reading;

    use super::{Choice, wrong};

    /// There are none in this build.
    pub(super) enum Selector {}

    pub(super) fn parse(_: &str) -> Result<Selector, Wrong> {
        let message = "this prober was built without CSS selectors".to_owned();
        Err(wrong(message, "build it with the feature `rich`, which is on by default"))
    }

    /// There are none in this build.
    pub(in crate::http) enum Page {}

    impl Page {
        /// # Errors
        /// Always.
        pub(in crate::http) fn read(_: &str) -> Result<Self, String> {
            Err("this prober was built without CSS selectors".to_owned())
        }

        pub(in crate::http) fn take(&self, choice: &Choice) -> Reading<'_> {
            let _never = &choice.attribute;
            match choice.selector {}
        }
    }
}

#[cfg(all(test, feature = "rich"))]
mod tests {
    use std::time::{Duration, Instant};

    use scenario::value::{Reading, Value};

    use super::*;

    const PAGE: &str = r#"<!doctype html><title>Shop</title>
        <body class=home><h1 class="title big">Tea &amp;
            more</h1>
        <ul id=items><li data-sku=A>Green<li data-sku=B>Black <b>Assam</b></ul>
        <a rel=next HREF="/page/2">next</a><p>unclosed"#;

    fn take(page: &str, selector: &str) -> String {
        let chosen = parse(selector).unwrap_or_else(|wrong| panic!("{selector}: {wrong:?}"));
        let choice = chosen.made::<Choice>().expect("a choice was made");
        let page = match Page::read(page) {
            Ok(page) => page,
            Err(why) => return format!("unreadable: {why}"),
        };
        let shown = |value: &Value<'_>| match value {
            Value::Text(text) => text.to_string(),
            other => panic!("{other:?} is no text"),
        };
        match page.take(choice) {
            Reading::One(value) => shown(&value),
            Reading::Many(values) => values.iter().map(shown).collect::<Vec<_>>().join("|"),
            Reading::Absent => "nothing".to_owned(),
            Reading::AtLeast(_, why) | Reading::Unreadable(why) => why,
        }
    }

    #[test]
    fn elements_are_found_as_in_a_browser() {
        for (selector, found) in [
            ("title", "Shop"),
            ("h1.title", "Tea & more"),
            ("body.home h1.big.title", "Tea & more"),
            ("#items > li", "Green|Black Assam"),
            ("#items > li @data-sku", "A|B"),
            ("li:nth-child(2)", "Black Assam"),
            ("a[rel=next] @href", "/page/2"),
            ("a[rel=next] @HREF", "/page/2"),
            ("h1, p", "Tea & more|unclosed"),
            ("h2", "nothing"),
            ("h1 @id", "nothing"),
            ("li:not([data-sku=A]) b", "Assam"),
        ] {
            assert_eq!(take(PAGE, selector), found, "{selector}");
        }
        assert_eq!(take("", "body"), "", "a browser makes a body of nothing");
    }

    #[test]
    fn what_is_in_a_template_is_no_part_of_the_page() {
        let page = "<main><template id=t><p>Sold out<b>!</b></template><p>Buy</main>";
        assert_eq!(take(page, "p"), "Buy");
        assert_eq!(take(page, "main b"), "nothing");
        assert_eq!(take(page, "template @id"), "t");
    }

    #[test]
    fn what_is_no_selector_is_said_in_plain_words() {
        for (text, said) in [
            ("h1..title", "`h1..title` is not a CSS selector"),
            ("", "`` is not a CSS selector"),
            ("a[rel=", "`a[rel=` is not a CSS selector"),
            ("a:visit", "`a:visit` is not a CSS selector"),
            ("//h1", "`//h1` is not a CSS selector"),
            ("a @", "`` is not the name of an attribute"),
            ("a @hr ef", "`hr ef` is not the name of an attribute"),
        ] {
            let wrong = parse(text).unwrap_err();
            assert!(wrong.message.starts_with(said), "{text}: {}", wrong.message);
        }
        assert!(parse(&"a ".repeat(400)).is_err());
        assert!(parse(&format!("{}a{}", ":not(".repeat(40), ")".repeat(40))).is_err());
    }

    #[test]
    fn pages_that_would_cost_too_much_are_left() {
        let many = "<p>x".repeat(200_000);
        let formats = (0..400).map(|number| format!("<b id={number}>")).collect::<Vec<_>>().concat();
        let began = Instant::now();
        for (page, said) in [
            ("<div>".repeat(200_000), "nested deeper"),
            ("<b>".repeat(200_000), "nested deeper"),
            (many.clone(), "more than 100000 parts"),
            (formats + &many, "unreadable"),
            // Each of them ends the one before.
            ("<table>".repeat(100_000), "more than 100000 parts"),
            (format!("<a href=\"{}", "x".repeat(1 << 20)), "nothing"),
            ("<!--".repeat(250_000), "nothing"),
            ("&".repeat(1 << 20), "nothing"),
        ] {
            let found = take(&page, "h1");
            assert!(found.contains(said), "{}: {found}", &page[..20]);
        }
        // Without the bounds each of them takes minutes, also where nobody else wants a processor.
        assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    }
}
