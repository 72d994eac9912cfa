//! Digest (RFC 7616): the answer to a server's challenge.
//!
//! MD5 and SHA-256, each also as a session (`-sess`), with the quality `auth` or without any (RFC 2069).
//! Deliberately absent: `auth-int`, and hashed user names.

use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::sigv4::hex;

/// The longest header of a challenge that is read, in bytes.
const CHALLENGE_BYTES_MAX: usize = 4096;

/// What a server wants to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// Whether the answer says which quality it has.
    qop: bool,
    /// Whether only the nonce of the answer before was too old.
    pub(super) stale: bool,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Algorithm {
    /// As the server wrote it; `None` if it did not.
    name: Option<&'static str>,
    sha256: bool,
    session: bool,
}

/// The algorithms and what they mean.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm { name: Some("MD5"), sha256: false, session: false },
    Algorithm { name: Some("MD5-sess"), sha256: false, session: true },
    Algorithm { name: Some("SHA-256"), sha256: true, session: false },
    Algorithm { name: Some("SHA-256-sess"), sha256: true, session: true },
];

/// What is asked for, and by whom.
#[derive(Copy, Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    /// Path and query as they are sent.
    pub(super) uri: &'a str,
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    /// How many answers to the same nonce this makes, from 1.
    pub(super) count: u32,
    /// A text that nobody can guess.
    pub(super) cnonce: &'a str,
}

impl Challenge {
    /// The first challenge among the headers' values that can be answered.
    pub(super) fn find<'a>(values: impl Iterator<Item = &'a str>) -> Option<Self> {
        values.filter(|value| value.len() <= CHALLENGE_BYTES_MAX).flat_map(challenges).find_map(Self::of)
    }

    fn of((scheme, parts): (String, Vec<(String, String)>)) -> Option<Self> {
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let part =
            |name: &str| parts.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let algorithm = match part("algorithm") {
            None => Algorithm { name: None, sha256: false, session: false },
            Some(name) => *ALGORITHMS
                .iter()
                .find(|known| known.name.is_some_and(|known| known.eq_ignore_ascii_case(name)))?,
        };
        let qop = match part("qop") {
            None => false,
            Some(list) => {
                list.split(',').any(|quality| quality.trim().eq_ignore_ascii_case("auth")).then_some(true)?
            }
        };
        // What is sent back in quotes cannot have one that was never closed.
        Some(Self {
            realm: part("realm")?.clone(),
            nonce: part("nonce")?.clone(),
            opaque: part("opaque").cloned(),
            algorithm,
            qop,
            stale: part("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// The value of `Authorization` that answers it.
    pub(super) fn answer(&self, asked: &Asked<'_>) -> String {
        let (count, cnonce) = (format!("{:08x}", asked.count), asked.cnonce);
        let response = self.response(asked, &count);
        let mut out = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quoted(asked.user),
            quoted(&self.realm),
            quoted(&self.nonce),
            quoted(asked.uri),
        );
        if let Some(name) = self.algorithm.name {
            out.push_str(", algorithm=");
            out.push_str(name);
        }
        if let Some(opaque) = &self.opaque {
            out.push_str(", opaque=");
            out.push_str(&quoted(opaque));
        }
        if self.qop {
            out = out + ", qop=auth, nc=" + &count + ", cnonce=" + &quoted(cnonce);
        } else if self.algorithm.session {
            out = out + ", cnonce=" + &quoted(cnonce);
        }
        out
    }

    fn response(&self, asked: &Asked<'_>, count: &str) -> String {
        let hash = |text: String| self.algorithm.hash(&text);
        let (nonce, cnonce) = (&self.nonce, asked.cnonce);
        let mut who = hash(format!("{}:{}:{}", asked.user, self.realm, asked.password));
        if self.algorithm.session {
            who = hash(format!("{who}:{nonce}:{cnonce}"));
        }
        let what = hash(format!("{}:{}", asked.method, asked.uri));
        if self.qop {
            hash(format!("{who}:{nonce}:{count}:{cnonce}:auth:{what}"))
        } else {
            hash(format!("{who}:{nonce}:{what}"))
        }
    }
}

impl Algorithm {
    fn hash(self, text: &str) -> String {
        if self.sha256 { hex(&Sha256::digest(text)) } else { hex(&Md5::digest(text)) }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The challenges in one header (RFC 9110, section 11.6.1): each a scheme and its parts.
fn challenges(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            // Nothing is left, or what is left is no challenge.
            return found;
        }
        let value = after.trim_start().strip_prefix('=').map(str::trim_start);
        match (value, found.last_mut()) {
            (Some(value), Some((_, parts))) => {
                let Some((value, after)) = part_value(value) else { return found };
                parts.push((word.to_owned(), value));
                rest = after;
            }
            (Some(_), None) => return found,
            (None, _) => {
                found.push((word.to_owned(), Vec::new()));
                rest = after;
            }
        }
    }
}

/// A token or a text in quotes, and what follows it.
fn part_value(text: &str) -> Option<(String, &str)> {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let (mut out, mut letters) = (String::new(), inner.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((out, &inner[at + 1..])),
            '\\' => out.push(letters.next()?.1),
            _ => out.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616, section 3.9.1.
    fn example(algorithm: &str) -> String {
        let header = format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        );
        let asked = Asked {
            method: "GET",
            uri: "/dir/index.html",
            user: "Mufasa",
            password: "Circle of Life",
            count: 1,
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        };
        Challenge::find([header.as_str()].into_iter()).unwrap().answer(&asked)
    }

    #[test]
    fn the_rfc_s_challenges_have_the_rfc_s_answers() {
        let md5 = example("MD5");
        assert!(md5.contains("response=\"8ca523f5e9506fed4657c9700eebdbec\""), "{md5}");
        assert!(md5.contains("qop=auth, nc=00000001, cnonce=\"f2/wE4q74E6"), "{md5}");
        assert!(md5.contains("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), "{md5}");
        let sha = example("SHA-256");
        assert!(
            sha.contains("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""),
            "{sha}"
        );
        assert!(sha.contains("algorithm=SHA-256"), "{sha}");
    }

    #[test]
    fn the_first_challenge_that_can_be_answered_is_taken() {
        let find = |values: &[&str]| Challenge::find(values.iter().copied());
        let both = "Basic realm=\"a, b=\\\"c\\\"\", Digest realm=\"r\", nonce=n, algorithm=SHA-512-256, \
                    Digest realm=\"r\", nonce=\"n2\", stale=TRUE, algorithm=md5";
        let found = find(&[both]).unwrap();
        assert_eq!((found.nonce.as_str(), found.stale, found.qop), ("n2", true, false));
        assert_eq!(found.algorithm.name, Some("MD5"));
        assert_eq!(find(&["Negotiate", "Digest nonce=\"n\", realm=\"\""]).unwrap().algorithm.name, None);
        for nothing in [
            "",
            "Basic realm=\"x\"",
            "Digest",
            "Digest realm=\"r\"",
            "Digest realm=\"never closed, nonce=\"n",
            "Digest realm=r, nonce=n, qop=\"auth-int\"",
            "Digest realm=r, nonce=n, algorithm=ROT13",
            "=,=,\"",
        ] {
            assert_eq!(find(&[nothing]), None, "{nothing}");
        }
        assert_eq!(find(&[&format!("Digest realm=r, nonce={}", "n".repeat(5000))]), None);
    }
}
