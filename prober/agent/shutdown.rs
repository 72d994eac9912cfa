//! Signals: the first one drains, the second one ends at once; SIGHUP reloads.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a serving prober listens to.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Nobody waits for it: that it is handled keeps a file that may not grow (`LimitFSIZE=`) an error of that file, where
    /// the kernel would end the program.
    _file_size: Signal,
}

/// What a signal asks for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// End in order; a second time: at once.
    Stop,
    /// Read the files again.
    Reload,
}

impl Signals {
    /// Begins to listen; must be called inside a runtime.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            _file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// The next thing asked for. Dropping the future loses no signal.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}
