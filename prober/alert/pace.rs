//! How soon a delivery that failed is tried again, and when it is overdue.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

/// The waits of one outlet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The first wait after a failure; doubled each time.
    pub first: Duration,
    /// The longest wait of a page.
    pub page_wait_max: Duration,
    /// The longest wait of a ticket.
    pub ticket_wait_max: Duration,
    /// A page that no try has delivered for so long is overdue: it counts as failed, and the next route is told.
    pub page_overdue: Duration,
    /// A change that was not delivered for so long is given up.
    pub given_up: Duration,
    /// How often those who are told how things stand are told again.
    pub again: Duration,
    /// How long they are told of an alert after its end.
    pub ended: Duration,
    /// How long one delivery may take.
    pub deadline: Duration,
    /// How long what is left may take at the stop.
    pub grace: Duration,
}

impl Default for Pace {
    /// 5 s, doubled up to 1 min for pages, which are overdue after 5 min, and up to 30 min for tickets; given up
    /// after a day. Told again each minute and until 15 min after the end, as Prometheus does.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            page_wait_max: Duration::from_mins(1),
            ticket_wait_max: Duration::from_mins(30),
            page_overdue: Duration::from_mins(5),
            given_up: Duration::from_hours(24),
            again: Duration::from_mins(1),
            ended: Duration::from_mins(15),
            deadline: Duration::from_secs(15),
            grace: Duration::from_secs(3),
        }
    }
}

impl Pace {
    /// The wait after `failures` tries in a row that failed, at least 1.
    ///
    /// Cut by up to a quarter, by a hash of `what`, so that not everything is tried in step.
    pub(crate) fn wait(&self, urgent: bool, failures: u32, what: &str) -> Duration {
        let max = if urgent { self.page_wait_max } else { self.ticket_wait_max };
        let doublings = failures.saturating_sub(1).min(20);
        let full = self.first.saturating_mul(1 << doublings).min(max);
        let mut hash = DefaultHasher::new();
        (what, failures).hash(&mut hash);
        let share = (hash.finish() % 1_000) as f64 / 1_000.0;
        full.mul_f64(1.0 - share / 4.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound_and_differ() {
        let pace = Pace::default();
        let seconds = |urgent, failures| pace.wait(urgent, failures, "a").as_secs_f64();
        for (urgent, failures, full) in [
            (true, 1, 5.0),
            (true, 2, 10.0),
            (true, 4, 40.0),
            (true, 5, 60.0),
            (true, u32::MAX, 60.0),
            (false, 9, 1_280.0),
            (false, 40, 1_800.0),
        ] {
            let wait = seconds(urgent, failures);
            assert!((full * 0.75..=full).contains(&wait), "{urgent} {failures}: {wait}");
        }
        assert_ne!(pace.wait(true, 3, "a"), pace.wait(true, 3, "b"));
        assert_eq!(pace.wait(true, 3, "a"), pace.wait(true, 3, "a"));
    }

    #[test]
    fn a_page_is_tried_several_times_before_it_is_overdue() {
        let pace = Pace::default();
        let mut spent = Duration::ZERO;
        let tries = (1..).take_while(|failures| {
            spent += pace.wait(true, *failures, "a");
            spent < pace.page_overdue
        });
        assert!(tries.count() >= 6);
    }
}
