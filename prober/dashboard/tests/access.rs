//! Who may look and who may act, and what a page elsewhere cannot do.

use model::time::Timestamp;
use serde_json::Value;
use store::NewNote;

use super::desk::{Answer, Desk, Server, end};
use crate::sample::{self, T0, card};
use crate::{Access, Settings};

const NOW: i64 = T0 + 3_617;
const EPISODE: &str = "SLOOutage/page/checkout//1772326800000";

async fn desk(access: Access) -> (Desk, Server) {
    let made = tokio::task::spawn_blocking(move || {
        let mut desk = Desk::open(NOW, vec![card("checkout", "eu")]);
        desk.sources.settings = Settings { access, ..Settings::default() };
        let fired = NewNote {
            who: "slo".to_owned(),
            action: "fired",
            subject: EPISODE.to_owned(),
            detail: r#"{"labels":{"slo":"checkout","severity":"page","alertname":"SLOOutage"},"annotations":{"sum":"17 of 60 bad <b>"}}"#.to_owned(),
            once: true,
        };
        // A second time it is the same one.
        for _ in 0..2 {
            desk.sources.store.note(std::slice::from_ref(&fired), Timestamp::from_seconds(NOW - 60)).unwrap();
        }
        desk
    });
    let desk = made.await.unwrap();
    let server = desk.serve().await;
    (desk, server)
}

impl Server {
    /// Asks with these header lines and a body.
    async fn with(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        let more: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
        let (address, length) = (self.address, body.len());
        let first = format!("{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        self.ask(&format!("{first}{more}Content-Length: {length}\r\n\r\n{body}")).await
    }
}

fn tokens() -> Access {
    Access {
        viewer_token: Some("only-to-look-at".to_owned()),
        operator_token: Some("to-look-and-act".to_owned()),
        ..Access::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_in_by_a_token_only() {
    let (desk, server) = desk(tokens()).await;
    let page = server.get("/").await;
    assert_eq!((page.status, page.head.contains("location: /login")), (303, true), "{}", page.head);
    for path in ["/api/v1/events", "/metrics", "/live", "/probe"] {
        let refused = server.get(path).await;
        assert!(
            refused.status == 401 && refused.head.contains("www-authenticate: bearer"),
            "{path}: {}",
            refused.head
        );
    }
    for path in ["/healthz", "/readyz", "/login", "/assets/app.js"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    let by = |token: &str| format!("Authorization: Bearer {token}");
    assert_eq!(server.with("GET /api/v1/events", &[&by("only-to-look-at")], "").await.status, 200);
    assert_eq!(server.with("GET /api/v1/events", &[&by("only-to-look")], "").await.status, 401);

    let wrong = server.with("POST /login", &[], "token=guess").await;
    assert!(wrong.status == 403 && wrong.body.contains("no token of this prober"), "{}", wrong.body);
    let elsewhere =
        server.with("POST /login", &["Sec-Fetch-Site: cross-site"], "token=to-look-and-act").await;
    assert_eq!(elsewhere.status, 403);
    let right = server.with("POST /login", &[], "token=to-look-and-act").await;
    assert_eq!(right.status, 303);
    let cookie = right.head.split("set-cookie: ").nth(1).unwrap().split(';').next().unwrap().to_owned();
    assert!(right.head.contains("httponly") && right.head.contains("samesite=strict"), "{}", right.head);
    assert!(!right.head.contains("to-look-and-act"), "{}", right.head);
    let page = server.with("GET /alerts", &[&format!("Cookie: {cookie}")], "").await;
    assert!(page.status == 200 && page.body.contains("It was useful"), "{}", page.body);
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_is_an_operators_and_noted() {
    let (desk, server) = desk(tokens()).await;
    let operator = "Authorization: Bearer to-look-and-act";
    let viewer = "Authorization: Bearer only-to-look-at";
    let page = server.with("GET /alerts", &[operator], "").await;
    assert!(page.body.contains("17 of 60 bad &lt;b&gt;") && !page.body.contains("<b>"), "{}", page.body);
    let form =
        page.body.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let seen = server.with("GET /alerts", &[viewer], "").await;
    assert!(!seen.body.contains("<button name=\"action\""), "{}", seen.body);

    let episode = crate::text::encoded(EPISODE);
    let body = format!("form={form}&action=noise&episode={episode}");
    let forged = format!("form={}&action=noise&episode={episode}", "0".repeat(64));
    for (headers, body, status) in [
        (&[viewer][..], body.as_str(), 403),
        (&[operator], &forged, 403),
        (&[operator, "Sec-Fetch-Site: cross-site"], &body, 403),
        (&[operator], &format!("form={form}&action=delete&episode={episode}"), 400),
        (&[operator], &format!("form={form}&action=noise&episode=x"), 400),
        (&[operator, "Sec-Fetch-Site: same-origin"], &body, 303),
    ] {
        let answer = server.with("POST /alerts", headers, body).await;
        assert_eq!(answer.status, status, "{headers:?} {body}: {}", answer.body);
    }
    let json = format!("{{\"episode\":\"{EPISODE}\",\"action\":\"useful\"}}");
    let kind = "Content-Type: application/json";
    let program = server.with("POST /api/v1/alerts/notes", &[operator, kind, "X-Prober: 1"], &json).await;
    assert_eq!(program.status, 200, "{}", program.body);
    assert_eq!(server.with("POST /api/v1/alerts/notes", &[operator, kind], &json).await.status, 403);
    assert_eq!(
        server.with("POST /api/v1/alerts/notes", &[operator, kind, "X-Prober: 1"], "{").await.status,
        400
    );

    assert_eq!(server.with("POST /config", &[viewer], &format!("form={form}")).await.status, 403);
    assert_eq!(server.with("POST /config", &[operator], &format!("form={form}")).await.status, 303);
    let audit = server.with("GET /api/v1/audit?limit=2", &[viewer], "").await;
    let first: Value = serde_json::from_str(&audit.body).unwrap();
    let rest = server.with(&format!("GET /api/v1/audit?before={}", first["next"]), &[viewer], "").await;
    let rest: Value = serde_json::from_str(&rest.body).unwrap();
    let actions: Vec<_> = [&first, &rest]
        .into_iter()
        .flat_map(|page| page["notes"].as_array().unwrap())
        .map(|note| (note["action"].as_str().unwrap().to_owned(), note["who"].as_str().unwrap().to_owned()))
        .collect();
    let shown: Vec<_> = actions.iter().map(|(action, who)| (action.as_str(), who.as_str())).collect();
    assert_eq!(
        shown,
        [("reload", "operator"), ("useful", "operator"), ("noise", "operator"), ("fired", "slo")]
    );
    let page = server.with("GET /alerts", &[viewer], "").await;
    assert!(page.body.contains("✓ useful"), "{}", page.body);
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_names_people() {
    let access = Access {
        user_header: Some("x-forwarded-user".to_owned()),
        operators: vec!["ada".to_owned()],
        ..Access::default()
    };
    let (desk, server) = desk(access).await;
    assert_eq!(server.get("/").await.status, 401);
    let viewer = server.with("GET /alerts", &["X-Forwarded-User: bob"], "").await;
    assert!(viewer.status == 200 && !viewer.body.contains("<button name=\"action\""));
    let operator = server.with("GET /alerts", &["X-Forwarded-User: ada"], "").await;
    assert!(operator.body.contains("<button name=\"action\""));
    let twice = server.with("GET /alerts", &["X-Forwarded-User: ada", "X-Forwarded-User: bob"], "").await;
    assert_eq!(twice.status, 401);
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_what_is_public_only_where_that_is_switched_on() {
    let open = |public_status: bool| async move {
        let made = tokio::task::spawn_blocking(move || {
            let public = crate::ScenarioCard { public: true, title: "The shop".into(), ..card("shop", "eu") };
            let mut desk = Desk::open(NOW, vec![public, card("secret", "eu")]);
            desk.sources.settings = Settings { access: tokens(), public_status, ..Settings::default() };
            let mut outcome = sample::failed_flow().outcome;
            for (back, name) in [(1, "shop"), (0, "shop"), (0, "secret")] {
                let origin = sample::origin(name, "eu");
                desk.event(sample::event(&origin, T0 + 3_600 - 30 * back, outcome.clone()));
                outcome = sample::failed_flow().outcome;
            }
            desk.flush();
            desk
        });
        let desk = made.await.unwrap();
        let server = desk.serve().await;
        (desk, server)
    };
    let (desk, server) = open(false).await;
    for path in ["/status", "/badge/shop/status.svg"] {
        assert_ne!(server.get(path).await.status, 200, "{path}");
    }
    end(desk, server).await;
    let (desk, server) = open(true).await;
    let page = server.get("/status").await;
    assert!(page.status == 200 && page.body.contains("1 of 1 service is broken."), "{}", page.body);
    assert!(page.body.contains("<bdi>The shop</bdi>"), "{}", page.body);
    for secret in ["secret", "connect", "assert", "shop.example", "team-shop", "status is 500", "/runs/"] {
        assert!(!page.body.contains(secret), "{secret}\n{}", page.body);
    }
    let badge = server.get("/badge/shop/status.svg").await;
    assert!(badge.status == 200 && badge.body.contains("shop: broken"), "{}", badge.body);
    assert!(badge.head.contains("content-type: image/svg+xml"), "{}", badge.head);
    assert_eq!(server.get("/badge/shop/slo.svg").await.status, 200);
    for path in ["/badge/secret/status.svg", "/badge/none/status.svg", "/badge/shop/x.svg"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    assert_eq!(server.get("/api/v1/scenarios").await.status, 401);
    end(desk, server).await;
}
