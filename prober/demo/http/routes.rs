//! Which page answers what.

use std::time::{Duration, UNIX_EPOCH};

use http::header::{ALLOW, AUTHORIZATION, COOKIE, HeaderName, LAST_MODIFIED, LOCATION};
use http::header::{RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use model::time::Timestamp;
use serde_json::{Value, json};

use super::counter::{Order, SKU_BYTES_MAX};
use super::pages::{self, page};
use super::{Answer, Asked, Shop};
use crate::faults::{EXPORT, FEED, FLAKY, MAINTENANCE, PAYMENT, SEARCH};

/// How long a quick search and a slow one take.
const SEARCH_TIMES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(700));

/// How long the shop waits for its payment provider.
const PROVIDER_PATIENCE: Duration = Duration::from_millis(800);

/// How long `/slow` takes.
const SLOW: Duration = Duration::from_secs(3);

/// The longest that an order's page waits for the confirmation.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// How often the feed and the export are made.
const FEED_TICK_S: u64 = 5;

/// The only account.
const ACCOUNT: (&str, &str) = ("demo", "tea-for-two");

/// Answers one request.
pub(super) async fn answer(shop: &Shop, asked: Asked) -> Answer {
    let segments: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
    let reading = matches!(asked.method, Method::GET | Method::HEAD);
    match (&asked.method, &segments[..]) {
        (_, [""]) if reading => pages::front(),
        (_, ["schedule"]) if reading => pages::schedule(shop.schedule.since_start()),
        (_, ["old-home"]) if reading => moved("/"),
        (_, ["search"]) if reading => search(shop).await,
        (_, ["slow"]) if reading => slow().await,
        (_, ["flaky"]) if reading => flaky(shop),
        (_, ["feed.json"]) if reading => feed(shop),
        (_, ["api", "cart", "health"]) if reading => cart_health(shop),
        (_, ["api", "search" | "stock", "health"]) if reading => up(),
        (_, ["orders", "latest.csv"]) if reading => export(shop),
        (&Method::POST, ["login"]) => login(shop, &asked),
        (_, ["cart"]) if reading => cart(shop, &asked),
        (&Method::POST, ["cart"]) => add_to_cart(shop, &asked),
        (&Method::POST, ["orders"]) => create_order(shop, &asked),
        (_, ["orders", id]) if reading => show_order(shop, &asked, id).await,
        (&Method::DELETE, ["orders", id]) => delete_order(shop, &asked, id),
        (&Method::POST, ["checkout", "pay"]) => pay(shop, &asked).await,
        (_, segments) => nowhere(segments),
    }
}

/// An error that says in words what is wrong.
pub(super) fn problem(status: StatusCode, detail: &str) -> Answer {
    answer_json(status, &json!({ "error": detail }))
}

fn answer_json(status: StatusCode, value: &Value) -> Answer {
    page(status, "application/json", value.to_string())
}

fn with(mut answer: Answer, name: impl Into<HeaderName>, value: &str) -> Answer {
    let value = HeaderValue::from_str(value).expect("the shop's own header values are ASCII");
    answer.headers_mut().insert(name.into(), value);
    answer
}

fn moved(to: &str) -> Answer {
    with(page(StatusCode::MOVED_PERMANENTLY, "text/plain", format!("moved to {to}\n")), LOCATION, to)
}

fn nowhere(segments: &[&str]) -> Answer {
    let allowed = match segments {
        ["" | "schedule" | "old-home" | "search" | "slow" | "flaky" | "feed.json"]
        | ["api", "cart" | "search" | "stock", "health"]
        | ["orders", "latest.csv"] => "GET, HEAD",
        ["login" | "orders"] | ["checkout", "pay"] => "POST",
        ["cart"] => "GET, HEAD, POST",
        ["orders", _] => "GET, HEAD, DELETE",
        _ => return problem(StatusCode::NOT_FOUND, "the shop has no such page"),
    };
    with(problem(StatusCode::METHOD_NOT_ALLOWED, "this page is not used this way"), ALLOW, allowed)
}

async fn search(shop: &Shop) -> Answer {
    let slow = shop.schedule.active(&SEARCH);
    tokio::time::sleep(if slow { SEARCH_TIMES.1 } else { SEARCH_TIMES.0 }).await;
    let index = if slow { "rebuilding, asked the database instead" } else { "warm" };
    answer_json(StatusCode::OK, &json!({ "found": ["TEA-GREEN", "TEA-BLACK"], "index": index }))
}

async fn slow() -> Answer {
    tokio::time::sleep(SLOW).await;
    page(StatusCode::OK, "text/plain", "at last\n".to_owned())
}

fn flaky(shop: &Shop) -> Answer {
    if shop.schedule.active(&FLAKY) {
        return with(problem(StatusCode::SERVICE_UNAVAILABLE, "try again"), RETRY_AFTER, "5");
    }
    page(StatusCode::OK, "text/plain", "fine, this time\n".to_owned())
}

fn feed(shop: &Shop) -> Answer {
    let generated = shop.schedule.last_done(&FEED, FEED_TICK_S);
    let products = json!([{ "sku": "TEA-GREEN", "price": "4.90" }, { "sku": "CUP-BLUE", "price": "12.00" }]);
    answer_json(StatusCode::OK, &json!({ "generated_at": generated.to_string(), "products": products }))
}

fn cart_health(shop: &Shop) -> Answer {
    if shop.schedule.active(&MAINTENANCE) {
        let down = answer_json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "MAINTENANCE" }));
        return with(down, HeaderName::from_static("x-maintenance"), "database upgrade");
    }
    up()
}

fn up() -> Answer {
    answer_json(StatusCode::OK, &json!({ "status": "UP" }))
}

fn export(shop: &Shop) -> Answer {
    let written = shop.schedule.last_done(&EXPORT, FEED_TICK_S);
    let at = UNIX_EPOCH + Duration::from_secs(written.since(Timestamp::default()).as_secs());
    let csv =
        page(StatusCode::OK, "text/csv", format!("orders,written\n{},{written}\n", shop.counter.orders()));
    with(csv, LAST_MODIFIED, &httpdate::fmt_http_date(at))
}

fn login(shop: &Shop, asked: &Asked) -> Answer {
    let Some(form) = object(&asked.body) else {
        return problem(StatusCode::BAD_REQUEST, "send JSON with user and password");
    };
    if (form["user"].as_str(), form["password"].as_str()) != (Some(ACCOUNT.0), Some(ACCOUNT.1)) {
        return problem(StatusCode::UNAUTHORIZED, "no such user, or another password");
    }
    let session = shop.counter.open_session();
    let welcome = answer_json(StatusCode::OK, &json!({ "access_token": session, "token_type": "Bearer" }));
    with(welcome, SET_COOKIE, &format!("session={session}; Path=/; HttpOnly; SameSite=Lax"))
}

fn cart(shop: &Shop, asked: &Asked) -> Answer {
    let items = session(&asked.headers).and_then(|id| shop.counter.cart(id));
    items.map_or_else(no_session, |items| answer_json(StatusCode::OK, &json!({ "items": items })))
}

fn add_to_cart(shop: &Shop, asked: &Asked) -> Answer {
    let Some(sku) = sku(&asked.body) else { return no_sku() };
    let items = session(&asked.headers).and_then(|id| shop.counter.add(id, &sku));
    items.map_or_else(no_session, |items| answer_json(StatusCode::CREATED, &json!({ "items": items })))
}

fn create_order(shop: &Shop, asked: &Asked) -> Answer {
    if !signed_in(shop, &asked.headers) {
        return no_token();
    }
    let Some(sku) = sku(&asked.body) else { return no_sku() };
    let id = shop.counter.order(&sku, shop.schedule.now());
    let created = answer_json(StatusCode::CREATED, &json!({ "id": id, "sku": sku, "status": "pending" }));
    with(created, LOCATION, &format!("/orders/{id}"))
}

/// Shows an order; with `Prefer: wait=SECONDS` (RFC 7240, section 4.3) only once it is confirmed.
async fn show_order(shop: &Shop, asked: &Asked, id: &str) -> Answer {
    if !signed_in(shop, &asked.headers) {
        return no_token();
    }
    let Some(order) = shop.counter.find_order(id) else { return no_order() };
    let pending = order.pending(shop.schedule.now());
    tokio::time::sleep(pending.min(wait(&asked.headers))).await;
    let Order { sku, .. } = &order;
    let status = if order.pending(shop.schedule.now()).is_zero() { "confirmed" } else { "pending" };
    answer_json(StatusCode::OK, &json!({ "id": id, "sku": sku, "status": status }))
}

fn delete_order(shop: &Shop, asked: &Asked, id: &str) -> Answer {
    if !signed_in(shop, &asked.headers) {
        return no_token();
    }
    if !shop.counter.delete_order(id) {
        return no_order();
    }
    let mut gone = Answer::default();
    *gone.status_mut() = StatusCode::NO_CONTENT;
    gone
}

async fn pay(shop: &Shop, asked: &Asked) -> Answer {
    if !signed_in(shop, &asked.headers) {
        return no_token();
    }
    let order = object(&asked.body).and_then(|form| Some(form["order_id"].as_str()?.to_owned()));
    let Some(id) = order.filter(|id| shop.counter.find_order(id).is_some()) else { return no_order() };
    if shop.schedule.active(&PAYMENT) {
        tokio::time::sleep(PROVIDER_PATIENCE).await;
        let detail = json!({ "error": "payment provider timed out", "provider": "pay.demo.test", "waited_s": PROVIDER_PATIENCE.as_secs_f64() });
        return answer_json(StatusCode::INTERNAL_SERVER_ERROR, &detail);
    }
    answer_json(StatusCode::OK, &json!({ "order_id": id, "status": "paid" }))
}

fn no_session() -> Answer {
    problem(StatusCode::UNAUTHORIZED, "no session cookie, sign in first")
}

fn no_token() -> Answer {
    with(problem(StatusCode::UNAUTHORIZED, "no access token, sign in first"), WWW_AUTHENTICATE, "Bearer")
}

fn no_sku() -> Answer {
    problem(StatusCode::BAD_REQUEST, "send JSON with an sku of at most 64 bytes")
}

fn no_order() -> Answer {
    problem(StatusCode::NOT_FOUND, "no such order")
}

fn object(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok().filter(Value::is_object)
}

fn sku(body: &[u8]) -> Option<String> {
    let sku = object(body)?["sku"].as_str()?.to_owned();
    (1..=SKU_BYTES_MAX).contains(&sku.len()).then_some(sku)
}

/// The session in the cookies; HTTP/2 clients may send each in a line of its own.
fn session(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|cookie| cookie.trim().strip_prefix("session="))
}

fn signed_in(shop: &Shop, headers: &HeaderMap) -> bool {
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    token.is_some_and(|token| shop.counter.has_session(token))
}

/// How long the client prefers to wait.
fn wait(headers: &HeaderMap) -> Duration {
    let prefer = headers.get("prefer").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let seconds = prefer.split(',').find_map(|part| part.trim().strip_prefix("wait=")?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0)).min(WAIT_MAX)
}
