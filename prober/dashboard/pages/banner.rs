//! Banners: what is wrong with the prober itself, as opposed to the targets.

use maud::{Markup, html};
use model::outcome::Reason;
use model::time::Timestamp;
use store::Health;

use crate::sources::{Readiness, ReloadState};
use crate::state::Losses;
use crate::text::{BLOCK_MAX, SENTENCE_MAX, clean, count, time, user};

/// One thing that is wrong with the prober.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Banner {
    /// The store cannot write.
    Store { since: Timestamp, error: String },
    /// The files had mistakes.
    Reload { at: Timestamp, diagnostics: String },
    /// Slots were missed or are ineligible through our own fault.
    Losses(Losses),
    /// No slots are being run yet.
    Starting(String),
    /// The prober is shutting down.
    Draining,
}

/// Everything that is wrong now, the worst first.
pub(crate) fn banners(
    health: &Health,
    reload: &ReloadState,
    readiness: &Readiness,
    losses: &Losses,
) -> Vec<Banner> {
    let mut all = Vec::new();
    if let Health::Failing { since, error } = health {
        all.push(Banner::Store { since: *since, error: error.clone() });
    }
    match readiness {
        Readiness::Ready => {}
        Readiness::Starting(why) => all.push(Banner::Starting(why.clone())),
        Readiness::Draining => all.push(Banner::Draining),
    }
    if let ReloadState::Failed { at, diagnostics } = reload {
        all.push(Banner::Reload { at: *at, diagnostics: diagnostics.clone() });
    }
    if !losses.missed.is_empty() || !losses.ineligible.is_empty() {
        all.push(Banner::Losses(losses.clone()));
    }
    all
}

/// The banners as they stand on top of a page.
pub(crate) fn show(banners: &[Banner], now: Timestamp) -> Markup {
    html! {
        @for banner in banners {
            div.banner role="status" { (one(banner, now)) }
        }
    }
}

fn one(banner: &Banner, now: Timestamp) -> Markup {
    match banner {
        Banner::Store { since, error } => html! {
            strong { "The store has not been able to write since " (time(*since, now)) "." }
            " Stored events are safe; new ones wait for the disk. " code { (user(error, SENTENCE_MAX)) }
        },
        Banner::Reload { at, diagnostics } => html! {
            strong { "The files could not be loaded at " (time(*at, now)) "." }
            " The scenarios from before go on unchanged."
            details { summary { "What is wrong with them" } pre dir="ltr" { (clean(diagnostics, BLOCK_MAX)) } }
        },
        Banner::Losses(losses) => html! {
            strong { "The prober, not the targets: " }
            "of " (count(losses.slots, "slot")) " in the last 10 minutes "
            (reasons(&losses.missed, "missed"))
            @if !losses.missed.is_empty() && !losses.ineligible.is_empty() { " and " }
            (reasons(&losses.ineligible, "ineligible"))
            ", in " (count(losses.scenarios.len() as u64, "scenario")) ". They count neither as good nor as bad."
        },
        Banner::Starting(why) => html! {
            strong { "Not running yet." } " " (user(why, SENTENCE_MAX))
        },
        Banner::Draining => html! {
            strong { "The prober is shutting down." } " No new slots are run."
        },
    }
}

/// `14 were missed (late 12, overlap 2)`.
fn reasons(list: &[(Reason, u64)], word: &str) -> Markup {
    let sum: u64 = list.iter().map(|(_, count)| count).sum();
    let each: Vec<_> =
        list.iter().map(|(reason, count)| format!("{} {count}", reason.as_str().replace('_', " "))).collect();
    html! {
        @if sum > 0 {
            (sum) @if sum == 1 { " was " } @else { " were " } (word) " (" (each.join(", ")) ")"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(banners: &[Banner]) -> String {
        show(banners, Timestamp::from_seconds(1_000_000)).into_string()
    }

    #[test]
    fn a_sound_prober_has_no_banner() {
        let loaded = ReloadState::Loaded { at: Timestamp::default() };
        assert_eq!(banners(&Health::Ok, &loaded, &Readiness::Ready, &Losses::default()), []);
    }

    #[test]
    fn all_that_is_wrong_is_said_and_escaped() {
        let at = Timestamp::from_seconds(999_000);
        let health = Health::Failing { since: at, error: "disk <full>".to_owned() };
        let failed = ReloadState::Failed { at, diagnostics: "<script>alert(1)</script>\n ^^".to_owned() };
        let losses = Losses {
            slots: 40,
            missed: vec![(Reason::ClockStep, 3), (Reason::Late, 1)],
            ineligible: vec![(Reason::ProberFault, 1)],
            scenarios: ["a".into(), "b".into()].into(),
        };
        let all = banners(&health, &failed, &Readiness::Draining, &losses);
        assert_eq!(all.len(), 4);
        let text = shown(&all);
        for part in [
            "disk &lt;full&gt;",
            "&lt;script&gt;alert(1)&lt;/script&gt;\n ^^",
            "of 40 slots in the last 10 minutes 4 were missed (clock step 3, late 1) and 1 was ineligible (prober fault 1), in 2 scenarios",
            "shutting down",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("<script"));
    }
}
