//! The runtime that all peers of a test process share, and sets of tasks that end with their owner.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;

/// Two threads: a peer must go on while another one is busy with a handshake.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("testkit")
        .enable_all()
        .build()
        .expect("a test process may start threads")
});

/// How long a dropped peer is waited for before the test goes on without it.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The handle of the peers' runtime.
pub(crate) fn handle() -> &'static Handle {
    RUNTIME.handle()
}

/// Locks `mutex`; a peer's state stays usable after a panic in a script.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The tasks of one peer; dropping it aborts them and waits until they are gone.
pub(crate) struct Tasks(Arc<Mutex<JoinSet<()>>>);

/// Adds tasks to a set it does not keep alive, so a connection may start others without a cycle.
#[derive(Clone)]
pub(crate) struct Spawner(Weak<Mutex<JoinSet<()>>>);

impl Tasks {
    /// An empty set.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(JoinSet::new())))
    }

    /// What adds tasks to this set.
    pub(crate) fn spawner(&self) -> Spawner {
        Spawner(Arc::downgrade(&self.0))
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        lock(&self.0).abort_all();
        let end = Instant::now() + END_WITHIN;
        loop {
            let mut set = lock(&self.0);
            while set.try_join_next().is_some() {}
            if set.is_empty() || Instant::now() > end {
                return;
            }
            // The lock is released for the tasks that are about to end.
            drop(set);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Spawner {
    /// Starts `future`; does nothing once the owner is gone.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(set) = self.0.upgrade() {
            let mut set = lock(&set);
            while set.try_join_next().is_some() {}
            set.spawn_on(future, handle());
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

/// A listener on a free loopback port, registered with the peers' runtime.
pub(crate) fn listen() -> (TcpListener, SocketAddr) {
    listen_at(([127, 0, 0, 1], 0).into())
}

/// A listener at `addr`, in the calling thread's network.
pub(crate) fn listen_at(addr: SocketAddr) -> (TcpListener, SocketAddr) {
    adopt(StdListener::bind(addr).unwrap_or_else(|error| panic!("{addr} cannot be had: {error}")))
}

/// Registers `listener` with the peers' runtime.
pub(crate) fn adopt(listener: StdListener) -> (TcpListener, SocketAddr) {
    let addr = listener.local_addr().expect("a bound listener has an address");
    listener.set_nonblocking(true).expect("a socket can be made non-blocking");
    let _inside = handle().enter();
    (TcpListener::from_std(listener).expect("the peers' runtime is running"), addr)
}
