//! Reads the files again by itself where none could be opened: that is the machine's trouble, and it passes.

use std::time::{Duration, Instant};

use dashboard::ReloadState;

/// What the standard library says of EMFILE and ENFILE, whatever part of the loading met them.
const NO_FILE: [&str; 2] = ["(os error 24)", "(os error 23)"];
/// The first wait; each one after it is twice as long.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);
/// How often it is tried before somebody has to ask again: a quarter of an hour.
const TRIES_MAX: u32 = 34;

/// When the files are to be read again, if at all.
#[derive(Debug, Default)]
pub(crate) struct Again {
    tries: u32,
    at: Option<Instant>,
}

impl Again {
    /// Takes note of how a reload ended, whoever asked for it.
    pub(crate) fn note(&mut self, state: &ReloadState, now: Instant) {
        if !found_no_file(state) {
            *self = Self::default();
            return;
        }
        if self.tries == TRIES_MAX {
            tracing::error!(
                "still no file could be opened: the files are not read again until that is asked for"
            );
            *self = Self::default();
            return;
        }
        let wait = (FIRST * 2_u32.pow(self.tries.min(5))).min(LONGEST);
        tracing::warn!("no file could be opened; the files are read again in {wait:?}");
        self.tries += 1;
        self.at = Some(now + wait);
    }

    /// Ends when the files are to be read again; never if they are not. Dropping it changes nothing.
    pub(crate) async fn due(&self) {
        match self.at {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }
}

fn found_no_file(state: &ReloadState) -> bool {
    match state {
        ReloadState::Failed { diagnostics, .. } => NO_FILE.iter().any(|words| diagnostics.contains(words)),
        ReloadState::Loaded { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use model::time::Timestamp;

    use super::*;

    fn failed(why: &std::io::Error) -> ReloadState {
        ReloadState::Failed { at: Timestamp::default(), diagnostics: format!("a.yaml: {why}") }
    }

    fn waits(again: &Again, now: Instant) -> Option<u64> {
        again.at.map(|at| at.saturating_duration_since(now).as_secs())
    }

    #[test]
    fn only_what_passes_is_tried_again_ever_more_seldom_and_not_for_ever() {
        let now = Instant::now();
        let no_file = failed(&std::io::Error::from_raw_os_error(24));
        let mut again = Again::default();
        let mut all = Vec::new();
        for _ in 0..TRIES_MAX {
            again.note(&no_file, now);
            all.push(waits(&again, now).expect("it is tried again"));
        }
        assert_eq!(all[..7], [1, 2, 4, 8, 16, 30, 30]);
        assert!((800..1000).contains(&all.iter().sum::<u64>()), "{all:?}");
        again.note(&no_file, now);
        assert_eq!(waits(&again, now), None);
        // Whoever asks later begins anew.
        again.note(&no_file, now);
        assert_eq!(waits(&again, now), Some(1));
        again.note(&failed(&std::io::Error::from_raw_os_error(2)), now);
        assert_eq!(waits(&again, now), None, "a wrong file stays wrong");
        again.note(&failed(&std::io::Error::from_raw_os_error(23)), now);
        again.note(&ReloadState::Loaded { at: Timestamp::default() }, now);
        assert_eq!(waits(&again, now), None);
    }
}
