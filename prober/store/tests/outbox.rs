//! The outbox: each change once, in order for each alert, bounded, and there after a kill.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::time::{SystemClock, Timestamp};

use crate::{Config, KEPT, NewDelivery, OPEN_MAX, Queued, QueuedDelivery, Store};

fn open(dir: &Path) -> Store {
    Store::open(Config::new(dir), Arc::new(SystemClock)).unwrap().store
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + seconds * 1_000)
}

fn change(route: &str, alert: &str, number: u32, firing: bool) -> NewDelivery {
    NewDelivery {
        route: route.to_owned(),
        key: format!("{alert}/{number}"),
        alert: alert.to_owned(),
        firing,
        urgent: true,
        state: format!("{{\"v\":1,\"alert\":\"{alert}\",\"firing\":{firing}}}"),
    }
}

fn keys(rows: &[QueuedDelivery]) -> Vec<&str> {
    rows.iter().map(|row| row.delivery.key.as_str()).collect()
}

#[test]
fn a_change_is_queued_once_whatever_became_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let rows = [change("oncall", "a", 1, true), change("tickets", "a", 1, true)];
    let mut woken = store.queued();
    assert_eq!(store.enqueue(&rows, at(0)).unwrap(), Queued { added: 2, known: 0, given_up: 0 });
    assert!(woken.has_changed().unwrap() && *woken.borrow_and_update() == 2);
    assert_eq!(store.enqueue(&rows, at(1)).unwrap(), Queued { added: 0, known: 2, given_up: 0 });
    assert!(!woken.has_changed().unwrap());
    let due = store.due_deliveries("oncall", at(1), 10).unwrap();
    assert_eq!(keys(&due), ["a/1"]);
    assert!(store.mark_accepted(due[0].id, at(2)).unwrap());
    assert!(!store.mark_accepted(due[0].id, at(3)).unwrap(), "it is accepted once");
    drop(store);
    // Neither a restart nor a second decision brings it back, and the other route is none the wiser.
    let store = open(dir.path());
    assert_eq!(store.enqueue(&rows, at(9)).unwrap().known, 2);
    assert!(store.due_deliveries("oncall", at(9), 10).unwrap().is_empty());
    assert_eq!(store.waiting_routes().unwrap(), [("tickets".to_owned(), 1)]);
    let row = store.delivery("oncall", "a/1").unwrap().unwrap();
    assert!(row.accepted && row.done == Some(at(2)) && row.attempts == 1, "{row:?}");
}

#[test]
fn changes_of_one_alert_keep_their_order_and_alerts_do_not_wait_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut ticket = change("r", "c", 1, true);
    ticket.urgent = false;
    let rows = [
        ticket,
        change("r", "a", 1, true),
        change("r", "a", 2, false),
        change("r", "b", 1, true),
        change("r", "a", 3, true),
    ];
    store.enqueue(&rows, at(0)).unwrap();
    let due = store.due_deliveries("r", at(0), 10).unwrap();
    assert_eq!(keys(&due), ["a/1", "b/1", "c/1"], "pages first");
    store.mark_failed(due[0].id, at(5), "503").unwrap();
    store.mark_accepted(due[1].id, at(0)).unwrap();
    assert_eq!(keys(&store.due_deliveries("r", at(1), 10).unwrap()), ["c/1"], "a/2 waits for a/1");
    store.mark_accepted(due[2].id, at(1)).unwrap();
    assert_eq!(
        keys(&store.due_deliveries("r", at(-9_000), 10).unwrap()),
        ["a/1"],
        "the clock was stepped back"
    );
    assert_eq!(store.outlook("r").unwrap(), (3, Some(at(5)), Some(at(0))));
    let again = store.due_deliveries("r", at(5), 10).unwrap();
    assert_eq!((keys(&again), again[0].attempts, again[0].error.as_deref()), (vec!["a/1"], 1, Some("503")));
    store.mark_accepted(again[0].id, at(5)).unwrap();
    assert_eq!(keys(&store.due_deliveries("r", at(5), 10).unwrap()), ["a/2"]);
    assert_eq!(store.outlook("elsewhere").unwrap(), (0, None, None));
}

#[test]
fn an_overdue_change_is_told_elsewhere_in_the_same_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.enqueue(&[change("first", "a", 1, true), change("first", "b", 1, true)], at(0)).unwrap();
    let due = store.due_deliveries("first", at(0), 10).unwrap();
    let instead = [change("second", "a", 1, true)];
    // The first goes on being tried, the second not; either is told once.
    let added = |rows| Some(Queued { added: rows, ..Queued::default() });
    assert_eq!(
        store.mark_overdue(due[0].id, (at(300), Some(at(360))), "no answer", &instead).unwrap(),
        added(1)
    );
    assert_eq!(store.mark_overdue(due[1].id, (at(301), None), "refused", &[]).unwrap(), added(0));
    assert_eq!(store.waiting_routes().unwrap(), [("first".to_owned(), 1), ("second".to_owned(), 1)]);
    assert_eq!(store.mark_overdue(due[0].id, (at(301), Some(at(360))), "no answer", &instead).unwrap(), None);
    let again = store.due_deliveries("first", at(360), 10).unwrap();
    assert_eq!((keys(&again), again[0].overdue), (vec!["a/1"], Some(at(300))));
    let row = store.delivery("first", "b/1").unwrap().unwrap();
    assert!(row.done == Some(at(301)) && !row.accepted && row.error.as_deref() == Some("refused"));
}

#[test]
fn nothing_is_told_of_an_alert_that_is_known_to_be_over() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let rows =
        [change("first", "a", 1, true), change("second", "a", 1, true), change("second", "a", 2, false)];
    store.enqueue(&rows, at(0)).unwrap();
    let due = store.due_deliveries("first", at(0), 10).unwrap();
    let instead = [NewDelivery { key: "a/1/after/first".to_owned(), ..change("second", "a", 1, true) }];
    let queued = store.mark_overdue(due[0].id, (at(300), None), "no answer", &instead).unwrap();
    assert_eq!(queued, Some(Queued::default()), "a start after the end would never end");
}

#[test]
fn what_is_late_is_found_and_what_went_before_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut ticket = change("r", "t", 1, true);
    ticket.urgent = false;
    store.enqueue(&[change("r", "a", 1, true), ticket], at(0)).unwrap();
    store.enqueue(&[change("r", "b", 1, true)], at(100)).unwrap();
    let late = |page, all| keys(&store.late_deliveries("r", (at(page), at(all)), 10).unwrap()).join(" ");
    assert_eq!(
        (late(-1, -1), late(0, -1), late(100, -1), late(0, 0)),
        (String::new(), "a/1".into(), "a/1 b/1".into(), "a/1 t/1".into())
    );
    let id = store.delivery("r", "a/1").unwrap().unwrap().id;
    store.mark_overdue(id, (at(300), Some(at(360))), "503", &[]).unwrap();
    assert_eq!(late(0, -1), "", "it is told once");
    store.enqueue(&[change("r", "a", 2, false)], at(310)).unwrap();
    assert_eq!(late(0, -1), "a/1", "its end is waiting behind it");
    let last = store.delivery("r", "a/2").unwrap().unwrap().id;
    assert_eq!(store.close_earlier("r", "a", last, at(320)).unwrap(), 1);
    assert_eq!(keys(&store.due_deliveries("r", at(320), 10).unwrap()), ["b/1", "a/2", "t/1"]);
}

#[test]
fn a_full_route_gives_up_its_oldest_ticket_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut rows: Vec<_> = (0..u32::try_from(OPEN_MAX).unwrap()).map(|n| change("r", "a", n, true)).collect();
    rows[7].urgent = false;
    assert_eq!(store.enqueue(&rows, at(0)).unwrap().added, OPEN_MAX);
    let more = [change("r", "b", 1, true), change("r", "b", 2, true), change("s", "b", 1, true)];
    assert_eq!(store.enqueue(&more, at(1)).unwrap(), Queued { added: 3, known: 0, given_up: 2 });
    assert_eq!(store.waiting_deliveries("r").unwrap(), OPEN_MAX);
    for key in ["a/7", "a/0"] {
        let row = store.delivery("r", key).unwrap().unwrap();
        assert!(row.done.is_some() && !row.accepted && row.error.unwrap().contains("no room"), "{key}");
    }
    assert!(store.delivery("r", "b/2").unwrap().unwrap().done.is_none());
    let kept = ["s".to_owned()];
    assert_eq!(store.give_up_routes_but(&kept, at(-1), at(2)).unwrap(), 0, "they may come back");
    assert_eq!(store.give_up_routes_but(&kept, at(1), at(2)).unwrap(), OPEN_MAX);
    assert_eq!(store.waiting_routes().unwrap(), [("s".to_owned(), 1)]);
}

#[test]
fn the_last_word_on_an_alert_stays_while_it_fires() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let rows = [
        change("r", "fires", 1, true),
        change("r", "ended", 1, true),
        change("r", "ended", 2, false),
        change("r", "again", 1, true),
        change("r", "again", 2, false),
        change("r", "again", 3, true),
    ];
    store.enqueue(&rows, at(0)).unwrap();
    assert_eq!(keys(&store.latest_deliveries("r", at(0)).unwrap()), ["fires/1", "ended/2", "again/3"]);
    let all = ["fires/1", "ended/2", "again/3"];
    assert_eq!(keys(&store.latest_deliveries("r", at(1)).unwrap()), all, "nobody has taken the end");
    while let Some(row) = store.due_deliveries("r", at(1), 1).unwrap().first() {
        store.mark_accepted(row.id, at(1)).unwrap();
    }
    assert_eq!(keys(&store.latest_deliveries("r", at(1)).unwrap()), ["fires/1", "again/3"]);
    let much_later = at(2).plus(KEPT);
    store.enqueue(&[change("r", "new", 1, true)], much_later).unwrap();
    let all = store.deliveries(100).unwrap();
    assert_eq!(keys(&all), ["new/1", "again/3", "fires/1"]);
}

#[test]
fn a_store_from_before_the_outbox_gets_one() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let conn = rusqlite::Connection::open(dir.path().join("meta.db")).unwrap();
    conn.execute_batch("DROP TABLE outbox").unwrap();
    drop(conn);
    let store = open(dir.path());
    assert_eq!(store.enqueue(&[change("r", "a", 1, true)], at(0)).unwrap().added, 1);
}

/// The process to be killed; its working directory is the data directory.
#[test]
#[ignore = "started by the test below"]
fn child() {
    let store = open(Path::new("."));
    let begin = store.deliveries(1).unwrap().first().map_or(0, |row| row.id);
    let end = Instant::now() + Duration::from_mins(2);
    let mut accepted = 0;
    for number in u32::try_from(begin).unwrap() + 1.. {
        store.enqueue(&[change("r", &format!("a{}", number % 7), number, true)], at(0)).unwrap();
        if let Some(row) = store.due_deliveries("r", at(0), 1).unwrap().first()
            && number % 2 == 0
        {
            accepted += u64::from(store.mark_accepted(row.id, at(0)).unwrap());
        }
        let told = format!("{number} {accepted}");
        std::fs::write("told.new", told).unwrap();
        std::fs::rename("told.new", "told").unwrap();
        if Instant::now() > end {
            return;
        }
    }
}

#[test]
fn a_kill_loses_no_queued_change_and_no_mark() {
    let dir = tempfile::tempdir().unwrap();
    let told = dir.path().join("told");
    let mut done_before = 0;
    for round in 0..6_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "tests::outbox::child"])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        while !told.exists() {
            assert!(Instant::now() < deadline, "the child must write");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Another instant each time; nothing is waited for.
        std::thread::sleep(Duration::from_micros(round * 9_973));
        child.kill().unwrap();
        child.wait().unwrap();
        let words = std::fs::read_to_string(&told).unwrap();
        let (queued, accepted) = words.split_once(' ').unwrap();
        let (queued, accepted): (u64, u64) = (queued.parse().unwrap(), accepted.parse().unwrap());
        std::fs::remove_file(&told).unwrap();
        let store = open(dir.path());
        let rows = store.deliveries(1_000_000).unwrap();
        let last = rows[0].id;
        assert!(last >= queued, "{last} of {queued}");
        let done = rows.iter().filter(|row| row.accepted).count() as u64;
        assert!(done >= done_before + accepted, "{done} of {done_before} and {accepted}");
        done_before = done;
        assert_eq!(done + store.waiting_deliveries("r").unwrap(), last, "each row is open or done");
    }
}
