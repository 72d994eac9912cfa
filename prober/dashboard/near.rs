//! What somebody probably meant to type.

/// The word that `typed` was probably meant to be.
pub(crate) fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    if typed.is_empty() || typed.len() > 64 {
        return None;
    }
    let lower = typed.to_lowercase();
    let most = match typed.chars().count() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    let distances = known.iter().filter_map(|word| {
        let distance = strsim::damerau_levenshtein(&lower, &word.to_lowercase());
        (distance <= most && distance < word.chars().count()).then_some((distance, *word))
    });
    distances.min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}
