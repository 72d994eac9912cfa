//! Waiting for a condition with a deadline, and ports that are free.

use std::collections::HashSet;
use std::net::{TcpListener, UdpSocket};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use crate::runtime::lock;

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(5);

/// Waits until `condition` holds; panics naming `what` when that takes longer than `within`.
pub async fn until(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    some(what, within, || condition().then_some(())).await;
}

/// Waits until `attempt` gives a value; panics naming `what` when that takes longer than `within`.
///
/// The deadline is read from the machine's clock, so it also holds in a test that paused its runtime's time.
pub async fn some<T>(what: &str, within: Duration, mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + within;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < end, "waited {within:?} in vain for {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// Blocks the thread until `condition` holds; panics naming `what` when that takes longer than `within`.
pub fn until_blocking(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    some_blocking(what, within, || condition().then_some(()));
}

/// Blocks the thread until `attempt` gives a value; panics naming `what` when that takes longer than `within`.
pub fn some_blocking<T>(what: &str, within: Duration, mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + within;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < end, "waited {within:?} in vain for {what}");
        std::thread::sleep(POLL);
    }
}

/// A loopback port that is free for TCP and UDP and was not given to anyone else in this process.
///
/// Another process may take it before it is used; who starts a server on it tries again with another one.
pub fn free_port() -> u16 {
    static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    for _ in 0..1000 {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = tcp.local_addr().expect("a bound listener has an address").port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() && lock(&GIVEN).insert(port) {
            return port;
        }
    }
    panic!("no loopback port is free for both TCP and UDP");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_free_and_differ() {
        let ports: HashSet<u16> = (0..50).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 50);
    }

    #[test]
    #[should_panic(expected = "in vain for the cows")]
    fn a_deadline_ends_the_wait() {
        until_blocking("the cows", Duration::from_millis(20), || false);
    }

    #[tokio::test]
    async fn a_condition_ends_the_wait() {
        let mut looks = 0;
        until("three looks", Duration::from_secs(5), || {
            looks += 1;
            looks == 3
        })
        .await;
        assert_eq!(looks, 3);
    }
}
