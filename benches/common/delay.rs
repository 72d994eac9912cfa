//! The target that answers after exactly 50 ms, and logs how far from it it was.
//!
//! A thread a connection: a thread's sleep is true to a tenth of a millisecond, an event loop's timer to one.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::figures::percentile;
use super::log::{ANSWER, Log};

/// From the request's arrival to the answer.
pub(crate) const DELAY: Duration = Duration::from_millis(50);

/// The listeners' threads, and how late each answer was sent, in ms.
#[derive(Default)]
pub(super) struct Delays {
    lateness: Arc<Mutex<Vec<f64>>>,
    listeners: Vec<JoinHandle<()>>,
}

impl Delays {
    /// Answers whoever connects to `listener` until the process ends.
    pub(super) fn serve(&mut self, listener: TcpListener, log: Log) {
        let lateness = Arc::clone(&self.lateness);
        self.listeners.push(std::thread::spawn(move || {
            let mut answering: Vec<JoinHandle<()>> = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                answering.retain(|thread| !thread.is_finished());
                let (lateness, log) = (Arc::clone(&lateness), log.clone());
                answering.push(std::thread::spawn(move || {
                    // Who goes away early is no fault of a target's.
                    if let Ok(late) = answer(stream, &log) {
                        lateness
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(late.as_secs_f64() * 1e3);
                    }
                }));
            }
        }));
    }

    /// How late answers were sent since the last call, 99th percentile in ms.
    pub(super) fn lateness_p99_ms(&self) -> f64 {
        let mut all = std::mem::take(&mut *self.lateness.lock().unwrap_or_else(PoisonError::into_inner));
        all.sort_by(f64::total_cmp);
        percentile(&all, 0.99)
    }
}

/// Reads one request and answers it; gives how much later than wanted.
fn answer(mut stream: TcpStream, log: &Log) -> io::Result<Duration> {
    stream.set_nodelay(true)?;
    let (mut buffer, mut filled) = ([0; 2048], 0);
    while !buffer[..filled].ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer[filled..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => filled += more,
        }
    }
    let due = Instant::now() + DELAY;
    log.note_request(&buffer[..filled]);
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
    stream.write_all(ANSWER)?;
    Ok(due.elapsed())
}
