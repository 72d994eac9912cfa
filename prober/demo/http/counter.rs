//! Sessions, carts and orders, all of them few: the oldest goes when there are too many.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::time::Timestamp;

/// How long a new order waits for its confirmation.
pub(super) const CONFIRMED_AFTER: Duration = Duration::from_secs(2);

/// The most sessions, and the most orders, that are kept.
const KEPT_MAX: usize = 1000;

/// The most items in one cart.
pub(super) const ITEMS_MAX: usize = 20;

/// The longest name of an article, in bytes.
pub(super) const SKU_BYTES_MAX: usize = 64;

/// The shop's memory.
#[derive(Default)]
pub(super) struct Counter {
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    numbers: u64,
    sessions: BTreeMap<u64, Vec<String>>,
    orders: BTreeMap<u64, Order>,
}

/// One order.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// What was ordered.
    pub(super) sku: String,
    /// When.
    pub(super) created: Timestamp,
}

impl Order {
    /// How long until it is confirmed; zero if it is.
    pub(super) fn pending(&self, now: Timestamp) -> Duration {
        self.created.plus(CONFIRMED_AFTER).since(now)
    }
}

impl Counter {
    /// Opens a session and gives its id.
    pub(super) fn open_session(&self) -> String {
        let mut books = self.lock();
        let number = books.number();
        books.sessions.insert(number, Vec::new());
        keep_newest(&mut books.sessions);
        format!("session-{number:06}")
    }

    /// Whether `id` is an open session.
    pub(super) fn has_session(&self, id: &str) -> bool {
        number(id, "session-").is_some_and(|number| self.lock().sessions.contains_key(&number))
    }

    /// The articles in the cart of session `id`; `None` without such a session.
    pub(super) fn cart(&self, id: &str) -> Option<Vec<String>> {
        self.lock().sessions.get(&number(id, "session-")?).cloned()
    }

    /// Puts `sku` into the cart of session `id`, unless it is full; the cart, or `None` without such a session.
    pub(super) fn add(&self, id: &str, sku: &str) -> Option<Vec<String>> {
        let mut books = self.lock();
        let cart = books.sessions.get_mut(&number(id, "session-")?)?;
        if cart.len() < ITEMS_MAX {
            cart.push(sku.to_owned());
        }
        Some(cart.clone())
    }

    /// Takes an order and gives its id.
    pub(super) fn order(&self, sku: &str, now: Timestamp) -> String {
        let mut books = self.lock();
        let number = books.number();
        books.orders.insert(number, Order { sku: sku.to_owned(), created: now });
        keep_newest(&mut books.orders);
        format!("order-{number:06}")
    }

    /// The order `id`, if it is kept.
    pub(super) fn find_order(&self, id: &str) -> Option<Order> {
        self.lock().orders.get(&number(id, "order-")?).cloned()
    }

    /// Forgets the order `id`; whether there was one.
    pub(super) fn delete_order(&self, id: &str) -> bool {
        number(id, "order-").is_some_and(|number| self.lock().orders.remove(&number).is_some())
    }

    /// How many orders are kept.
    pub(super) fn orders(&self) -> usize {
        self.lock().orders.len()
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

fn number(id: &str, prefix: &str) -> Option<u64> {
    id.strip_prefix(prefix)?.parse().ok()
}

fn keep_newest<T>(map: &mut BTreeMap<u64, T>) {
    while map.len() > KEPT_MAX {
        map.pop_first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let counter = Counter::default();
        let first = counter.order("TEA-GREEN", Timestamp::default());
        for _ in 0..KEPT_MAX {
            counter.order("TEA-GREEN", Timestamp::default());
        }
        assert_eq!(counter.orders(), KEPT_MAX);
        assert!(counter.find_order(&first).is_none());
        assert!(counter.find_order("order-1001").is_some());
        for nonsense in ["", "order-", "order--1", "session-000001", "order-99999999999999999999"] {
            assert!(counter.find_order(nonsense).is_none(), "{nonsense}");
        }
    }

    #[test]
    fn a_cart_belongs_to_its_session_and_is_bounded() {
        let counter = Counter::default();
        let (mine, other) = (counter.open_session(), counter.open_session());
        for _ in 0..ITEMS_MAX + 5 {
            counter.add(&mine, "CUP-BLUE");
        }
        assert_eq!(counter.cart(&mine).unwrap().len(), ITEMS_MAX);
        assert_eq!(counter.cart(&other).unwrap(), Vec::<String>::new());
        assert_eq!(counter.add("session-9", "CUP-BLUE"), None);
    }

    #[test]
    fn an_order_is_confirmed_after_two_seconds() {
        let order = Order { sku: String::new(), created: Timestamp::from_seconds(100) };
        assert_eq!(order.pending(Timestamp::from_seconds(101)), Duration::from_secs(1));
        assert_eq!(order.pending(Timestamp::from_seconds(102)), Duration::ZERO);
    }
}
