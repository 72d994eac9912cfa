//! How runs in flight are asked to end.

use model::probe::{BoxFuture, StopSignal};
use tokio_util::sync::CancellationToken;

/// A token as a run sees it; whoever drains or cancels holds the other end.
#[derive(Clone, Debug, Default)]
pub struct StopToken(pub CancellationToken);

impl StopSignal for StopToken {
    fn is_asked(&self) -> bool {
        self.0.is_cancelled()
    }

    fn asked(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.cancelled())
    }
}
