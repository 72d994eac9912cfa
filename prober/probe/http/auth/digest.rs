//! Digest (RFC 7616): the answer to a server's challenge.
//!
//! MD5, SHA-256 and SHA-512-256, each also as a session (`-sess`), with the quality `auth`, with `auth-int`, which
//! covers the body too, or without any (RFC 2069). Deliberately absent: hashed user names.

use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512_256};

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
    /// Which quality the answer is to have, if it says so.
    qop: Option<Quality>,
    /// Whether only the nonce of the answer before was too old.
    pub(super) stale: bool,
}

/// What an answer vouches for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Quality {
    /// Method and address.
    Auth,
    /// The body, too.
    AuthInt,
}

impl Quality {
    /// The first that both sides know.
    fn of(list: &str) -> Option<Self> {
        let has = |name: &str| list.split(',').any(|quality| quality.trim().eq_ignore_ascii_case(name));
        if has("auth") { Some(Self::Auth) } else { has("auth-int").then_some(Self::AuthInt) }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Algorithm {
    /// As the server wrote it; `None` if it did not.
    name: Option<&'static str>,
    hash: Hash,
    session: bool,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Hash {
    Md5,
    Sha256,
    Sha512Of256,
}

/// The algorithms and what they mean.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm { name: Some("MD5"), hash: Hash::Md5, session: false },
    Algorithm { name: Some("MD5-sess"), hash: Hash::Md5, session: true },
    Algorithm { name: Some("SHA-256"), hash: Hash::Sha256, session: false },
    Algorithm { name: Some("SHA-256-sess"), hash: Hash::Sha256, session: true },
    Algorithm { name: Some("SHA-512-256"), hash: Hash::Sha512Of256, session: false },
    Algorithm { name: Some("SHA-512-256-sess"), hash: Hash::Sha512Of256, session: true },
];

/// What is asked for, and by whom.
#[derive(Copy, Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    /// Path and query as they are sent.
    pub(super) uri: &'a str,
    pub(super) body: &'a [u8],
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
            None => Algorithm { name: None, hash: Hash::Md5, session: false },
            Some(name) => *ALGORITHMS
                .iter()
                .find(|known| known.name.is_some_and(|known| known.eq_ignore_ascii_case(name)))?,
        };
        let qop = match part("qop") {
            None => None,
            Some(list) => Some(Quality::of(list)?),
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
        if let Some(qop) = self.qop {
            out = out + ", qop=" + qop.name() + ", nc=" + &count + ", cnonce=" + &quoted(cnonce);
        } else if self.algorithm.session {
            out = out + ", cnonce=" + &quoted(cnonce);
        }
        out
    }

    fn response(&self, asked: &Asked<'_>, count: &str) -> String {
        let hash = |text: String| self.algorithm.hash.of(text.as_bytes());
        let (nonce, cnonce) = (&self.nonce, asked.cnonce);
        let mut who = hash(format!("{}:{}:{}", asked.user, self.realm, asked.password));
        if self.algorithm.session {
            who = hash(format!("{who}:{nonce}:{cnonce}"));
        }
        let mut what = format!("{}:{}", asked.method, asked.uri);
        if self.qop == Some(Quality::AuthInt) {
            what = what + ":" + &self.algorithm.hash.of(asked.body);
        }
        let what = hash(what);
        match self.qop {
            Some(qop) => hash(format!("{who}:{nonce}:{count}:{cnonce}:{}:{what}", qop.name())),
            None => hash(format!("{who}:{nonce}:{what}")),
        }
    }
}

impl Hash {
    fn of(self, bytes: &[u8]) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(bytes)),
            Self::Sha256 => hex(&Sha256::digest(bytes)),
            Self::Sha512Of256 => hex(&Sha512_256::digest(bytes)),
        }
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
    fn example(algorithm: &str, qualities: &str, body: &[u8]) -> String {
        let header = format!(
            "Digest realm=\"http-auth@example.org\", qop=\"{qualities}\", algorithm={algorithm}, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        );
        let asked = Asked {
            method: "GET",
            uri: "/dir/index.html",
            body,
            user: "Mufasa",
            password: "Circle of Life",
            count: 1,
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        };
        Challenge::find([header.as_str()].into_iter()).unwrap().answer(&asked)
    }

    #[test]
    fn the_rfc_s_challenges_have_the_rfc_s_answers() {
        let md5 = example("MD5", "auth, auth-int", b"");
        assert!(md5.contains("response=\"8ca523f5e9506fed4657c9700eebdbec\""), "{md5}");
        assert!(md5.contains("qop=auth, nc=00000001, cnonce=\"f2/wE4q74E6"), "{md5}");
        assert!(md5.contains("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), "{md5}");
        let sha = example("SHA-256", "auth, auth-int", b"");
        assert!(
            sha.contains("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""),
            "{sha}"
        );
        assert!(sha.contains("algorithm=SHA-256"), "{sha}");
    }

    #[test]
    fn other_hashes_and_the_body_have_the_answers_that_others_give() {
        // Worked out with Python's hashlib, which gives those of the RFC for the two above.
        for (algorithm, quality, body, response) in [
            ("SHA-512-256", "auth", "", "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0"),
            ("MD5", "auth-int", "amount=3", "9a4ddfae04539ef7f806e9c548b518e0"),
            (
                "SHA-512-256-sess",
                "auth-int",
                "",
                "1e68177aa6f998392db08ac130e9e08b7cf8c081a506e608d436be3e224f57ab",
            ),
        ] {
            let answer = example(algorithm, quality, body.as_bytes());
            assert!(answer.contains(&format!("response=\"{response}\"")), "{answer}");
            assert!(answer.contains(&format!("qop={quality}, nc=00000001")), "{answer}");
        }
    }

    #[test]
    fn the_first_challenge_that_can_be_answered_is_taken() {
        let find = |values: &[&str]| Challenge::find(values.iter().copied());
        let both = "Basic realm=\"a, b=\\\"c\\\"\", Digest realm=\"r\", nonce=n, algorithm=SHA3-256, \
                    Digest realm=\"r\", nonce=\"n2\", stale=TRUE, algorithm=md5";
        let found = find(&[both]).unwrap();
        assert_eq!((found.nonce.as_str(), found.stale, found.qop), ("n2", true, None));
        assert_eq!(found.algorithm.name, Some("MD5"));
        assert_eq!(find(&["Negotiate", "Digest nonce=\"n\", realm=\"\""]).unwrap().algorithm.name, None);
        for nothing in [
            "",
            "Basic realm=\"x\"",
            "Digest",
            "Digest realm=\"r\"",
            "Digest realm=\"never closed, nonce=\"n",
            "Digest realm=r, nonce=n, qop=\"auth-conf\"",
            "Digest realm=r, nonce=n, algorithm=ROT13",
            "=,=,\"",
        ] {
            assert_eq!(find(&[nothing]), None, "{nothing}");
        }
        assert_eq!(find(&[&format!("Digest realm=r, nonce={}", "n".repeat(5000))]), None);
    }
}
