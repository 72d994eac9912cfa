//! The stock file, written anew every few seconds, except while its fault is active.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use model::time::Timestamp;

use crate::faults::{STOCK, Schedule};
use crate::{Paths, StartError};

/// How often the file is written.
const EVERY: Duration = Duration::from_secs(5);

/// Writes the file anew until it is aborted.
pub(crate) async fn keep_fresh(paths: Paths, schedule: Schedule) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        if schedule.active(&STOCK) {
            continue;
        }
        if let Err(error) = refresh(&paths, schedule.now()).await {
            // The scenario that watches the file reports its age.
            tracing::warn!(error = &error as &dyn std::error::Error, "the demo's stock file stays old");
        }
    }
}

/// Writes the file as of `now`.
pub(crate) async fn refresh(paths: &Paths, now: Timestamp) -> Result<(), StartError> {
    let mut text = String::from("sku,in_stock,as_of\n");
    let minute = now.as_millis() / 60_000;
    for (index, sku) in (0_i64..).zip(["TEA-GREEN", "TEA-BLACK", "CUP-BLUE", "POT-IRON"]) {
        let left = 40 - (minute + 7 * index) % 40;
        writeln!(text, "{sku},{left},{now}").expect("a String takes every text");
    }
    write(&paths.folder, &paths.stock, text.as_bytes()).await
}

/// Replaces the file at `path` as a whole, so that no reader sees half of it.
pub(crate) async fn write(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), StartError> {
    let written = async {
        tokio::fs::create_dir_all(folder).await?;
        let part = path.with_extension("part");
        tokio::fs::write(&part, bytes).await?;
        tokio::fs::rename(&part, path).await
    };
    written.await.map_err(|source| StartError::Write { path: path.to_owned(), source })
}
