//! Pages made from what a store really holds.

use std::sync::Arc;

use model::event::SliEvent;
use model::missed::MissedSlots;
use model::outcome::{Failure, FailureClass, Outcome, Reason};
use model::time::Timestamp;

use super::desk::{Answer, Desk, Server, end};
use crate::sample::{self, HOSTILE, T0, card};
use crate::{Catalogue, Readiness, ReloadState, ScenarioCard};

/// 17 s after a slot.
const NOW: i64 = T0 + 3_617;

fn outcome(reason: Reason) -> Outcome {
    let mut outcome = Outcome::empty(reason);
    outcome.duration = sample::ms(120);
    if reason == Reason::Failed {
        outcome.failure = Some(Failure::new(FailureClass::Connect, "connect.refused", "nobody listens"));
    }
    outcome
}

/// The newest `count` slots of a scenario, the newest first, all with these reasons in turn.
fn fill(desk: &Desk, name: &str, region: &str, newest: &[Reason]) {
    let origin = sample::origin(name, region);
    let slots: Vec<_> = (0..).zip(newest).collect();
    for (back, reason) in slots.into_iter().rev() {
        desk.event(sample::event(&origin, T0 + 3_600 - 30 * back, outcome(*reason)));
    }
}

/// A desk filled on a thread that may block.
async fn desk(cards: Vec<ScenarioCard>, fill: impl FnOnce(&Desk) + Send + 'static) -> (Desk, Server) {
    let made = tokio::task::spawn_blocking(move || {
        let desk = Desk::open(NOW, cards);
        fill(&desk);
        desk.flush();
        desk
    });
    let desk = made.await.unwrap();
    let server = desk.serve().await;
    (desk, server)
}

#[track_caller]
fn has(answer: &Answer, parts: &[&str]) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    for part in parts {
        assert!(answer.body.contains(part), "no {part} in\n{}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_says_what_is_broken_and_since_when() {
    use Reason::{Failed, Ok};
    let cards = vec![card("search", "eu"), card("checkout", "eu"), card("new", "eu")];
    let (desk, server) = desk(cards, |desk| {
        fill(desk, "search", "eu", &[Ok, Failed, Ok]);
        fill(desk, "checkout", "eu", &[Failed, Failed, Ok]);
    })
    .await;
    let page = server.get("/").await;
    has(
        &page,
        &[
            "1 of 3 promises is broken",
            "since <time datetime=\"2026-03-01T00:59:30.000000000Z\"",
            "connect.refused",
            "nobody listens",
            "<bdi>a customer can buy</bdi>",
            "aria-label=\"last 60 minutes: 2 bad\"",
            "17 s ago",
            "first in 13 s",
            "<bdi>team-shop</bdi>",
            "<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>",
        ],
    );
    let rows: Vec<_> = ["/scenarios/checkout", "/scenarios/new", "/scenarios/search"]
        .map(|link| page.body.rfind(link).unwrap())
        .into();
    assert!(rows.is_sorted(), "broken first, then waiting, then good");
    assert!(!page.body.contains("class=\"banner\""), "{}", page.body);

    let filtered = server.get("/?state=good&refresh=off").await;
    has(&filtered, &["/scenarios/search"]);
    assert!(!filtered.body.contains("/scenarios/new") && !filtered.body.contains("http-equiv"));
    has(&server.get("/?q=TIER%3D1+check").await, &["of 3 promises"]);
    has(&server.get("/?owner=team-shop&region=eu").await, &["/scenarios/search"]);
    has(&server.get("/?owner=nobody").await, &["Nothing fits this filter"]);
    has(&server.get("/?q=no-such-thing").await, &["Nothing fits this filter"]);

    // After a reload the page shows what is scheduled then.
    desk.catalogue
        .send_replace(Arc::new(Catalogue { cards: vec![card("search", "eu")], ..Catalogue::default() }));
    has(&server.get("/").await, &["The promise holds."]);
    desk.catalogue.send_replace(Arc::default());
    has(&server.get("/").await, &["Nothing is promised yet.", "No scenarios are loaded."]);
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prober_in_trouble_says_so_itself() {
    let cards = vec![card("checkout", "eu"), card("checkout", "us")];
    let (desk, server) = desk(cards, |desk| {
        fill(desk, "checkout", "eu", &[Reason::Ok]);
        let first = Timestamp::from_seconds(T0 + 3_510);
        let one = MissedSlots::one(sample::origin("checkout", "us"), Reason::Overlap, first, first);
        desk.missed(MissedSlots { step_ms: 30_000, count: 4, ..one });
    })
    .await;
    let at = Timestamp::from_seconds(NOW);
    let diagnostics = "error: <script> is no key".to_owned();
    desk.reload_state.send_replace(ReloadState::Failed { at, diagnostics });
    desk.readiness.send_replace(Readiness::Draining);
    has(
        &server.get("/").await,
        &[
            "Nothing is known to be broken, but 1 promise cannot be judged.",
            "of 5 slots in the last 10 minutes 4 were missed (overlap 4), in 1 scenario.",
            "error: &lt;script&gt; is no key",
            "shutting down",
            "<th scope=\"col\">Regions</th>",
        ],
    );
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_shows_its_regions_with_events_and_account() {
    use Reason::{Declared, Failed, Ok};
    let cards = vec![card("checkout", "eu"), card("checkout", "us")];
    let (desk, server) = desk(cards, |desk| {
        fill(desk, "checkout", "eu", &[Failed, Declared, Ok, Ok]);
        fill(desk, "checkout", "us", &[Ok]);
    })
    .await;
    has(
        &server.get("/scenarios/checkout").await,
        &[
            "Region <bdi>eu</bdi>",
            "Region <bdi>us</bdi>",
            "data-series=\"/api/v1/series?scenario=checkout&amp;hours=6\"",
            "What failed",
            "/scenarios/checkout?run=",
            "bad · failed",
            "ineligible · declared",
            "connect.refused",
            "https://wiki.example/runbooks/checkout\" rel=\"noreferrer noopener\"",
            "<bdi>scenarios/checkout.yaml</bdi>:1",
            "<dt>expected</dt>",
            "Next slot at",
        ],
    );
    let one = server.get("/scenarios/checkout?region=us").await;
    assert!(!one.body.contains("Region <bdi>eu</bdi>"));
    let other = server.get("/scenarios/chekcout").await;
    assert_eq!(other.status, 404);
    assert!(other.body.contains("did you mean `checkout`?"), "{}", other.body);
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_found_by_its_first_digits_and_compared_with_the_last_good_one() {
    let good = SliEvent {
        slot: sample::origin("checkout", "eu").stream.slot(Timestamp::from_seconds(T0 - 30)),
        ..sample::good_flow()
    };
    let (bad, good_id) = (sample::failed_flow(), good.slot.id);
    let id = bad.slot.id.to_string();
    let (desk, server) = desk(vec![card("checkout", "eu")], move |desk| {
        desk.event(good);
        desk.event(bad);
        fill(desk, "checkout", "eu", &[Reason::Ok; 40]);
    })
    .await;
    for path in [format!("/runs/{id}"), format!("/runs/{}", &id[..12].to_uppercase())] {
        has(
            &server.get(&path).await,
            &[
                "status is 500, expected 201",
                "in step <strong><bdi>create-order</bdi>",
                "class=\"p-wait\"",
                "<bdi>create-order: time in wait</bdi>",
                &format!("/runs/{good_id}"),
                "30 s before",
                "12 d left",
                &format!("/api/v1/events?id={id}"),
                "flaky",
            ],
        );
    }
    has(&server.get(&format!("/runs/{good_id}")).await, &["There is no good run before this one."]);
    // Forty runs: some first digit is shared.
    let digits = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f"];
    let mut choices = 0;
    for digit in digits {
        let page = server.get(&format!("/runs/{digit}")).await;
        choices += usize::from(page.body.contains("Runs that begin with"));
    }
    assert!(choices > 0);
    assert_eq!(server.get("/runs/00000000000000000000000000000000").await.status, 404);
    assert_eq!(server.get("/runs/xyz").await.status, 400);
    end(desk, server).await;
}

/// An event and a card with hostile text in every field that takes text.
fn hostile() -> (ScenarioCard, SliEvent) {
    let long = format!("{HOSTILE}{}", "A".repeat(1 << 20));
    let mut hostile = card(HOSTILE, HOSTILE);
    let origin = sample::origin(HOSTILE, HOSTILE);
    hostile.title = long.as_str().into();
    hostile.aim = long.as_str().into();
    hostile.owner = HOSTILE.into();
    hostile.runbook = "javascript:alert(3)".into();
    hostile.labels = vec![(HOSTILE.into(), HOSTILE.into())];
    hostile.cadence = HOSTILE.to_owned();
    hostile.targets = vec![long; 20];
    hostile.path = HOSTILE.into();
    hostile.kind = HOSTILE.into();
    hostile.version = HOSTILE.into();
    let mut event = sample::failed_flow();
    event.slot = origin.stream.slot(event.slot.scheduled);
    event.origin = origin;
    let mut failure = Failure::new(FailureClass::Protocol, HOSTILE.to_owned(), HOSTILE);
    HOSTILE.clone_into(&mut failure.step);
    event.outcome.failure = Some(failure.clone());
    for step in &mut event.outcome.steps {
        step.name = HOSTILE.into();
        step.kind = HOSTILE.into();
        step.note = Some(HOSTILE.to_owned());
        step.failure = Some(failure.clone());
        step.captures = vec![(HOSTILE.to_owned(), HOSTILE.repeat(1_000))];
        step.attributes.set(HOSTILE, HOSTILE.repeat(10_000));
        for hop in &mut step.hops {
            hop.label = HOSTILE.into();
            hop.status = Some(HOSTILE.into());
        }
    }
    for one in &mut event.outcome.assertions {
        one.step = HOSTILE.into();
        one.name = HOSTILE.into();
        one.expected = HOSTILE.into();
        one.actual = HOSTILE.into();
    }
    (hostile, event)
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_are_harmless_on_every_page() {
    let (card, event) = hostile();
    let id = event.slot.id;
    let (desk, server) = desk(vec![card], move |desk| desk.event(event)).await;
    let name = crate::text::encoded(HOSTILE);
    for path in [
        "/".to_owned(),
        format!("/scenarios/{name}"),
        format!("/runs/{id}"),
        format!("/?q={name}"),
        format!("/events?q=since%3D2h&group={name}"),
        "/events?q=since%3D2h&group=message&low=0&from=2h".to_owned(),
        format!("/events?q={name}"),
        "/config".to_owned(),
        "/prober".to_owned(),
    ] {
        let page = server.get(&path).await;
        assert!(matches!(page.status, 200 | 400), "{path}: {}", page.body);
        for bad in ["<script>", "<img", "\u{202e}", "\u{0}", "href=\"javascript:"] {
            assert!(!page.body.contains(bad), "{path} has {bad:?}");
        }
        assert!(page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{path}\n{}", page.body);
        assert!(page.body.len() < 200_000, "{path}: {} bytes", page.body.len());
        assert!(
            page.head
                .contains("content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'"),
            "{}",
            page.head
        );
    }
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_scenarios_come_by_pages_and_fast() {
    const COUNT: usize = 2_000;
    const REGIONS: [&str; 3] = ["ap", "eu", "us"];
    let name = |index: usize| format!("scenario-{index:04}");
    let cards =
        (0..COUNT).flat_map(|index| REGIONS.map(|region| card(&name(index), region))).collect::<Vec<_>>();
    let (desk, server) = desk(cards, move |desk| {
        for region in REGIONS {
            let origins: Vec<_> = (0..COUNT).map(|index| sample::origin(&name(index), region)).collect();
            for back in (0..8).rev() {
                for (index, origin) in origins.iter().enumerate() {
                    let is_bad = index % 50 == 7 && back < 5 && region == "eu";
                    let reason = if is_bad { Reason::Failed } else { Reason::Ok };
                    desk.event(sample::event(origin, T0 + 3_600 - 30 * back, outcome(reason)));
                }
            }
        }
    })
    .await;
    let mut times = Vec::new();
    for path in ["/", "/", "/?page=20", "/?state=broken", "/?q=scenario-1999"] {
        let began = std::time::Instant::now();
        let page = server.get(path).await;
        times.push(began.elapsed());
        has(&page, &["40 of 2000 promises are broken", "and 35 more"]);
        assert!(page.body.len() < 300_000, "{path}: {} bytes", page.body.len());
    }
    // The goal is 300 ms in a release build on a quiet machine; here only an order of magnitude is held.
    assert!(times.iter().min().is_some_and(|best| best.as_millis() < 3_000), "{times:?}");
    has(&server.get("/?page=999").await, &["rows 1901–2000 of 2000"]);
    end(desk, server).await;
}
