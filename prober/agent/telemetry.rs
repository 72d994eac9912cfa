//! What the process says of itself: log lines on stderr, and facts for the metrics page.

use tracing_subscriber::EnvFilter;

/// Log lines on stderr: `info` and above, or what `filter` says (`PROBER_LOG`).
pub(crate) fn start(filter: Option<&str>, quiet: bool, colour: bool) {
    let default = if quiet { "error" } else { "info" };
    let filter =
        filter.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(false);
    // A second start in one process keeps the first.
    drop(lines.try_init());
}
