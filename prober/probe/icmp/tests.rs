//! The kind `icmp`, as far as the system lets this process ping; the integration tests have a system of their own.

use std::io;
use std::time::Duration;

use scenario::fields::Bound;
use scenario::value::Value;

use super::KIND;
use crate::trial::{PATIENCE, compile, run, shared, template};

fn host(text: &str) -> (&'static str, Bound) {
    ("host", template(text))
}

#[tokio::test]
async fn loopback_answers_or_the_system_forbids_to_ask() {
    let allowed = shared().may_ping();
    for address in ["127.0.0.1", "::1"] {
        let keys = vec![host(address), ("interval", Bound::Duration(Duration::from_millis(20)))];
        let trial = run(&KIND, keys, &shared(), PATIENCE).await;
        match &allowed {
            Ok(()) => {
                assert_eq!(trial.outcome.failure, None);
                assert_eq!(trial.value("replies"), Value::Int(3));
                assert!(matches!(trial.value("rtt_avg"), Value::Duration(trip) if !trip.is_zero()));
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
                assert_eq!(trial.failure(), "local local.denied");
                assert!(trial.message().contains("net.ipv4.ping_group_range"), "{}", trial.message());
            }
        }
    }
}

#[test]
fn mistakes_in_the_file() {
    let check = |keys: Vec<(&'static str, Bound)>| compile(&KIND, keys).err().unwrap_or_default();
    assert_eq!(
        check(vec![host("https://shop.test/"), ("size", Bound::Size(8))]),
        [
            "E104: a ping carries 16 to 65507 bytes",
            "E178: `https://shop.test/` is not a host name or an IP address",
        ]
    );
    assert_eq!(
        check(vec![host("::1"), ("ip", Bound::Choice("4"))]),
        ["E179: ::1 is not an address of the family that `ip` asks for"]
    );
    assert_eq!(
        check(vec![host("shop.test"), ("interval", Bound::Duration(Duration::from_millis(9)))]),
        ["E104: pings are sent at least 10 ms apart"]
    );
    assert!(check(vec![host("${x}")]).len() == 1, "braces are no host");
}
