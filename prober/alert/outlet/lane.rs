//! What both ways of telling have in common: the route's rows, its pauses, and what is late.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::time::{Clock, Timestamp};
use store::{QueuedDelivery, ReadError, Store};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::Receiver;
use crate::answer::Delivery;
use crate::notice::Notice;
use crate::pace::Pace;
use crate::stats::RouteStats;

/// One receiver's view of the outbox.
pub(super) struct Lane {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) route: String,
    /// The receiver, as people may see it.
    pub(super) place: String,
    pub(super) pace: Pace,
    pub(super) stats: Arc<RouteStats>,
    /// Deliveries in a row that the receiver did not take for reasons of its own.
    pub(super) failures: u32,
    /// Until when the receiver is left alone.
    pub(super) pause: Option<Instant>,
}

/// Rows that are looked at in one go.
const ROWS: u32 = 64;
/// How long to wait when the outbox itself cannot be read.
pub(super) const STORE_WAIT: Duration = Duration::from_secs(5);

impl Lane {
    /// Uses the outbox where blocking is allowed; what went wrong is logged.
    pub(super) async fn outbox<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store, &str) -> Result<T, ReadError> + Send + 'static,
    ) -> Option<T> {
        let (store, route) = (self.store.clone(), self.route.clone());
        let made = spawn_blocking(move || work(&store, &route)).await;
        match made.expect("the store does not panic and nobody aborts it") {
            Ok(made) => Some(made),
            Err(error) => {
                tracing::error!(route = self.route, "the outbox of alerts cannot be used: {error}");
                None
            }
        }
    }

    /// Delivers once, within the deadline.
    pub(super) async fn deliver(&self, receiver: &mut dyn Receiver, notices: &[Notice]) -> Delivery {
        let deadline = self.pace.deadline;
        match timeout(deadline, receiver.deliver(notices, self.clock.now())).await {
            Ok(delivery) => delivery,
            Err(_) => {
                Delivery::Retry { after: None, why: format!("{} took longer than {deadline:?}", self.place) }
            }
        }
    }

    /// How long the receiver is still left alone.
    pub(super) fn paused(&self) -> Option<Duration> {
        let left = self.pause?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Notes that the receiver took something.
    pub(super) fn works(&mut self) {
        (self.failures, self.pause) = (0, None);
        if self.stats.set_trouble(&self.place, None) {
            tracing::info!(route = self.route, receiver = self.place, "alerts get through again");
        }
    }

    /// Notes that the receiver took nothing, and leaves it alone for a while; gives for how long.
    pub(super) fn fails(&mut self, after: Option<Duration>, why: &str) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let wait = self.pace.wait(true, self.failures, &self.place).max(after.unwrap_or_default());
        self.pause = Some(Instant::now() + wait);
        self.tell_trouble(why);
        wait
    }

    /// Says once that the receiver fails, and why.
    pub(super) fn tell_trouble(&self, why: &str) {
        if self.stats.set_trouble(&self.place, Some(why)) {
            tracing::warn!(route = self.route, receiver = self.place, why, "alerts do not get through");
        }
    }

    /// Looks after what was not delivered in time: pages are told to the next route, old rows are given up.
    ///
    /// With `gone`, the receiver wants nothing any more, and everything is late.
    pub(super) async fn late(&self, gone: Option<&str>) {
        let now = self.clock.now();
        let (page_before, before) = match gone {
            Some(_) => (now, now),
            None => (now.minus(self.pace.page_overdue), now.minus(self.pace.given_up)),
        };
        loop {
            let rows =
                self.outbox(move |store, route| store.late_deliveries(route, (page_before, before), ROWS));
            let rows = rows.await.unwrap_or_default();
            let last = rows.len() < ROWS as usize;
            for row in rows {
                let over = row.overdue.is_some() || row.created <= before;
                let next = (!over).then_some(row.next);
                let why = gone.map(str::to_owned).or_else(|| row.error.clone());
                let why = why.unwrap_or_else(|| "there was no try in time".to_owned());
                if self.overdue(row, next, why).await.is_none() {
                    return;
                }
            }
            if last {
                return;
            }
        }
    }

    /// Declares a row overdue: counts it, tells the next route, and gives it up if there is no `next` try.
    ///
    /// `None` if the outbox cannot be written.
    pub(super) async fn overdue(
        &self,
        row: QueuedDelivery,
        next: Option<Timestamp>,
        why: String,
    ) -> Option<()> {
        let notice = Notice::from_stored(&row.delivery.state);
        let instead = if row.overdue.is_none() {
            notice.ok().and_then(|notice| notice.escalation(&self.route, &why))
        } else {
            None
        };
        let to = instead.as_ref().map(|instead| instead.route.clone());
        let (now, text) = (self.clock.now(), why.clone());
        let instead = Vec::from_iter(instead);
        let (id, known) = (row.id, row.overdue.is_some());
        let news = self.outbox(move |store, _| store.mark_overdue(id, (now, next), &text, &instead)).await?;
        if news.is_some() && !known {
            self.stats.add_failed();
            let to = to.unwrap_or_else(|| "nobody".to_owned());
            tracing::error!(
                route = self.route,
                alert = row.delivery.key,
                why,
                told_instead = to,
                again = next.is_some(),
                "an alert was not delivered in time"
            );
        }
        Some(())
    }

    /// Notes that the receiver has a row; gives whether the outbox could be written.
    pub(super) async fn accepted(&self, row: &QueuedDelivery) -> bool {
        let (id, now) = (row.id, self.clock.now());
        match self.outbox(move |store, _| store.mark_accepted(id, now)).await {
            Some(news) => {
                if news {
                    self.stats.add_accepted();
                    tracing::info!(route = self.route, alert = row.delivery.key, "alert delivered");
                }
                true
            }
            None => false,
        }
    }

    /// Counts what waits, and gives when there is something to do next.
    pub(super) async fn next(&self) -> Duration {
        let Some((waiting, next, oldest_page)) = self.outbox(Store::outlook).await else { return STORE_WAIT };
        self.stats.set_waiting(waiting);
        let now = self.clock.now();
        let due = next.map(|next| next.since(now).max(self.paused().unwrap_or_default()));
        let overdue = oldest_page.map(|oldest| oldest.plus(self.pace.page_overdue).since(now));
        // A page that is overdue from now on has been looked after; the next one is at least a moment away.
        due.into_iter().chain(overdue).min().unwrap_or(super::LOOK_MAX).max(Duration::from_millis(5))
    }
}
