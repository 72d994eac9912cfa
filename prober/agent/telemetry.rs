//! What the process says of itself: log lines on stderr, and facts for the metrics page.
//!
//! Only our own lines: what libraries trace is what goes over the wire, headers and names with secrets in them.

use tracing::Metadata;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// The crates whose lines are shown: all of ours.
const OURS: [&str; 14] = [
    "prober",
    "model",
    "scenario",
    "probe",
    "schedule",
    "store",
    "slo",
    "post",
    "export",
    "fleet",
    "alert",
    "dashboard",
    "demo",
    "testkit",
];

/// Log lines on stderr: `info` and above, or what `filter` says (`PROBER_LOG`).
pub(crate) fn start(filter: Option<&str>, quiet: bool, colour: bool) {
    let default = if quiet { "error" } else { "info" };
    let filter =
        filter.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(false)
        .with_filter(filter_fn(is_ours));
    // A second start in one process keeps the first.
    drop(tracing_subscriber::registry().with(filter).with(lines).try_init());
}

fn is_ours(line: &Metadata<'_>) -> bool {
    let krate = line.target().split("::").next().unwrap_or_default();
    OURS.contains(&krate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last part of a workspace member's path is the crate's name.
    #[test]
    fn all_our_crates_are_shown() {
        let manifest = include_str!("../../Cargo.toml");
        let members = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
        let members = members.split('"').filter_map(|path| path.strip_prefix("prober/"));
        let mut members: Vec<_> = members.chain(["prober"]).collect();
        let mut ours = OURS.to_vec();
        members.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, members);
    }
}
