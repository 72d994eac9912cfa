//! curl commands, as shells have them and browsers copy them: one scenario each, with a step for each request.
//!
//! They are read, never run: no variable, no substitution and no file of a shell is looked at.

mod request;
mod shell;
mod steps;

use serde_json::Value;

use super::Given;
use super::draft::{Draft, Imported, host_of};
use super::words::{literal, millis, unreferenced};
use crate::exit::Stop;
use request::Request;
use shell::Word;

/// Options that say what curl prints and where: nothing about the request.
const OUTPUT: [&str; 25] = [
    "-s",
    "--silent",
    "-S",
    "--show-error",
    "-v",
    "--verbose",
    "-i",
    "--include",
    "-#",
    "--progress-bar",
    "-N",
    "--no-buffer",
    "--no-progress-meter",
    "-o",
    "--output",
    "-w",
    "--write-out",
    "-O",
    "--remote-name",
    "-D",
    "--dump-header",
    "--stderr",
    "--trace",
    "--trace-ascii",
    "--output-dir",
];
/// Reads every command of the text.
pub(super) fn read(given: &Given) -> Result<Imported, Stop> {
    let commands =
        shell::commands(&given.text).map_err(|why| Stop::file(format!("{}: {why}", given.path)))?;
    let mut imported = Imported::default();
    for words in commands {
        let is_curl = words.first().is_some_and(|word| word.text == "curl" || word.text.ends_with("/curl"));
        if is_curl {
            command(&words[1..], &mut imported);
        } else if let Some(first) = words.first() {
            imported.lose(format!(
                "the command {}: it is not curl",
                first.text.split('=').next().unwrap_or_default()
            ));
        }
    }
    if imported.drafts.is_empty() && imported.lost.is_empty() {
        return Err(Stop::file(format!("{} has no curl command", given.path)));
    }
    Ok(imported)
}

fn command(words: &[Word], imported: &mut Imported) {
    let mut requests = vec![Request::default()];
    let mut output: Vec<String> = Vec::new();
    let mut words = expanded(words).into_iter().peekable();
    while let Some(word) = words.next() {
        let last = requests.last_mut().expect("there is one at least");
        if OUTPUT.contains(&&*word.text) {
            if request::takes_value(&word.text) {
                words.next();
            }
            output.push(word.text);
        } else if word.text == "--next" || word.text == "-:" {
            requests.push(Request::default());
        } else if word.text.starts_with('-') && word.text.len() > 1 {
            let takes = request::takes_value(&word.text);
            let value = if takes { words.next() } else { None };
            last.option(&word.text, value.as_ref());
        } else {
            last.url(&word);
        }
    }
    let Some(url) = requests.iter().find_map(Request::first_url) else {
        return imported.lose("a curl command without a URL");
    };
    // A secret in the path is no part of a name.
    let shown = name_of(&unreferenced(&imported.secrets.url("request", &url).0));
    let Some(mut draft) = imported.scenario(&shown, "request") else { return };
    draft.keys.remove("title");
    draft.key("aim", format!("{} answers.", literal(host_of(&url))));
    let timeout = requests.iter().filter_map(Request::timeout_ms).reduce(u64::saturating_add);
    draft.timing(Some(timeout.map_or(60_000, |timeout| timeout.saturating_mul(2).max(60_000))), timeout);
    if !output.is_empty() {
        output.dedup();
        draft.lose(format!("{}: they are about what curl prints", output.join(" ")));
    }
    for (number, request) in requests.into_iter().enumerate() {
        request.steps(number, imported, &mut draft);
    }
    imported.drafts.push(draft);
}

/// Short options that stand in one word, each in a word of its own: `-sSL`, `-XPOST`, `--data=x` as it is.
fn expanded(words: &[Word]) -> Vec<Word> {
    let mut all: Vec<Word> = Vec::new();
    for word in words {
        let is_value = all.last().is_some_and(|last| last.is_option && request::takes_value(&last.text));
        let short =
            word.text.strip_prefix('-').filter(|rest| !rest.starts_with('-') && rest.chars().count() > 1);
        match short.filter(|_| !is_value) {
            None => {
                let mut word = word.clone();
                word.is_option = !is_value && word.text.starts_with('-');
                all.push(word);
            }
            Some(rest) => {
                for (at, letter) in rest.char_indices() {
                    let option = Word { text: format!("-{letter}"), is_option: true, is_open: false };
                    let takes = request::takes_value(&option.text);
                    all.push(option);
                    let after = &rest[at + letter.len_utf8()..];
                    if takes && !after.is_empty() {
                        all.push(Word { text: after.to_owned(), is_option: false, is_open: word.is_open });
                        break;
                    }
                }
            }
        }
    }
    all
}

/// The host and the path, as a name.
fn name_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once('/').map_or("", |(_, path)| path);
    let host = host_of(url);
    format!("{} {}", host.strip_prefix("www.").unwrap_or(host), path.trim_end_matches('/'))
}

/// Seconds of an option.
fn seconds(value: &str) -> Option<u64> {
    millis(value, Some(1000.0))
}

/// Puts what a request has no place for into the draft.
fn lose_all(draft: &mut Draft, lost: Vec<String>) {
    draft.lost.extend(lost);
}

/// A JSON text that says the same when it is written again.
fn json_of(text: &str) -> Option<Value> {
    let value: Value =
        serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())?;
    let letters = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).count();
    (letters(&value.to_string()) == letters(text)).then_some(value)
}
