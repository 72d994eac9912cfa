//! Tells each change once, the changes of one alert in their order.

use std::time::Duration;

use store::QueuedDelivery;

use super::Teller;
use super::lane::{Lane, STORE_WAIT};
use crate::Receiver;
use crate::answer::Delivery;
use crate::notice::Notice;

pub(super) struct Changes {
    lane: Lane,
    receiver: Box<dyn Receiver>,
    /// Why the receiver wants nothing any more, if so.
    gone: Option<String>,
}

/// Rows that are read in one go.
const ROWS: u32 = 16;

impl Changes {
    pub(super) const fn new(lane: Lane, receiver: Box<dyn Receiver>) -> Self {
        Self { lane, receiver, gone: None }
    }

    /// Delivers one row; gives how long to leave the receiver alone, if so.
    async fn tell(&mut self, row: QueuedDelivery) -> Option<Duration> {
        let notice = match Notice::from_stored(&row.delivery.state) {
            Ok(notice) => notice,
            Err(error) => return self.reject(row, error.to_string()).await,
        };
        match self.lane.deliver(&mut *self.receiver, &[notice]).await {
            Delivery::Done => {
                self.lane.works();
                // Not noted, it would be told again at once: better to wait for the disk.
                (!self.lane.accepted(&row).await).then_some(STORE_WAIT)
            }
            Delivery::Retry { after, why } => {
                let wait = self.lane.fails(after, &why);
                self.failed(&row, wait, why).await;
                Some(wait)
            }
            Delivery::Reject { why } => {
                self.lane.tell_trouble(&why);
                self.reject(row, why).await
            }
            Delivery::Gone { why } => {
                self.lane.tell_trouble(&why);
                self.lane.late(Some(&why)).await;
                self.gone = Some(why);
                None
            }
        }
    }

    /// Notes that a row was tried in vain: the receiver's wait, or its own if that is longer.
    async fn failed(&self, row: &QueuedDelivery, wait: Duration, why: String) {
        let own = self.lane.pace.wait(row.delivery.urgent, row.attempts.saturating_add(1), &row.delivery.key);
        let (id, next) = (row.id, self.lane.clock.now().plus(wait.max(own)));
        self.lane.outbox(move |store, _| store.mark_failed(id, next, &why)).await;
    }

    async fn reject(&self, row: QueuedDelivery, why: String) -> Option<Duration> {
        self.lane.overdue(row, None, why).await.is_none().then_some(STORE_WAIT)
    }
}

impl Teller for Changes {
    async fn turn(&mut self) -> Duration {
        while self.lane.paused().is_none() && self.gone.is_none() {
            let now = self.lane.clock.now();
            let rows = self.lane.outbox(move |store, route| store.due_deliveries(route, now, ROWS)).await;
            let Some(rows) = rows else { return STORE_WAIT };
            if rows.is_empty() {
                break;
            }
            self.lane.next().await;
            for row in rows {
                if let Some(wait) = self.tell(row).await {
                    self.lane.late(self.gone.as_deref()).await;
                    return wait.min(self.lane.next().await);
                }
                if self.gone.is_some() {
                    break;
                }
            }
        }
        // Only now: what waited while no prober ran is tried before it is called late.
        self.lane.late(self.gone.as_deref()).await;
        self.lane.next().await
    }

    fn lane(&self) -> &Lane {
        &self.lane
    }
}
