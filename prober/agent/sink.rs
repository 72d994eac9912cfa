//! The runner's way into the store.

use std::sync::Arc;

use model::event::{Origin, SliEvent};
use model::high_mark::HighMark;
use model::missed::MissedSlots;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;
use schedule::runner::Sink;
use store::{Record, Store};
use tokio::sync::mpsc;

/// Hands records to the store's writer.
#[derive(Clone, Debug)]
pub(crate) struct StoreSink {
    queue: mpsc::Sender<Record>,
    store: Store,
}

impl StoreSink {
    pub(crate) const fn new(queue: mpsc::Sender<Record>, store: Store) -> Self {
        Self { queue, store }
    }

    fn try_send(&self, record: impl FnOnce() -> Record) -> bool {
        self.queue.try_reserve().map(|place| place.send(record())).is_ok()
    }
}

impl Sink for StoreSink {
    async fn event(&self, event: SliEvent) {
        // Closed only when the writer's thread is gone, and then the process is ending.
        drop(self.queue.send(Record::Event(Arc::new(event))).await);
    }

    fn try_missed(&self, missed: &MissedSlots) -> bool {
        self.try_send(|| Record::Missed(missed.clone()))
    }

    fn try_event(&self, event: &SliEvent) -> bool {
        self.try_send(|| Record::Event(Arc::new(event.clone())))
    }

    fn try_checkpoint(&self, at: Timestamp) -> bool {
        self.try_send(|| Record::Checkpoint(at))
    }

    async fn intend(&self, stream: &Stream, at: Timestamp) -> Result<bool, String> {
        let (store, stream) = (self.store.clone(), stream.clone());
        let noted = tokio::task::spawn_blocking(move || store.intend(&stream, at)).await;
        noted.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    fn high_marks(&self, stream: &Stream) -> Arc<[HighMark]> {
        self.store.high_marks(stream).into()
    }

    fn is_full(&self) -> bool {
        self.queue.capacity() == 0
    }

    async fn epochs(&self, streams: Vec<(Arc<Origin>, Cadence)>, at: Timestamp) -> Result<(), String> {
        let store = self.store.clone();
        let set = tokio::task::spawn_blocking(move || store.set_plans(&streams, at)).await;
        set.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}
