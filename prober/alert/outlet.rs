//! The task of one receiver: takes what waits for its route, delivers it, and looks after what is late.
//!
//! At least once: a row is marked after its delivery. Two ways of telling: [`changes`] one by one, or how things stand,
//! again and again ([`standing`]).

mod changes;
mod lane;
mod standing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use model::time::Clock;
use store::Store;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::pace::Pace;
use crate::stats::RouteStats;
use crate::{Receiver, Told};
use changes::Changes;
use lane::Lane;
use standing::Standing;

/// What an outlet serves, and how.
#[derive(Clone, Debug)]
pub struct OutletConfig {
    /// The route whose rows it takes.
    pub route: String,
    /// What its receiver is told.
    pub told: Told,
    /// Its waits.
    pub pace: Pace,
}

/// One receiver of a route with its place in the outbox.
pub struct Outlet {
    lane: Lane,
    told: Told,
    receiver: Box<dyn Receiver>,
}

impl Outlet {
    /// An outlet that delivers from the outbox of `store` to `receiver`.
    ///
    /// The receivers of one route have an outlet each and share `stats`.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        config: OutletConfig,
        receiver: Box<dyn Receiver>,
        stats: Arc<RouteStats>,
    ) -> Self {
        let place = receiver.place().to_owned();
        let lane = Lane {
            store,
            clock,
            route: config.route,
            place,
            pace: config.pace,
            stats,
            failures: 0,
            pause: None,
        };
        Self { lane, told: config.told, receiver }
    }

    /// Delivers until `stop`, then what is due within the grace; what is left stays in the outbox.
    pub async fn run(self, stop: CancellationToken) {
        match self.told {
            Told::Changes => run(Changes::new(self.lane, self.receiver), stop).await,
            Told::Standing => run(Standing::new(self.lane, self.receiver), stop).await,
        }
    }
}

/// One way of telling.
trait Teller {
    /// Delivers what is due and gives how long nothing more will be.
    async fn turn(&mut self) -> Duration;
    fn lane(&self) -> &Lane;
}

/// The longest time without looking: the wall clock may be stepped.
const LOOK_MAX: Duration = Duration::from_mins(1);

async fn run(mut teller: impl Teller, stop: CancellationToken) {
    let mut queued = teller.lane().store.queued();
    let grace = teller.lane().pace.grace;
    let ended = async {
        stop.cancelled().await;
        sleep(grace).await;
    };
    tokio::pin!(ended);
    loop {
        let stopping = stop.is_cancelled();
        // Seen before looking: what is queued afterwards wakes the wait below.
        queued.mark_unchanged();
        let wait = tokio::select! {
            biased;
            wait = teller.turn() => wait,
            // What is cut off here comes again after the next start.
            () = &mut ended => return,
        };
        if stopping {
            return;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            changed = queued.changed() => if changed.is_err() { return },
            () = sleep(wait.min(LOOK_MAX)) => {}
        }
    }
}
