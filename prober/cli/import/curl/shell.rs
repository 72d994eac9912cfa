//! Words of a POSIX shell: quotes, escapes, line ends. Nothing is expanded and nothing is run.

/// So many words are read of one file.
const WORDS_MAX: usize = 20_000;

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Whether a shell would put something else in place of a part of it: `$TOKEN`, `$(date)`.
    pub(super) is_open: bool,
    /// Whether it was found to be an option, and is no value of one.
    pub(super) is_option: bool,
}

/// The commands of a text, each as its words; comments are no part of them.
///
/// # Errors
/// A quote that never ends, or too many words.
pub(super) fn commands(text: &str) -> Result<Vec<Vec<Word>>, String> {
    if text.lines().any(|line| line.trim_end().ends_with('^')) {
        return Err("this is a command for Windows' cmd; copy it as curl for bash".to_owned());
    }
    if text.contains("Invoke-WebRequest") {
        return Err("this is a command for PowerShell; copy it as curl for bash".to_owned());
    }
    let mut reader = Reader {
        rest: text,
        commands: vec![Vec::new()],
        word: None,
        words: 0,
        target: None,
        documents: Vec::new(),
    };
    while let Some(letter) = reader.next() {
        reader.letter(letter)?;
    }
    reader.end_command()?;
    Ok(reader.commands.into_iter().filter(|words| !words.is_empty()).collect())
}

struct Reader<'a> {
    rest: &'a str,
    commands: Vec<Vec<Word>>,
    word: Option<Word>,
    words: usize,
    /// The next word is where a redirection goes to.
    target: Option<Target>,
    /// The lines that end the texts that begin after this line.
    documents: Vec<String>,
}

/// Where a redirection goes.
#[derive(Copy, Clone)]
enum Target {
    File,
    /// `<<END`: the lines up to one that is `END`.
    Document,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = &self.rest[letter.len_utf8()..];
        Some(letter)
    }

    fn push(&mut self, letter: char) {
        self.word.get_or_insert_default().text.push(letter);
    }

    fn end_word(&mut self) -> Result<(), String> {
        if let Some(word) = self.word.take() {
            match self.target.take() {
                None => {}
                Some(Target::File) => return Ok(()),
                Some(Target::Document) => {
                    self.documents.push(word.text.trim_start_matches('-').to_owned());
                    return Ok(());
                }
            }
            self.words += 1;
            if self.words > WORDS_MAX {
                return Err(format!("it has more than {WORDS_MAX} words"));
            }
            self.commands.last_mut().expect("there is one always").push(word);
        }
        Ok(())
    }

    fn end_command(&mut self) -> Result<(), String> {
        self.end_word()?;
        self.commands.push(Vec::new());
        Ok(())
    }

    /// `>file`, `2>&1`, `<<END`: nothing of it is a word of the command.
    fn redirection(&mut self, first: char) -> Result<(), String> {
        let is_number =
            self.word.as_ref().is_some_and(|word| word.text.bytes().all(|byte| byte.is_ascii_digit()));
        if is_number {
            self.word = None;
        }
        self.end_word()?;
        let signs =
            self.rest.find(|letter| !matches!(letter, '<' | '>' | '&' | '|')).unwrap_or(self.rest.len());
        let is_document = first == '<' && &self.rest[..signs] == "<";
        self.rest = &self.rest[signs..];
        self.target = Some(if is_document { Target::Document } else { Target::File });
        Ok(())
    }

    /// The lines of the texts that were begun, which end the line as well.
    fn skip_documents(&mut self) {
        for end in std::mem::take(&mut self.documents) {
            while !self.rest.is_empty() {
                let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
                self.rest = rest;
                if line.trim() == end {
                    break;
                }
            }
        }
    }

    /// `$(…)` and `` `…` `` up to their ends: what a shell would put there.
    fn substitution(&mut self, close: char) -> Result<(), String> {
        let mut depth = 1;
        while depth > 0 {
            let letter = self.next().ok_or("a $( or ` is never closed")?;
            self.push(letter);
            match letter {
                '\\' => {
                    let escaped = self.next().ok_or("a $( or ` is never closed")?;
                    self.push(escaped);
                }
                letter if letter == close => depth -= 1,
                '(' if close == ')' => depth += 1,
                _ => {}
            }
        }
        Ok(())
    }

    fn letter(&mut self, letter: char) -> Result<(), String> {
        match letter {
            '\\' => match self.next() {
                Some('\r') if self.rest.starts_with('\n') => drop(self.next()),
                Some('\n') | None => {}
                Some(other) => self.push(other),
            },
            '\'' => self.single()?,
            '"' => self.double()?,
            '$' if self.rest.starts_with('\'') => self.ansi()?,
            '$' | '`' => self.open(letter)?,
            '<' | '>' => self.redirection(letter)?,
            '#' if self.word.is_none() => {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
            }
            '&' if self.rest.starts_with('>') => self.redirection(letter)?,
            '\n' => {
                self.end_command()?;
                self.skip_documents();
            }
            ';' | '|' | '&' if !self.is_in_url(letter) => self.end_command()?,
            letter if letter.is_whitespace() => self.end_word()?,
            letter => self.push(letter),
        }
        Ok(())
    }

    /// A place where a shell puts something else.
    fn open(&mut self, letter: char) -> Result<(), String> {
        self.push(letter);
        self.word.get_or_insert_default().is_open = true;
        if letter == '`' {
            return self.substitution('`');
        }
        if self.rest.starts_with('(') {
            self.next();
            self.push('(');
            return self.substitution(')');
        }
        Ok(())
    }

    /// People forget the quotes around a URL with `&`; a command never begins in the middle of one.
    fn is_in_url(&self, letter: char) -> bool {
        letter == '&'
            && self.word.as_ref().is_some_and(|word| word.text.contains("://"))
            && self.rest.starts_with(|next: char| next.is_ascii_alphanumeric())
    }

    fn single(&mut self) -> Result<(), String> {
        let end = self.rest.find('\'').ok_or("a ' is never closed")?;
        let (inside, rest) = self.rest.split_at(end);
        self.word.get_or_insert_default().text.push_str(inside);
        self.rest = &rest[1..];
        Ok(())
    }

    fn double(&mut self) -> Result<(), String> {
        self.word.get_or_insert_default();
        loop {
            match self.next().ok_or("a \" is never closed")? {
                '"' => return Ok(()),
                '\\' => match self.next().ok_or("a \" is never closed")? {
                    letter @ ('"' | '\\' | '$' | '`') => self.push(letter),
                    '\n' => {}
                    other => {
                        self.push('\\');
                        self.push(other);
                    }
                },
                letter @ ('$' | '`') => self.open(letter)?,
                letter => self.push(letter),
            }
        }
    }

    /// `$'a\nb\u0021'`, as Chrome copies bodies with line ends.
    fn ansi(&mut self) -> Result<(), String> {
        self.next();
        self.word.get_or_insert_default();
        loop {
            match self.next().ok_or("a $' is never closed")? {
                '\'' => return Ok(()),
                '\\' => match self.next().ok_or("a $' is never closed")? {
                    'n' => self.push('\n'),
                    'r' => self.push('\r'),
                    't' => self.push('\t'),
                    'x' => self.code(2),
                    'u' => self.code(4),
                    other => self.push(other),
                },
                letter => self.push(letter),
            }
        }
    }

    fn code(&mut self, digits: usize) {
        let end =
            self.rest.find(|letter: char| !letter.is_ascii_hexdigit()).unwrap_or(self.rest.len()).min(digits);
        let (code, rest) = self.rest.split_at(end);
        self.rest = rest;
        let letter = u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
        self.push(letter.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let commands = commands(text).unwrap();
        commands.into_iter().map(|words| words.into_iter().map(|word| word.text).collect()).collect()
    }

    #[test]
    fn words_are_those_of_a_shell() {
        for (text, wanted) in [
            ("curl 'a b' \"c \\\" d\" e\\ f", vec![vec!["curl", "a b", "c \" d", "e f"]]),
            ("curl \\\n  -H 'x: y' \\\r\n z", vec![vec!["curl", "-H", "x: y", "z"]]),
            (
                "# why\ncurl a # b\ncurl c; curl d && e",
                vec![vec!["curl", "a"], vec!["curl", "c"], vec!["curl", "d"], vec!["e"]],
            ),
            ("curl $'a\\n\\u0021\\x41\\''", vec![vec!["curl", "a\n!A'"]]),
            ("curl http://h/?a=1&b=2", vec![vec!["curl", "http://h/?a=1&b=2"]]),
            ("curl '' x''y", vec![vec!["curl", "", "xy"]]),
            ("curl a >/dev/null 2>&1 | jq .", vec![vec!["curl", "a"], vec!["jq", "."]]),
            (
                "curl -d @- a <<'END'\n{\"x\": 1}\nEND\ncurl b",
                vec![vec!["curl", "-d", "@-", "a"], vec!["curl", "b"]],
            ),
            ("curl a &>log; curl b<in", vec![vec!["curl", "a"], vec!["curl", "b"]]),
            (
                "curl $(date +\\) \"%s (x)\") \"`a b`\"",
                vec![vec!["curl", "$(date +\\) \"%s (x)\")", "`a b`"]],
            ),
        ] {
            assert_eq!(words(text), wanted, "{text}");
        }
        for text in
            ["curl 'a", "curl \"a", "curl $'a", "curl $(a", "curl `a", "curl ^\n a", &"a ".repeat(20_001)]
        {
            assert!(commands(text).is_err(), "{}", &text[..8]);
        }
        assert!(commands("curl \"$TOKEN\" $(date) 'x$y'").unwrap()[0][1].is_open);
        assert!(!commands("curl 'x$y'").unwrap()[0][1].is_open);
    }
}
