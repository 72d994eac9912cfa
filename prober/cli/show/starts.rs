//! What `prober schedule` shows: the next starts of each stream.

use model::slot::Stream;
use model::time::Timestamp;

use super::line::Line;
use super::look::{Look, Tone};
use super::number::distance;

/// The next starts of one stream.
#[derive(Clone, Debug)]
pub(crate) struct StartRow<'a> {
    pub(crate) stream: &'a Stream,
    /// The cadence as people write it.
    pub(crate) cadence: String,
    /// `12.345 s into each minute`; empty for cron.
    pub(crate) phase: String,
    /// Each start, its time in the stream's zone, and a remark about the clocks; empty if there is none.
    pub(crate) starts: Vec<(Timestamp, String, String)>,
}

/// A block for each stream; `now` tells how far away a start is.
pub(crate) fn starts_table(rows: &[StartRow<'_>], now: Timestamp, look: Look) -> String {
    let mut out = String::new();
    for row in rows {
        if !out.is_empty() {
            out.push('\n');
        }
        let mut line = Line::new(look, 2);
        line.field(Tone::Strong, &row.stream.scenario, look.columns() / 2).gap(1);
        line.put(&format!("({})", row.stream.region)).gap(2).put(&row.cadence);
        if !row.phase.is_empty() {
            line.gap(2).tint(Tone::Dim, &row.phase);
        }
        line.end(&mut out);
        if row.starts.is_empty() {
            let mut line = Line::new(look, 4);
            line.tint(Tone::Odd, "never again");
            line.end(&mut out);
        }
        for (at, local, remark) in &row.starts {
            let mut line = Line::new(look, 4);
            line.put(local);
            let away = match (at.since(now), now.since(*at)) {
                (ahead, _) if !ahead.is_zero() => format!("in {}", distance(ahead)),
                (_, ago) if !ago.is_zero() => format!("{} ago", distance(ago)),
                _ => "now".to_owned(),
            };
            line.gap(2).tint(Tone::Dim, &away);
            if !remark.is_empty() {
                line.gap(2).tint(Tone::Odd, remark);
            }
            line.end(&mut out);
        }
    }
    out
}
