//! The entries of a hurl file: requests and what is said of their answers, line by line.

/// So many entries are read of one file.
const ENTRIES_MAX: usize = 1_000;

/// A request with what is said of its answer.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
    /// The lines of the sections.
    sections: Vec<(Section, String)>,
    /// The version and the status, if something is said of the answer; `None` for `*`.
    pub(super) response: Option<(Option<&'static str>, Option<u16>)>,
    pub(super) answer_headers: Vec<(String, String)>,
    pub(super) answer_body: Body,
    /// What was not understood.
    pub(super) unknown: Vec<String>,
}

/// A body as the file writes it.
#[derive(Debug, Default)]
pub(super) enum Body {
    #[default]
    Nothing,
    Json(String),
    Text(String),
    File(String),
    Unknown(String),
}

/// A part of an entry.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Query,
    Form,
    Multipart,
    Cookies,
    BasicAuth,
    Options,
    Captures,
    Asserts,
}

const SECTIONS: [(&str, Section); 11] = [
    ("[QueryStringParams]", Section::Query),
    ("[Query]", Section::Query),
    ("[FormParams]", Section::Form),
    ("[Form]", Section::Form),
    ("[MultipartFormData]", Section::Multipart),
    ("[Multipart]", Section::Multipart),
    ("[Cookies]", Section::Cookies),
    ("[BasicAuth]", Section::BasicAuth),
    ("[Options]", Section::Options),
    ("[Captures]", Section::Captures),
    ("[Asserts]", Section::Asserts),
];

impl Entry {
    /// The lines of a section.
    pub(super) fn lines_of(&self, section: Section) -> impl Iterator<Item = &str> {
        self.sections.iter().filter(move |(of, _)| *of == section).map(|(_, line)| line.as_str())
    }

    /// The lines of a section as `name: value`.
    pub(super) fn pairs_of(&self, section: Section) -> Vec<(String, String)> {
        self.lines_of(section).filter_map(pair).collect()
    }
}

fn pair(line: &str) -> Option<(String, String)> {
    let at = line.match_indices(':').map(|(at, _)| at).find(|at| !line[..*at].ends_with('\\'))?;
    let (name, value) = (&line[..at], &line[at + 1..]);
    Some((unescaped(name.trim()), unescaped(value.trim())))
}

/// `\#` and the like stand for the letter.
fn unescaped(text: &str) -> String {
    let mut written = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => written.push('\n'),
                Some('r') => written.push('\r'),
                Some('t') => written.push('\t'),
                Some(other) => written.push(other),
                None => written.push('\\'),
            },
            letter => written.push(letter),
        }
    }
    written
}

/// Reads the entries.
///
/// # Errors
/// The number of the line that is no part of an entry, and why.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, String> {
    let mut reader = Reader {
        lines: text.lines().collect(),
        at: 0,
        entries: Vec::new(),
        section: None,
        is_unknown: false,
    };
    while let Some(line) = reader.line() {
        reader.read(line)?;
        if reader.entries.len() > ENTRIES_MAX {
            return Err(format!("{}: more than {ENTRIES_MAX} requests", reader.at));
        }
    }
    Ok(reader.entries)
}

struct Reader<'a> {
    lines: Vec<&'a str>,
    at: usize,
    entries: Vec<Entry>,
    section: Option<Section>,
    /// Whether it is in a section that is not known.
    is_unknown: bool,
}

impl<'a> Reader<'a> {
    /// The next line that says something, without its comment.
    fn line(&mut self) -> Option<&'a str> {
        loop {
            let line = self.lines.get(self.at)?;
            self.at += 1;
            let line = without_comment(line).trim();
            if !line.is_empty() {
                return Some(line);
            }
        }
    }

    fn read(&mut self, line: &'a str) -> Result<(), String> {
        if let Some((method, url)) = request(line) {
            (self.section, self.is_unknown) = (None, false);
            self.entries.push(Entry { method: method.to_owned(), url: url.to_owned(), ..Entry::default() });
            return Ok(());
        }
        let at = self.at;
        let Some(entry) = self.entries.last_mut() else {
            return Err(format!("{at}: a file begins with a request like `GET https://shop.example/`"));
        };
        if let Some((version, status)) = response(line) {
            (self.section, self.is_unknown) = (None, false);
            entry.response = Some((version, status));
            return Ok(());
        }
        if line.starts_with('[')
            && line.ends_with(']')
            && line[1..line.len() - 1].chars().all(char::is_alphanumeric)
        {
            self.section = SECTIONS.iter().find(|(name, _)| *name == line).map(|(_, section)| *section);
            self.is_unknown = self.section.is_none();
            if self.is_unknown {
                entry.unknown.push(format!("the section {line}"));
            }
            return Ok(());
        }
        match self.section {
            None if self.is_unknown => {}
            Some(section) if !is_body(line) || section == Section::Asserts => {
                let line = self.whole(line)?;
                let entry = self.entries.last_mut().expect("it was there before the line");
                entry.sections.push((section, line));
            }
            _ if is_body(line) => {
                let body = self.body(line)?;
                let entry = self.entries.last_mut().expect("it was there before the body");
                if entry.response.is_some() { entry.answer_body = body } else { entry.body = body }
            }
            _ => match pair(line) {
                Some(header) if entry.response.is_some() => entry.answer_headers.push(header),
                Some(header) => entry.headers.push(header),
                None => return Err(format!("{at}: this line is not understood")),
            },
        }
        Ok(())
    }

    /// A line of a section, with the lines of a text that begins in it.
    fn whole(&mut self, line: &str) -> Result<String, String> {
        let mut whole = line.to_owned();
        let begin = self.at;
        while whole.matches("```").count() % 2 == 1 {
            let next = self.lines.get(self.at).ok_or_else(|| format!("{begin}: ``` is never closed"))?;
            self.at += 1;
            whole.push('\n');
            whole += next;
        }
        Ok(whole)
    }

    /// A body that begins with this line.
    fn body(&mut self, line: &'a str) -> Result<Body, String> {
        if let Some(kind) = line.strip_prefix("```") {
            return self.block(kind);
        }
        if line.starts_with(['{', '[', '"'])
            || line.parse::<f64>().is_ok()
            || matches!(line, "true" | "false" | "null")
        {
            return self.json();
        }
        if line.starts_with('<') {
            // It ends where the next request or answer begins.
            let mut text = vec![line];
            while let Some(next) = self.lines.get(self.at) {
                if request(next.trim()).is_some() || response(next.trim()).is_some() {
                    break;
                }
                text.push(next);
                self.at += 1;
            }
            return Ok(Body::Text(text.join("\n").trim_end().to_owned()));
        }
        if let Some(text) = line.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
            return Ok(Body::Text(text.replace("\\`", "`")));
        }
        let inner =
            |word: &str| line.strip_prefix(word).and_then(|rest| rest.strip_suffix(';')).map(str::trim);
        Ok(match inner("file,") {
            Some(path) => Body::File(path.to_owned()),
            None => Body::Unknown(format!("a body in {}", line.split(',').next().unwrap_or_default())),
        })
    }

    fn block(&mut self, kind: &str) -> Result<Body, String> {
        if let Some(text) = kind.strip_suffix("```") {
            return Ok(Body::Text(text.to_owned()));
        }
        let (begin, mut text) = (self.at, Vec::new());
        loop {
            let line = self.lines.get(self.at).ok_or_else(|| format!("{begin}: ``` is never closed"))?;
            self.at += 1;
            if line.trim() == "```" {
                break;
            }
            text.push(*line);
        }
        let text = if text.is_empty() { String::new() } else { text.join("\n") + "\n" };
        Ok(match kind.trim() {
            "json" => Body::Json(text),
            "graphql" => Body::Json(serde_json::json!({ "query": text }).to_string()),
            "" | "xml" => Body::Text(text),
            other => Body::Unknown(format!("a body in {other}")),
        })
    }

    /// JSON over several lines: until its brackets are closed.
    fn json(&mut self) -> Result<Body, String> {
        let begin = self.at;
        self.at -= 1;
        let (mut text, mut depth, mut in_text) = (String::new(), 0_i32, false);
        loop {
            let line = self.lines.get(self.at).ok_or_else(|| format!("{begin}: the JSON never ends"))?;
            self.at += 1;
            let mut escaped = false;
            for letter in line.chars() {
                match letter {
                    _ if escaped => escaped = false,
                    '\\' if in_text => escaped = true,
                    '"' => in_text = !in_text,
                    '{' | '[' if !in_text => depth += 1,
                    '}' | ']' if !in_text => depth -= 1,
                    _ => {}
                }
            }
            text += line;
            text.push('\n');
            if depth <= 0 {
                return Ok(Body::Json(text));
            }
        }
    }
}

fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    let mut in_text = false;
    for (at, letter) in line.char_indices() {
        match letter {
            '"' if before != '\\' => in_text = !in_text,
            '#' if !in_text && before.is_whitespace() => return &line[..at],
            _ => {}
        }
        before = letter;
    }
    line
}

fn request(line: &str) -> Option<(&str, &str)> {
    let (method, url) = line.split_once(' ')?;
    let is_method =
        method.len() >= 3 && method.chars().all(|letter| letter.is_ascii_uppercase() || letter == '-');
    (is_method && !method.starts_with("HTTP")).then(|| (method, url.trim()))
}

fn response(line: &str) -> Option<(Option<&'static str>, Option<u16>)> {
    let (version, status) = line.split_once(' ')?;
    let version = match version {
        "HTTP" | "HTTP/*" => None,
        "HTTP/1.0" => Some("1.0"),
        "HTTP/1.1" => Some("1.1"),
        "HTTP/2" => Some("2"),
        "HTTP/3" => Some("3"),
        _ => return None,
    };
    match status.trim() {
        "*" => Some((version, None)),
        status => Some((version, Some(super::super::words::status(status)?))),
    }
}

fn is_body(line: &str) -> bool {
    line.starts_with(['{', '<', '`'])
        || line.starts_with('[')
        || ["base64,", "hex,", "file,"].iter().any(|word| line.starts_with(word) && line.ends_with(';'))
}

/// A JSON body of hurl may have `{{id}}` where a number stands; in quotes it can be read, and ours keeps its type.
pub(super) fn quoted_variables(text: &str) -> String {
    let (mut written, mut in_text, mut rest) = (String::new(), false, text);
    while let Some(letter) = rest.chars().next() {
        if !in_text
            && rest.starts_with("{{")
            && let Some(end) = rest.find("}}")
        {
            written.push('"');
            written += &rest[..end + 2];
            written.push('"');
            rest = &rest[end + 2..];
            continue;
        }
        if letter == '\\' && in_text {
            let end = rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at);
            written += &rest[..end];
            rest = &rest[end..];
            continue;
        }
        in_text ^= letter == '"';
        written.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    written
}
