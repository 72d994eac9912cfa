//! The address of a scenario's page with all that is chosen on it.

use crate::text::encoded;
use crate::view::Asked;

/// The address of the page with a change.
pub(super) fn address(asked: &Asked, change: impl FnOnce(&mut Asked)) -> String {
    let mut asked = asked.clone();
    change(&mut asked);
    let mut parts = Vec::new();
    if let Some(region) = &asked.region {
        parts.push(format!("region={}", encoded(region)));
    }
    if asked.hours != Asked::HOURS {
        parts.push(format!("hours={}", asked.hours));
    }
    if let Some(run) = &asked.run {
        parts.push(format!("run={}", encoded(&run.id)));
        parts.extend(run.at.map(|at| format!("at={}", at.as_millis())));
    }
    if !asked.refresh {
        parts.push("refresh=off".to_owned());
    }
    let here = format!("/scenarios/{}", encoded(&asked.name));
    if parts.is_empty() { here } else { format!("{here}?{}", parts.join("&")) }
}
