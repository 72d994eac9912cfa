//! The set that owns everything that a shop runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::task::JoinSet;

/// All tasks of a shop; dropping it aborts them.
#[derive(Default)]
pub(crate) struct Tasks(Arc<Mutex<JoinSet<()>>>);

/// Adds tasks to a set it does not keep alive, so a connection may start others without a cycle.
#[derive(Clone)]
pub(crate) struct Spawner(Weak<Mutex<JoinSet<()>>>);

impl Tasks {
    /// What adds tasks to this set.
    pub(crate) fn spawner(&self) -> Spawner {
        Spawner(Arc::downgrade(&self.0))
    }

    /// Aborts all tasks and waits until they have ended.
    pub(crate) async fn stop(self) {
        // Later additions find nothing to be added to.
        let mut set = std::mem::take(&mut *lock(&self.0));
        drop(self);
        set.shutdown().await;
    }
}

impl Spawner {
    /// Starts `future`; does nothing once the shop is gone.
    ///
    /// The number of tasks is bounded by who calls: each listener bounds its connections, and HTTP/2 the
    /// streams of one.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(set) = self.0.upgrade() {
            let mut set = lock(&set);
            while set.try_join_next().is_some() {}
            set.spawn(future);
        }
    }
}

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        self.spawn(async move {
            future.await;
        });
    }
}

fn lock(set: &Mutex<JoinSet<()>>) -> MutexGuard<'_, JoinSet<()>> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}
