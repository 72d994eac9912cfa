//! Peers that answer datagrams wrongly, late, too much or not at all.

use testkit::hostile::datagrams::{Fault, LONGEST};

use super::*;
use crate::trial::{PATIENCE, templates};

fn case(fault: Fault, more: Keys, expected: &'static str) -> Case {
    let peer = Peer::Datagrams(Datagrams::start(fault));
    Case::at_peer(format!("{fault:?} with {more:?}"), Way::Udp, peer, expected).with(more)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datagrams_that_go_wrong() {
    let replies = |count| vec![("replies", Bound::Int(count))];
    let optional = || vec![("reply", Bound::Choice("optional"))];
    let none = || vec![("reply", Bound::Choice("none"))];
    let late = Fault::Late(TOO_LATE);
    let cases = vec![
        case(Fault::Silent, Vec::new(), "timeout timeout wait"),
        case(Fault::Silent, optional(), "ok"),
        case(Fault::Silent, none(), "ok"),
        case(late, Vec::new(), "timeout timeout wait"),
        case(late, optional(), "ok"),
        case(Fault::Stranger, Vec::new(), "timeout timeout wait"),
        case(Fault::OnceOnly, replies(3), "timeout timeout receive"),
        // What a reply has to say is for assertions to judge.
        case(Fault::Empty, Vec::new(), "ok"),
        case(Fault::Longest, Vec::new(), "ok"),
        case(Fault::Flood(LONGEST), Vec::new(), "ok"),
        case(Fault::Flood(LONGEST), replies(100), "protocol udp.too_large receive"),
        case(Fault::Flood(1), replies(100), "ok"),
        case(Fault::Flood(0), none(), "ok"),
        case(Fault::Flood(LONGEST), none(), "ok"),
    ];
    sweep(cases).await;
}

/// What a flood leaves in memory is what may be kept of it, and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_kept_up_to_its_limit() {
    let target = Datagrams::start(Fault::Flood(LONGEST));
    let keys = [Way::Udp.keys(&target.addr().to_string()), vec![("replies", Bound::Int(100))]].concat();
    let trial = trial::run(Way::Udp.kind(), keys, &trial::shared(), PATIENCE).await;
    let kept = trial.outcome.attributes.get("network.io.size");
    let Some(model::attribute::AttributeValue::Int(kept)) = kept else { panic!("{kept:?}") };
    assert!(*kept <= 1 << 20, "{kept} bytes");
}

/// A datagram that was never sent says nothing of its target.
#[tokio::test]
async fn what_is_too_long_to_be_sent_is_our_mistake() {
    let target = Datagrams::start(Fault::Silent);
    let mut keys = Way::Udp.keys(&target.addr().to_string());
    keys.retain(|(key, _)| *key != "send");
    keys.push(("send", templates(["x".repeat(LONGEST + 1)])));
    let trial = trial::run(Way::Udp.kind(), keys, &trial::shared(), PATIENCE).await;
    assert_eq!(told(&trial), "local local.config send");
    assert_eq!(target.heard(), 0);
}
