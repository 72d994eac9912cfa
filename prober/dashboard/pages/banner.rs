//! Banners: what is wrong with the prober itself, as opposed to the targets.

use maud::{Markup, html};
use model::outcome::Reason;
use model::time::Timestamp;
use store::Health;

use crate::sources::{OwnDoubts, Readiness, ReloadState};
use crate::state::Losses;
use crate::text::{BLOCK_MAX, SENTENCE_MAX, clean, count, time, user};

/// The most streams that are named as hidden.
const HIDDEN_MAX: usize = 5;

/// One thing that is wrong with the prober.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Banner {
    /// The store cannot write.
    Store { since: Timestamp, error: String },
    /// The files had mistakes.
    Reload { at: Timestamp, diagnostics: String },
    /// Slots were missed or are ineligible through our own fault.
    Losses(Losses),
    /// The prober doubts itself.
    Doubts(OwnDoubts),
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

/// The banner of a prober that doubts itself.
pub(crate) fn doubts(own: OwnDoubts) -> Option<Banner> {
    (own != OwnDoubts::default()).then_some(Banner::Doubts(own))
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
        Banner::Doubts(own) => html! {
            @for (reason, why) in &own.suspended {
                strong { "No slot is run: " }
                "they are missed (" (reason.as_str().replace('_', " ")) "). " (user(why, SENTENCE_MAX)) " "
            }
            @for (signal, region, why) in &own.doubts {
                strong { "The prober doubts its own " (signal) @if !region.is_empty() { " (" (user(region, 60)) ")" } ". " }
                "What is bad for that reason does not count. " (user(why, SENTENCE_MAX)) " "
            }
            @if !own.hidden.is_empty() {
                strong { "An outage would be hidden: " }
                "too many runs of the last hour say nothing about "
                @for (index, (stream, share)) in own.hidden.iter().take(HIDDEN_MAX).enumerate() {
                    @if index > 0 { ", " }
                    (user(&stream.scenario, 60)) " (" (format!("{:.0}\u{a0}%", share * 100.0)) ")"
                }
                @if own.hidden.len() > HIDDEN_MAX { " and " (own.hidden.len() - HIDDEN_MAX) " more" }
                ". "
            }
            @for (route, why) in own.undelivered.iter().take(HIDDEN_MAX) {
                strong { "Alerts do not get through route " (user(route, 60)) ". " }
                "They wait and are tried again. " (user(why, SENTENCE_MAX)) " "
            }
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
    fn a_prober_that_doubts_itself_says_so_and_whom_that_hides() {
        assert_eq!(doubts(OwnDoubts::default()), None);
        let stream = |name: &str| model::slot::Stream::new(name, "eu");
        let own = OwnDoubts {
            suspended: vec![(Reason::SelfTest, "good was <bad>".to_owned())],
            doubts: vec![
                ("network", "eu".into(), "2 of 3 control targets failed; <b>".to_owned()),
                ("clock", "".into(), "it was stepped".to_owned()),
            ],
            hidden: (0..7).map(|number| (stream(&format!("s{number}")), 0.5)).collect(),
            undelivered: vec![("oncall".to_owned(), "https://hooks.example answered 503: <i>".to_owned())],
        };
        let text = shown(&[doubts(own).unwrap()]);
        for part in [
            "No slot is run: </strong>they are missed (self test). ",
            "good was &lt;bad&gt;",
            "doubts its own network (<bdi>eu</bdi>). ",
            "failed; &lt;b&gt;",
            "doubts its own clock. ",
            "about <bdi>s0</bdi> (50\u{a0}%), <bdi>s1</bdi> (50\u{a0}%)",
            "<bdi>s4</bdi> (50\u{a0}%) and 2 more.",
            "through route <bdi>oncall</bdi>. ",
            "answered 503: &lt;i&gt;",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
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
