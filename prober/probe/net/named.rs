//! Who named the place that a step goes to: the file, or an answer of which an earlier step captured something.
//!
//! A place that may not be probed is the file's mistake if the file names it, and then nothing is held against the
//! target. If an answer named it, it is the target's word, and the run is bad.

use model::outcome::Failure;
use scenario::kind::StepOutcome;
use scenario::template::{Hole, Part, Template};

use crate::net::address::Host;
use crate::net::fault::unusable;
use crate::net::policy::POLICY;
use crate::net::resolve::Family;

/// What stands for a captured value where a template is looked at; no host has it.
pub(crate) const CAPTURED: char = '\u{1}';

/// `failure`, held against the target if it is a denial and a captured value stands in `place` where the host does.
pub(crate) fn hold(place: &Template, failure: Failure) -> Failure {
    hold_if(names_host(place), place, failure)
}

/// The same where the caller knows whether a captured value `names` the host.
pub(crate) fn hold_if(names: bool, place: &Template, failure: Failure) -> Failure {
    if names && failure.error_type == POLICY { unusable(place, &failure.message) } else { failure }
}

/// The same for what a step came to.
pub(crate) fn hold_outcome(place: &Template, mut outcome: StepOutcome) -> StepOutcome {
    outcome.failure = outcome.failure.map(|failure| hold(place, failure));
    outcome
}

/// Refuses a captured address of another family than the step asks for.
///
/// # Errors
/// Class `incorrect`; an address that the file names is refused where it is used.
pub(crate) fn check_family(place: &Template, host: &Host, family: Family) -> Result<(), Failure> {
    match host {
        Host::Ip(ip) if !family.has(*ip) && names_host(place) => {
            Err(unusable(place, &format!("{ip} is not of the address family that `ip` asks for")))
        }
        _ => Ok(()),
    }
}

/// Whether a captured value stands in `place`, a URL or a host with or without a port, where the host does.
pub(crate) fn names_host(place: &Template) -> bool {
    marked(place).is_some_and(|text| authority(&text).contains(CAPTURED))
}

/// The text of `place` with [`CAPTURED`] for each captured value and a letter for every other hole; `None` if a secret
/// stands at its beginning, which may be the whole place: whoever runs the prober gave it.
pub(crate) fn marked(place: &Template) -> Option<String> {
    if let [Part::Hole(Hole::Secret(_), _), ..] = place.parts() {
        return None;
    }
    let mut text = String::new();
    for part in place.parts() {
        match part {
            Part::Text(plain) => text.push_str(plain),
            Part::Hole(Hole::Capture(_), _) => text.push(CAPTURED),
            Part::Hole(..) => text.push('x'),
        }
    }
    Some(text)
}

/// Host and port of a URL, or of an address without a scheme; who signs in is no part of it.
pub(crate) fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A template in which `<name>` is captured and `[name]` a secret.
    fn template(text: &str) -> Template {
        let mut parts = Vec::new();
        for piece in text.split_inclusive(['>', ']']) {
            let (plain, hole) = piece.split_at(piece.find(['<', '[']).unwrap_or(piece.len()));
            parts.push(Part::Text(plain.into()));
            if let Some(name) = hole.strip_prefix('<') {
                parts.push(Part::Hole(Hole::Capture(name.trim_end_matches('>').into()), Vec::new()));
            } else if let Some(name) = hole.strip_prefix('[') {
                parts.push(Part::Hole(Hole::Secret(name.trim_end_matches(']').into()), Vec::new()));
            }
        }
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Template::new(parts)
    }

    #[test]
    fn a_captured_value_names_the_host_where_it_stands_there() {
        for (place, expected) in [
            ("<next>", true),
            ("https://<host>/orders", true),
            ("https://<zone>.example/", true),
            ("https://shop.example:<port>/", true),
            ("https://shop.example/<id>", false),
            ("https://shop.example?to=<id>", false),
            ("https://me:<password>@shop.example/", false),
            ("https://me:<password>@<host>/", true),
            ("[base]/<id>", false),
            ("[base]<id>", false),
            ("https://[zone].<domain>/", true),
            ("<host>:443", true),
            ("shop.example:443", false),
            ("[host]:443", false),
        ] {
            assert_eq!(names_host(&template(place)), expected, "{place}");
        }
    }

    #[test]
    fn only_denials_are_held_against_the_target() {
        let denied = || Failure::new(model::outcome::FailureClass::Local, POLICY, "no");
        assert_eq!(&*hold(&template("<host>:1"), denied()).error_type, "assert.capture");
        assert_eq!(hold(&template("host:1"), denied()), denied());
        let other = || Failure::new(model::outcome::FailureClass::Local, "local.fd", "none is left");
        assert_eq!(hold(&template("<host>:1"), other()), other());
    }
}
