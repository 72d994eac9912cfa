//! What is broken when: a pure function of the time since the shop started.
//!
//! [`FAULTS`] is the whole truth; the page `/schedule` and the demo project's README are made from it.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use model::time::{Clock, Timestamp};

/// Something that is broken for a part of every period.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What the faults are told apart by.
    pub name: &'static str,
    /// Where it shows.
    pub place: &'static str,
    /// What is different while it is active.
    pub effect: &'static str,
    /// The scenario of the demo project that notices.
    pub scenario: &'static str,
    /// From this second of each period on.
    pub from_s: u64,
    /// Up to, and not including, this second of each period.
    pub to_s: u64,
    /// The length of the period in seconds.
    pub period_s: u64,
}

impl Fault {
    /// Whether it is active this long after the start.
    pub const fn active(&self, since_start: Duration) -> bool {
        let second = since_start.as_secs() % self.period_s;
        self.from_s <= second && second < self.to_s
    }

    /// When something that this fault holds up, and that is done every `tick_s` seconds, was last done.
    ///
    /// Both times count from the start; before the first tick it is the start itself.
    pub const fn last_done(&self, since_start: Duration, tick_s: u64) -> Duration {
        let tick = since_start.as_secs() / tick_s * tick_s;
        let second = tick % self.period_s;
        if self.from_s <= second && second < self.to_s {
            let before = tick.saturating_sub(second - self.from_s);
            return Duration::from_secs(before.saturating_sub(1) / tick_s * tick_s);
        }
        Duration::from_secs(tick)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from_s, to_s, period_s, .. } = self;
        write!(out, "second {from_s} to {to_s} of every {period_s}")
    }
}

macro_rules! faults {
    ($($(#[doc = $doc:literal])* $id:ident: $name:literal, $seconds:expr, $place:literal, $scenario:literal, $effect:literal;)*) => {
        $($(#[doc = $doc])*
        pub const $id: Fault = Fault {
            name: $name,
            place: $place,
            effect: $effect,
            scenario: $scenario,
            from_s: $seconds.0,
            to_s: $seconds.1,
            period_s: $seconds.2,
        };)*

        /// Every fault of the shop.
        pub const FAULTS: &[Fault] = &[$($id),*];
    };
}

faults! {
    /// The payment provider times out.
    PAYMENT: "payment", (20, 60, 120), "POST /checkout/pay", "checkout",
        "answers 500 after 0.8 s: the payment provider timed out";
    /// The search is slow.
    SEARCH: "search", (35, 55, 60), "GET /search", "search",
        "takes 0.7 s instead of 20 ms";
    /// The mail server refuses clients.
    MAIL: "mail", (45, 65, 90), "the mail server's greeting", "mail-greeting",
        "says 421 and closes instead of 220";
    /// The product feed stands still.
    FEED: "feed", (60, 110, 150), "GET /feed.json", "feed-fresh",
        "is not generated anew, so `generated_at` grows old";
    /// The name server fails for one name.
    NAME: "name", (75, 105, 120), "the name stock.demo.test", "dns-stock",
        "SERVFAIL instead of its address";
    /// The cart is down for announced maintenance.
    MAINTENANCE: "maintenance", (90, 110, 180), "GET /api/cart/health", "cart-api",
        "answers 503 with X-Maintenance, which does not count";
    /// The export of orders stands still.
    EXPORT: "export", (100, 150, 200), "HEAD /orders/latest.csv", "orders-export-fresh",
        "is not written anew, so Last-Modified grows old";
    /// The stock file stands still.
    STOCK: "stock", (130, 180, 240), "the file stock.csv", "stock-file-fresh",
        "is not written anew, so it grows old";
    /// A page fails now and then.
    FLAKY: "flaky", (15, 20, 20), "GET /flaky", "",
        "answers 503";
}

/// The time as the shop sees it.
#[derive(Clone)]
pub struct Schedule {
    clock: Arc<dyn Clock>,
    started: Timestamp,
}

impl Schedule {
    /// Counts from now on.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let started = clock.now();
        Self { clock, started }
    }

    /// When the shop started.
    pub const fn started(&self) -> Timestamp {
        self.started
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How long ago the shop started; a clock that was set back counts as the start.
    pub fn since_start(&self) -> Duration {
        self.now().since(self.started)
    }

    /// Whether `fault` is active now.
    pub fn active(&self, fault: &Fault) -> bool {
        fault.active(self.since_start())
    }

    /// When something that `fault` holds up, and that is done every `tick_s` seconds, was last done.
    pub fn last_done(&self, fault: &Fault, tick_s: u64) -> Timestamp {
        self.started.plus(fault.last_done(self.since_start(), tick_s))
    }
}

/// The table of faults in Markdown, for the demo project's README.
pub fn table() -> String {
    let mut text = String::from(
        "| seen by | when, counted from the start | where | what |\n| --- | --- | --- | --- |\n",
    );
    for fault in FAULTS {
        let seen = if fault.scenario.is_empty() { "–".to_owned() } else { format!("`{}`", fault.scenario) };
        writeln!(text, "| {seen} | {fault} s | {} | {} |", fault.place, fault.effect)
            .expect("a String takes every text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_active_in_its_part_of_every_period() {
        let at = |second| PAYMENT.active(Duration::from_secs(second));
        for (second, expected) in [(0, false), (19, false), (20, true), (59, true), (60, false), (140, true)]
        {
            assert_eq!(at(second), expected, "second {second}");
        }
    }

    #[test]
    fn every_fault_fits_its_period_and_one_comes_within_half_a_minute() {
        for fault in FAULTS {
            assert!(fault.from_s < fault.to_s && fault.to_s <= fault.period_s, "{fault:?}");
        }
        assert!(FAULTS.iter().any(|fault| !fault.scenario.is_empty() && fault.from_s <= 20));
    }

    #[test]
    fn what_a_fault_holds_up_stands_still_and_goes_on() {
        let done = |second| FEED.last_done(Duration::from_secs(second), 5).as_secs();
        for (second, expected) in
            [(0, 0), (4, 0), (5, 5), (59, 55), (60, 55), (109, 55), (110, 110), (212, 205)]
        {
            assert_eq!(done(second), expected, "second {second}");
        }
        assert_eq!(FLAKY.last_done(Duration::from_secs(17), 5).as_secs(), 10);
    }

    #[test]
    fn the_table_names_every_fault() {
        let table = table();
        assert_eq!(table.lines().count(), FAULTS.len() + 2);
        assert!(table.contains("| `checkout` | second 20 to 60 of every 120 s | POST /checkout/pay |"));
    }
}
