//! What caches on the way say that they did, in one word and one duration.
//!
//! Caches tell in many dialects; where several speak, one that had the answer decides, and else the one nearest to
//! us.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, HeaderName};

/// The words of the subject `cache`.
pub(super) const WORDS: &[&str] = &["hit", "stale", "miss", "bypass", "unknown"];

/// Headers that caches without `Cache-Status` use.
static DIALECTS: [HeaderName; 3] = [
    HeaderName::from_static("x-cache"),
    HeaderName::from_static("x-cache-status"),
    HeaderName::from_static("cf-cache-status"),
];
static CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// How long ago the answer was made, as the header `Age` says (RFC 9111, section 5.1).
pub(super) fn age(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(AGE)?.to_str().ok()?.trim().parse().ok()?;
    // The largest that the header may say.
    Some(Duration::from_secs(seconds.min(1 << 31)))
}

/// What the caches did: one of [`WORDS`].
pub(super) fn word(headers: &HeaderMap) -> &'static str {
    let of = |name: &HeaderName, word: fn(&str) -> Option<&'static str>| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let words: Vec<_> = values.flat_map(|value| value.split(',')).filter_map(word).collect();
        if words.contains(&"hit") { Some("hit") } else { words.last().copied() }
    };
    of(&CACHE_STATUS, status)
        .or_else(|| DIALECTS.iter().find_map(|name| of(name, dialect)))
        .or_else(|| age(headers).filter(|age| !age.is_zero()).map(|_| "hit"))
        .unwrap_or("unknown")
}

/// One member of `Cache-Status`: `ExampleCache; fwd=stale; stored` (RFC 9211). The last one is nearest to us.
fn status(member: &str) -> Option<&'static str> {
    let parameters = member.split(';').skip(1).map(str::trim);
    for parameter in parameters {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match (name.trim().to_ascii_lowercase().as_str(), value.trim().to_ascii_lowercase().as_str()) {
            ("hit", "" | "?1") => return Some("hit"),
            ("fwd", "stale") => return Some("stale"),
            ("fwd", "bypass" | "method" | "request") => return Some("bypass"),
            ("fwd", _) => return Some("miss"),
            _ => {}
        }
    }
    None
}

/// `HIT`, `TCP_MISS`, `Hit from cloudfront`, `EXPIRED`.
fn dialect(said: &str) -> Option<&'static str> {
    let said = said.trim().to_ascii_lowercase();
    // Behind `from` stands the name of the cache, which may have any word in it.
    let said = said.split(" from ").next().unwrap_or_default();
    let has = |word: &str| said.contains(word);
    if has("miss") || has("dynamic") || has("expired") {
        Some("miss")
    } else if has("stale") || has("updating") {
        Some("stale")
    } else if has("hit") || has("revalidated") {
        Some("hit")
    } else if has("bypass") || has("pass") || has("none") {
        Some("bypass")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn the_dialects_of_caches_are_one_word() {
        for (lines, expected) in [
            (&[][..], "unknown"),
            (&[("cache-status", "Edge; hit; ttl=30")], "hit"),
            (&[("cache-status", "Edge; fwd=miss; stored")], "miss"),
            (&[("cache-status", "Edge; fwd=stale; fwd-status=304")], "stale"),
            (&[("cache-status", "Edge; fwd=bypass")], "bypass"),
            (&[("cache-status", "Edge; hit=?0; fwd=uri-miss")], "miss"),
            // The origin's cache had it, so that the origin did not work.
            (&[("cache-status", "Shield; hit"), ("cache-status", "Edge; fwd=miss")], "hit"),
            (&[("cache-status", "Shield; fwd=miss, Edge; fwd=stale")], "stale"),
            (&[("cache-status", "nonsense")], "unknown"),
            (&[("x-cache", "HIT")], "hit"),
            (&[("x-cache", "TCP_MISS")], "miss"),
            (&[("x-cache", "Hit from cloudfront")], "hit"),
            (&[("x-cache", "RefreshHit from cloudfront")], "hit"),
            (&[("x-cache", "Miss from cloudfront")], "miss"),
            (&[("x-cache", "HIT from cache.mission.example:3128")], "hit"),
            (&[("x-cache", "TCP_MEM_HIT from a23.example (AkamaiGHost/9.9) (-)")], "hit"),
            (&[("x-cache", "MISS from hit.example")], "miss"),
            (&[("x-cache", "Error from passage.example")], "unknown"),
            (&[("x-cache", "MISS, HIT")], "hit"),
            (&[("x-cache", "HIT, MISS")], "hit"),
            (&[("x-cache-status", "EXPIRED")], "miss"),
            (&[("x-cache-status", "STALE")], "stale"),
            (&[("x-cache-status", "UPDATING")], "stale"),
            (&[("x-cache-status", "BYPASS")], "bypass"),
            (&[("cf-cache-status", "REVALIDATED")], "hit"),
            (&[("cf-cache-status", "DYNAMIC")], "miss"),
            (&[("age", "17")], "hit"),
            (&[("age", "0")], "unknown"),
            (&[("age", "0"), ("x-cache", "MISS")], "miss"),
            (&[("cache-status", "Edge; fwd=miss"), ("x-cache", "HIT")], "miss"),
        ] {
            let found = word(&headers(lines));
            assert_eq!(found, expected, "{lines:?}");
            assert!(WORDS.contains(&found));
        }
    }

    #[test]
    fn an_age_is_a_number_of_seconds() {
        for (text, expected) in [
            ("17", Some(17)),
            (" 3 ", Some(3)),
            ("0", Some(0)),
            ("99999999999999", Some(1 << 31)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(age(&headers(&[("age", text)])), expected.map(Duration::from_secs), "{text}");
        }
        assert_eq!(age(&headers(&[])), None);
    }
}
