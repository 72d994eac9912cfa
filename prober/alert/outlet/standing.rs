//! Tells how things stand: what fires and what has ended a while ago, at each change and then again and again.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use store::QueuedDelivery;

use super::Teller;
use super::lane::{Lane, STORE_WAIT};
use crate::Receiver;
use crate::answer::Delivery;
use crate::notice::Notice;

pub(super) struct Standing {
    lane: Lane,
    receiver: Box<dyn Receiver>,
    /// What this receiver was told of each alert: the row's number, and when.
    told: HashMap<String, (u64, Instant)>,
}

/// The shortest time between two looks at what waits; new rows wake at once.
const LOOK_MIN: Duration = Duration::from_millis(200);

/// Alerts in one request: Prometheus' number.
const ALERTS_MAX: usize = 64;

impl Standing {
    pub(super) fn new(lane: Lane, receiver: Box<dyn Receiver>) -> Self {
        Self { lane, receiver, told: HashMap::new() }
    }

    /// How long until the receiver must be told of the alert; zero for now.
    fn due_in(&self, row: &QueuedDelivery) -> Duration {
        match self.told.get(&row.delivery.alert) {
            Some((id, at)) if *id == row.id => self.lane.pace.again.saturating_sub(at.elapsed()),
            _ => Duration::ZERO,
        }
    }

    /// Tells of some alerts at once; gives how long to leave the receiver alone, if so.
    async fn tell(&mut self, rows: &[QueuedDelivery]) -> Option<Duration> {
        let (mut readable, mut notices) = (Vec::new(), Vec::new());
        for row in rows {
            match Notice::from_stored(&row.delivery.state) {
                Ok(notice) => {
                    readable.push(row);
                    notices.push(notice);
                }
                Err(error) => self.reject(row, error.to_string()).await,
            }
        }
        if notices.is_empty() {
            return None;
        }
        match self.lane.deliver(&mut *self.receiver, &notices).await {
            Delivery::Done => {
                self.lane.works();
                self.took(&readable).await
            }
            // One wrong alert spoils the whole array: each by itself.
            Delivery::Reject { .. } if readable.len() > 1 => {
                for row in rows {
                    if let Some(wait) = Box::pin(self.tell(std::slice::from_ref(row))).await {
                        return Some(wait);
                    }
                }
                None
            }
            Delivery::Reject { why } => {
                self.lane.tell_trouble(&why);
                self.reject(readable[0], why).await;
                None
            }
            Delivery::Retry { after, why } => Some(self.lane.fails(after, &why)),
            Delivery::Gone { why } => Some(self.lane.fails(None, &why)),
        }
    }

    async fn took(&mut self, rows: &[&QueuedDelivery]) -> Option<Duration> {
        for row in rows {
            let first = self.told.insert(row.delivery.alert.clone(), (row.id, Instant::now()));
            if first.is_some_and(|(id, _)| id == row.id) && row.done.is_some() {
                continue;
            }
            if row.done.is_none() && !self.lane.accepted(row).await {
                return Some(STORE_WAIT);
            }
            let (alert, id, now) = (row.delivery.alert.clone(), row.id, self.lane.clock.now());
            self.lane.outbox(move |store, route| store.close_earlier(route, &alert, id, now)).await;
        }
        None
    }

    /// The receiver will not take this alert; it is asked again when it is told again.
    async fn reject(&mut self, row: &QueuedDelivery, why: String) {
        self.told.insert(row.delivery.alert.clone(), (row.id, Instant::now()));
        if row.done.is_none() {
            self.lane.overdue(row.clone(), None, why).await;
        }
    }
}

impl Teller for Standing {
    async fn turn(&mut self) -> Duration {
        let since = self.lane.clock.now().minus(self.lane.pace.ended);
        let rows = self.lane.outbox(move |store, route| store.latest_deliveries(route, since)).await;
        let Some(rows) = rows else { return STORE_WAIT };
        let known: HashSet<&str> = rows.iter().map(|row| row.delivery.alert.as_str()).collect();
        self.told.retain(|alert, _| known.contains(alert.as_str()));
        if self.lane.paused().is_none() {
            let due: Vec<_> = rows.iter().filter(|row| self.due_in(row).is_zero()).cloned().collect();
            for some in due.chunks(ALERTS_MAX) {
                if let Some(wait) = self.tell(some).await {
                    self.lane.late(None).await;
                    return wait.min(self.lane.next().await.max(LOOK_MIN));
                }
            }
        }
        // Only now: what waited while no prober ran is tried before it is called late.
        self.lane.late(None).await;
        let again = rows.iter().map(|row| self.due_in(row)).min().unwrap_or(super::LOOK_MAX);
        let again = again.max(self.lane.paused().unwrap_or_default()).max(Duration::from_millis(5));
        again.min(self.lane.next().await.max(LOOK_MIN))
    }

    fn lane(&self) -> &Lane {
        &self.lane
    }
}
