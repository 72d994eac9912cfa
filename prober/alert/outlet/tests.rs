//! Outlets against receivers that fail in every way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::alert::{Alert, Severity};
use model::probe::BoxFuture;
use model::time::{Clock as _, SystemClock, Timestamp};
use store::{Config, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::answer::Delivery;
use crate::notice::{Notice, deliveries};
use crate::sample::alert;
use crate::stats::RouteStats;

/// Answers by a script, then with *done*; remembers what it was told.
#[derive(Clone, Default)]
struct Fake {
    script: Arc<Mutex<VecDeque<Delivery>>>,
    heard: Arc<Mutex<Vec<Vec<Notice>>>>,
    hangs: Arc<Mutex<bool>>,
}

impl Receiver for Fake {
    fn place(&self) -> &'static str {
        "http://fake"
    }

    fn deliver<'a>(&'a mut self, notices: &'a [Notice], _: Timestamp) -> BoxFuture<'a, Delivery> {
        self.heard.lock().unwrap().push(notices.to_vec());
        if *self.hangs.lock().unwrap() {
            return Box::pin(std::future::pending());
        }
        let next = self.script.lock().unwrap().pop_front().unwrap_or(Delivery::Done);
        Box::pin(std::future::ready(next))
    }

    fn examine(&self) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(std::future::ready(Ok(String::new())))
    }
}

impl Fake {
    fn answering(answers: impl IntoIterator<Item = Delivery>) -> Self {
        let fake = Self::default();
        fake.script.lock().unwrap().extend(answers);
        fake
    }

    /// What was told, as `slo` and `+` or `-`, `!` if it tells of another route.
    fn told(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let one = |notice: &Notice| {
            let mark = if notice.alert.is_firing() { "+" } else { "-" };
            let after =
                notice.undelivered.as_ref().map_or_else(String::new, |missing| format!("!{}", missing.route));
            format!("{}{mark}{after}", notice.alert.id.slo)
        };
        heard.iter().map(|batch| batch.iter().map(one).collect::<Vec<_>>().join(" ")).collect()
    }
}

fn retry() -> Delivery {
    Delivery::Retry { after: None, why: "503".to_owned() }
}

fn reject() -> Delivery {
    Delivery::Reject { why: "400".to_owned() }
}

/// Short waits; nothing is late by itself.
fn pace() -> Pace {
    Pace {
        first: Duration::from_millis(4),
        page_wait_max: Duration::from_millis(20),
        ticket_wait_max: Duration::from_millis(40),
        again: Duration::from_millis(150),
        deadline: Duration::from_mins(1),
        grace: Duration::from_secs(2),
        ..Pace::default()
    }
}

struct Bench {
    _dir: tempfile::TempDir,
    store: Store,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Config::new(dir.path()), Arc::new(SystemClock)).unwrap().store;
        Self { _dir: dir, store, stop: CancellationToken::new(), tasks: Vec::new() }
    }

    #[expect(clippy::disallowed_methods, reason = "the test joins it")]
    fn outlet(&mut self, route: &str, told: Told, pace: Pace, fake: &Fake) -> Arc<RouteStats> {
        let stats = Arc::new(RouteStats::default());
        let config = OutletConfig { route: route.to_owned(), told, pace };
        let receiver = Box::new(fake.clone());
        let outlet =
            Outlet::new(self.store.clone(), Arc::new(SystemClock), config, receiver, Arc::clone(&stats));
        self.tasks.push(tokio::spawn(outlet.run(self.stop.clone())));
        stats
    }

    fn queue(&self, alerts: &[Alert], routes: &[&str]) {
        let routes: Vec<Arc<str>> = routes.iter().map(|route| Arc::from(*route)).collect();
        let rows: Vec<_> = alerts.iter().flat_map(|alert| deliveries(alert, &routes)).collect();
        self.store.enqueue(&rows, SystemClock.now()).unwrap();
    }

    async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

fn named(slo: &str) -> Alert {
    let mut alert = alert();
    alert.id.slo = slo.into();
    alert
}

fn over(slo: &str) -> Alert {
    let mut alert = named(slo);
    alert.ends = Some(alert.starts.plus(Duration::from_mins(1)));
    alert
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    testkit::wait::until(what, Duration::from_mins(2), condition).await;
}

#[tokio::test]
async fn each_change_is_told_once_and_in_order_though_tries_fail() {
    let mut bench = Bench::new();
    let fake = Fake::answering([retry(), retry()]);
    bench.queue(&[named("a"), over("a"), named("b")], &["r"]);
    let stats = bench.outlet("r", Told::Changes, pace(), &fake);
    until("all is told", || stats.accepted() == 3).await;
    let told = fake.told();
    assert_eq!(told.len(), 5, "{told:?}");
    let place = |what: &str| told.iter().rposition(|one| one == what).unwrap();
    assert!(place("a+") < place("a-"), "{told:?}");
    assert_eq!((stats.failed(), stats.troubles()), (0, vec![]));
    // The same change, decided again, is not told again; a new one is, at once.
    bench.queue(&[named("a"), named("c")], &["r"]);
    until("the new one is told", || stats.accepted() == 4).await;
    assert_eq!(fake.told().last().map(String::as_str), Some("c+"));
    until("nothing waits", || stats.waiting() == Some(0)).await;
    bench.stop().await;
}

#[tokio::test]
async fn an_alert_that_is_refused_holds_nobody_up_and_goes_to_the_next_route() {
    let mut bench = Bench::new();
    let (first, second) = (Fake::answering([reject()]), Fake::default());
    bench.queue(&[named("a"), named("b")], &["first", "second"]);
    let failing = bench.outlet("first", Told::Changes, pace(), &first);
    let other = bench.outlet("second", Told::Changes, pace(), &second);
    until("both routes are done", || failing.accepted() == 1 && other.accepted() == 3).await;
    assert_eq!((first.told(), failing.failed()), (vec!["a+".to_owned(), "b+".to_owned()], 1));
    assert!(second.told().contains(&"a+!first".to_owned()), "{:?}", second.told());
    bench.stop().await;
}

#[tokio::test]
async fn a_page_that_hangs_is_told_elsewhere_in_time_and_still_tried() {
    let mut bench = Bench::new();
    let (first, second) = (Fake::default(), Fake::default());
    *first.hangs.lock().unwrap() = true;
    let quick =
        Pace { page_overdue: Duration::from_millis(120), deadline: Duration::from_millis(50), ..pace() };
    let mut ticket = named("t");
    ticket.id.severity = Severity::Ticket;
    bench.queue(&[named("a"), ticket], &["first", "second"]);
    let failing = bench.outlet("first", Told::Changes, quick, &first);
    let other = bench.outlet("second", Told::Changes, pace(), &second);
    until("the second route is told", || second.told().contains(&"a+!first".to_owned())).await;
    until("and that is counted", || other.accepted() == 3).await;
    until("as is the first's failure", || failing.failed() == 1).await;
    assert_eq!(failing.accepted(), 0, "the ticket has time");
    assert!(failing.troubles()[0].1.contains("took longer than"), "{:?}", failing.troubles());
    *first.hangs.lock().unwrap() = false;
    until("the first is told late", || failing.accepted() == 2).await;
    assert_eq!((failing.failed(), failing.troubles()), (1, vec![]));
    bench.stop().await;
}

#[tokio::test]
async fn what_is_over_before_it_was_delivered_gives_way_to_its_end() {
    let mut bench = Bench::new();
    let fake = Fake::answering(std::iter::repeat_n(retry(), 6));
    let quick = Pace { page_overdue: Duration::from_millis(20), ..pace() };
    bench.queue(&[named("a")], &["r"]);
    let stats = bench.outlet("r", Told::Changes, quick, &fake);
    until("it is overdue", || stats.failed() == 1).await;
    bench.queue(&[over("a")], &["r"]);
    until("its end is told", || fake.told().contains(&"a-".to_owned())).await;
    until("nothing waits", || stats.waiting() == Some(0)).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_left_alone_and_its_pages_go_on() {
    let mut bench = Bench::new();
    let (first, second) = (Fake::answering([Delivery::Gone { why: "410".to_owned() }]), Fake::default());
    bench.queue(&[named("a"), named("b")], &["first", "second"]);
    let failing = bench.outlet("first", Told::Changes, pace(), &first);
    let other = bench.outlet("second", Told::Changes, pace(), &second);
    until("all is told elsewhere", || other.accepted() == 4).await;
    bench.queue(&[named("c")], &["first", "second"]);
    until("what comes later, too", || other.accepted() == 6).await;
    assert_eq!((first.told().len(), failing.failed(), failing.waiting()), (1, 3, Some(0)));
    bench.stop().await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_patience_is_left_alone_and_the_next_route_told_in_time() {
    let mut bench = Bench::new();
    let long = Delivery::Retry { after: Some(post::RETRY_AFTER_MAX), why: "429".to_owned() };
    let (first, second) = (Fake::answering([long]), Fake::default());
    let quick = Pace { page_overdue: Duration::from_millis(100), ..pace() };
    bench.queue(&[named("a"), named("b")], &["first", "second"]);
    let failing = bench.outlet("first", Told::Changes, quick, &first);
    let other = bench.outlet("second", Told::Changes, pace(), &second);
    until("all is told elsewhere", || other.accepted() == 4).await;
    assert_eq!((first.told().len(), failing.waiting()), (1, Some(2)), "one try, and both wait");
    bench.stop().await;
}

#[tokio::test]
async fn how_things_stand_is_told_again_and_again_and_after_a_restart() {
    let mut bench = Bench::new();
    let fake = Fake::default();
    bench.queue(&[named("a"), named("b"), over("b")], &["am"]);
    let stats = bench.outlet("am", Told::Standing, pace(), &fake);
    until("it is told three times", || fake.told().len() >= 3).await;
    let told = fake.told();
    // On a busy machine the two may be due a moment apart later on.
    let is_known = |told: &String| told.split(' ').all(|word| ["a+", "b-"].contains(&word));
    assert!(told[0] == "a+ b-" && told.iter().all(is_known), "{told:?}");
    assert_eq!((stats.accepted(), stats.waiting()), (2, Some(0)), "the start of b gave way to its end");
    bench.queue(&[over("a")], &["am"]);
    until("the change is told by itself", || fake.told().contains(&"a-".to_owned())).await;
    // As after a restart: another outlet knows nothing of what was told.
    let fresh = Fake::default();
    let again = bench.outlet("am", Told::Standing, pace(), &fresh);
    until("all is told again", || !fresh.told().is_empty()).await;
    assert_eq!((fresh.told()[0].as_str(), again.accepted()), ("b- a-", 0));
    bench.stop().await;
}

#[tokio::test]
async fn ends_are_told_for_a_while_only() {
    let mut bench = Bench::new();
    let fake = Fake::default();
    let quick = Pace { ended: Duration::from_secs(3), again: Duration::from_millis(30), ..pace() };
    bench.queue(&[named("a"), over("a"), named("b")], &["am"]);
    bench.outlet("am", Told::Standing, quick, &fake);
    until("the end is no longer told", || fake.told().last().is_some_and(|told| told == "b+")).await;
    assert!(fake.told().contains(&"a- b+".to_owned()));
    bench.stop().await;
}

#[tokio::test]
async fn every_member_of_a_cluster_is_told_whatever_the_others_do() {
    let mut bench = Bench::new();
    let (up, down) = (Fake::default(), Fake::answering(std::iter::repeat_n(retry(), 5)));
    bench.queue(&[named("a")], &["am"]);
    let (one, two) =
        (bench.outlet("am", Told::Standing, pace(), &up), bench.outlet("am", Told::Standing, pace(), &down));
    until("the one that is up has it", || one.accepted() + two.accepted() == 1 && !up.told().is_empty())
        .await;
    until("the other one is tried until it takes it", || down.told().len() >= 7).await;
    assert_eq!(one.accepted() + two.accepted(), 1, "it is one notification");
    assert!(two.troubles().is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn one_wrong_alert_does_not_spoil_the_others() {
    let mut bench = Bench::new();
    // All three at once, then a, b (the wrong one), c.
    let fake = Fake::answering([reject(), Delivery::Done, reject()]);
    bench.queue(&[named("a"), named("b"), named("c")], &["am", "chat"]);
    let stats = bench.outlet("am", Told::Standing, pace(), &fake);
    until("the others are told", || stats.accepted() == 2).await;
    assert_eq!((fake.told()[..4].join(","), stats.failed()), ("a+ b+ c+,a+,b+,c+".to_owned(), 1));
    until("the next route waits for it", || bench.store.waiting_deliveries("chat").unwrap() == 4).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_stop_delivers_what_is_due_and_does_not_wait_for_the_dead() {
    let mut bench = Bench::new();
    let (works, hangs) = (Fake::default(), Fake::default());
    *hangs.hangs.lock().unwrap() = true;
    let slow = Pace { deadline: Duration::from_mins(5), ..pace() };
    let stats = bench.outlet("works", Told::Changes, slow.clone(), &works);
    bench.outlet("hangs", Told::Changes, slow.clone(), &hangs);
    bench.outlet("hangs", Told::Standing, slow, &hangs);
    bench.queue(&[named("a")], &["works", "hangs"]);
    until("all are busy", || hangs.told().len() == 2).await;
    bench.queue(&[named("b")], &["works"]);
    let (store, began) = (bench.store.clone(), std::time::Instant::now());
    bench.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!((stats.accepted(), store.waiting_deliveries("hangs").unwrap()), (2, 1));
}
