//! The policy as tables: how an address may be spelled, what rules say, and who wins.

use super::*;

fn rules(texts: &[&str]) -> Vec<Rule> {
    texts.iter().map(|text| Rule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))).collect()
}

fn policy(private: bool, allow: &[&str], deny: &[&str]) -> Policy {
    Policy { private, public: true, allow: rules(allow), deny: rules(deny) }
}

/// Judges a host as a URL or a lookup gives it.
fn judged(policy: &Policy, host: &str, port: u16) -> Result<(), String> {
    let ip = bare(host).parse().ok();
    policy.judge(host, ip, port).map_err(|denied| denied.what)
}

/// Every spelling of an address that is not public.
const SPELLINGS: &[(&str, &str)] = &[
    ("0.0.0.0", "0.0.0.0 is an address of this machine itself"),
    ("0.1.2.3", "0.1.2.3 is an address of this machine itself"),
    ("10.0.0.1", "10.0.0.1 is a private address"),
    ("10.255.255.255", "10.255.255.255 is a private address"),
    ("100.64.0.1", "100.64.0.1 is an address that a provider shares"),
    ("100.127.255.254", "100.127.255.254 is an address that a provider shares"),
    ("127.0.0.1", "127.0.0.1 is a loopback address"),
    ("127.255.255.254", "127.255.255.254 is a loopback address"),
    ("169.254.1.1", "169.254.1.1 is a link-local address"),
    ("172.16.0.1", "172.16.0.1 is a private address"),
    ("172.31.255.255", "172.31.255.255 is a private address"),
    ("192.0.0.8", "192.0.0.8 is an address kept for protocols"),
    ("192.0.2.1", "192.0.2.1 is an address for documentation"),
    ("192.88.99.1", "192.88.99.1 is an address of 6to4 relays"),
    ("192.168.1.1", "192.168.1.1 is a private address"),
    ("198.19.255.255", "198.19.255.255 is an address for benchmarks"),
    ("198.51.100.7", "198.51.100.7 is an address for documentation"),
    ("203.0.113.7", "203.0.113.7 is an address for documentation"),
    ("224.0.0.251", "224.0.0.251 is a multicast address"),
    ("240.0.0.1", "240.0.0.1 is a reserved address"),
    ("255.255.255.255", "255.255.255.255 is a reserved address"),
    ("::", ":: is an address of this machine itself"),
    ("::1", "::1 is a loopback address"),
    ("[::1]", "::1 is a loopback address"),
    ("0:0:0:0:0:0:0:1", "::1 is a loopback address"),
    ("::ffff:127.0.0.1", "::ffff:127.0.0.1, which leads to 127.0.0.1, is a loopback address"),
    ("::ffff:7f00:1", "::ffff:127.0.0.1, which leads to 127.0.0.1, is a loopback address"),
    ("::ffff:10.0.0.1", "::ffff:10.0.0.1, which leads to 10.0.0.1, is a private address"),
    ("::10.0.0.1", "::a00:1, which leads to 10.0.0.1, is an IPv4-compatible address"),
    ("::8.8.8.8", "::808:808, which leads to 8.8.8.8, is an IPv4-compatible address"),
    ("::ffff:0:10.0.0.1", "::ffff:0:a00:1, which leads to 10.0.0.1, is a private address"),
    ("64:ff9b::10.0.0.1", "64:ff9b::a00:1, which leads to 10.0.0.1, is a private address"),
    ("64:ff9b::7f00:1", "64:ff9b::7f00:1, which leads to 127.0.0.1, is a loopback address"),
    ("64:ff9b:1::8.8.8.8", "64:ff9b:1::808:808, which leads to 8.8.8.8, is an address of a local translator"),
    ("2002:7f00:1::", "2002:7f00:1::, which leads to 127.0.0.1, is a loopback address"),
    ("2002:c0a8:101::1", "2002:c0a8:101::1, which leads to 192.168.1.1, is a private address"),
    (
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe, which leads to 10.0.0.1, is a Teredo address",
    ),
    (
        "2a00:1450:4001::5efe:a00:1",
        "2a00:1450:4001::5efe:a00:1, which leads to 10.0.0.1, is a private address",
    ),
    (
        "2a00:1450:4001:0:200:5efe:a00:1",
        "2a00:1450:4001:0:200:5efe:a00:1, which leads to 10.0.0.1, is a private address",
    ),
    ("100::1", "100::1 is an address that is discarded"),
    ("2001:db8::1", "2001:db8::1 is an address for documentation"),
    ("3fff::1", "3fff::1 is an address for documentation"),
    ("2001:20::1", "2001:20::1 is an address kept for protocols"),
    ("5f00::1", "5f00::1 is an address of segment routing"),
    ("fc00::1", "fc00::1 is a private address"),
    ("fd12:3456::1", "fd12:3456::1 is a private address"),
    ("fe80::1", "fe80::1 is a link-local address"),
    ("fec0::1", "fec0::1 is a site-local address"),
    ("ff02::1", "ff02::1 is a multicast address"),
    ("4000::1", "4000::1 is an address that is not assigned"),
    ("localhost", "localhost is this machine itself"),
    ("LocalHost.", "localhost is this machine itself"),
    ("shop.localhost", "shop.localhost is this machine itself"),
    ("2130706433", "127.0.0.1 (2130706433) is a loopback address"),
    ("0x7f000001", "127.0.0.1 (0x7f000001) is a loopback address"),
    ("0177.0.0.1", "127.0.0.1 (0177.0.0.1) is a loopback address"),
    ("0x7f.1", "127.0.0.1 (0x7f.1) is a loopback address"),
    ("127.1", "127.0.0.1 (127.1) is a loopback address"),
    ("0", "0.0.0.0 (0) is an address of this machine itself"),
];

#[test]
fn no_spelling_of_an_address_that_is_not_public_gets_through() {
    assert!(SPELLINGS.len() >= 40);
    for (host, what) in SPELLINGS {
        assert_eq!(judged(&Policy::default(), host, 443), Err((*what).to_owned()), "{host}");
    }
}

#[test]
fn what_is_public_gets_through() {
    let all = Policy::default();
    for host in [
        "8.8.8.8",
        "1.1.1.1",
        "172.15.0.1",
        "172.32.0.1",
        "100.128.0.1",
        "11.0.0.1",
        "192.0.1.1",
        "198.20.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "2a00:1450:4001::1",
        "2606:4700::1111",
        "shop.example",
        "notlocalhost",
        "metadata.example",
        "134744072",
    ] {
        assert_eq!(judged(&all, host, 443), Ok(()), "{host}");
    }
}

#[test]
fn private_probing_is_granted_for_what_can_be_probed() {
    let granted = policy(true, &[], &[]);
    for (host, what) in SPELLINGS {
        let stays = ["multicast", "reserved", "not assigned"].iter().any(|word| what.contains(word));
        assert_eq!(judged(&granted, host, 443).is_err(), stays, "{host}");
    }
}

#[test]
fn metadata_must_be_named_itself() {
    let spellings = [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "metadata.google.internal",
        "Metadata.Google.Internal.",
    ];
    for host in spellings {
        for allow in [&[][..], &["169.254.0.0/16", "*:80", "*.internal", "fd00::/8", "0.0.0.0/0", "::/0"]] {
            let what = judged(&policy(true, allow, &[]), host, 80).unwrap_err();
            assert!(what.ends_with("gives out a cloud machine's credentials"), "{host} {allow:?}: {what}");
        }
    }
    let named = policy(false, &["169.254.169.254:80", "metadata.google.internal"], &[]);
    for host in ["169.254.169.254", "::ffff:169.254.169.254", "metadata.google.internal"] {
        assert_eq!(judged(&named, host, 80), Ok(()), "{host}");
    }
    assert!(judged(&named, "169.254.169.254", 8080).is_err());
    assert!(judged(&named, "fd00:ec2::254", 80).is_err());
    // The name is named, so its address is meant; another name that leads there is not.
    let there = Some("169.254.169.254".parse().unwrap());
    let by_name = policy(false, &["metadata.google.internal"], &[]);
    assert!(by_name.judge("metadata.google.internal", there, 80).is_ok());
    assert!(by_name.judge("shop.example", there, 80).is_err());
}

#[test]
fn rules_open_what_they_name_and_a_denial_wins() {
    let some = policy(
        false,
        &[
            "10.1.0.0/16:443",
            "db.corp.example:5432",
            "*.shop.example",
            "[fd00:1::/32]:8000-8999",
            "192.168.1.9",
        ],
        &["10.1.9.0/24", "*:25", "evil.shop.example", "8.8.4.4"],
    );
    let at = |ip: &str| Some(ip.parse::<IpAddr>().unwrap());
    for (host, ip, port, passes) in [
        ("10.1.2.3", at("10.1.2.3"), 443, true),
        ("10.1.2.3", at("10.1.2.3"), 80, false),
        ("a.example", at("10.1.2.3"), 443, true),
        ("a.example", at("::ffff:10.1.2.3"), 443, true),
        ("a.example", at("64:ff9b::10.1.2.3"), 443, true),
        ("a.example", at("10.2.0.1"), 443, false),
        ("10.1.9.3", at("10.1.9.3"), 443, false),
        ("a.example", at("::ffff:10.1.9.3"), 443, false),
        ("db.corp.example", at("10.9.9.9"), 5432, true),
        ("db.corp.example", at("10.9.9.9"), 22, false),
        ("xdb.corp.example", at("10.9.9.9"), 5432, false),
        ("a.shop.example", at("192.168.0.1"), 1, true),
        ("shop.example", at("192.168.0.1"), 1, false),
        ("badshop.example", at("192.168.0.1"), 1, false),
        ("evil.shop.example", at("192.168.0.1"), 1, false),
        ("a.shop.example", at("10.1.9.1"), 1, false),
        ("a.example", at("fd00:1::1"), 8500, true),
        ("a.example", at("fd00:1::1"), 9000, false),
        ("192.168.1.9", at("192.168.1.9"), 65535, true),
        ("192.168.1.8", at("192.168.1.8"), 65535, false),
        ("mail.example", at("9.9.9.9"), 25, false),
        ("dns.example", at("8.8.4.4"), 53, false),
        ("dns.example", at("64:ff9b::8.8.4.4"), 53, false),
        ("dns.example", None, 25, false),
    ] {
        assert_eq!(some.judge(host, ip, port).is_ok(), passes, "{host} {ip:?} {port}");
    }
}

/// A ping has no port: rules without ports hold for it, and those with ports do not.
#[test]
fn rules_hold_for_pings() {
    let pings = |policy: &Policy, ip: &str| policy.judge(ip, Some(ip.parse().unwrap()), 0).is_ok();
    for (allow, deny, ip, passes) in [
        (&[][..], &[][..], "8.8.8.8", true),
        (&[], &[], "10.0.0.1", false),
        (&["10.0.0.0/8"], &[], "10.0.0.1", true),
        (&["10.0.0.0/8:443"], &[], "10.0.0.1", false),
        (&["169.254.169.254"], &[], "169.254.169.254", true),
        (&["169.254.169.254:80"], &[], "169.254.169.254", false),
        (&[], &["8.8.0.0/16"], "8.8.8.8", false),
        (&[], &["*"], "8.8.8.8", false),
        (&[], &["8.8.8.8:53"], "8.8.8.8", true),
    ] {
        assert_eq!(pings(&policy(false, allow, deny), ip), passes, "{allow:?} {deny:?} {ip}");
    }
}

#[test]
fn a_fleet_may_be_held_to_its_list() {
    let strict = Policy { public: false, ..policy(false, &["*.shop.example:443", "9.9.9.0/24"], &[]) };
    let at = |ip: &str| Some(ip.parse::<IpAddr>().unwrap());
    assert!(strict.judge("www.shop.example", at("9.1.1.1"), 443).is_ok());
    assert!(strict.judge("www.shop.example", at("9.1.1.1"), 80).is_err());
    assert!(strict.judge("other.example", at("9.9.9.9"), 443).is_ok());
    assert!(strict.judge("other.example", at("9.9.8.9"), 443).is_err());
    // Before a lookup nothing is known; a proxy that looks names up gets only those that are named.
    assert!(strict.judge("other.example", None, 443).is_ok());
    assert!(strict.judge_elsewhere("other.example", 443).is_err());
    assert!(strict.judge_elsewhere("www.shop.example", 443).is_ok());
    assert!(Policy::default().judge_elsewhere("other.example", 443).is_ok());
    assert!(Policy::default().judge_elsewhere("0x7f.1", 443).is_err());
    assert!(Policy::default().judge_elsewhere("metadata.google.internal", 80).is_err());
}

#[test]
fn remedies_say_what_to_write() {
    let remedy = |host: &str, port| {
        let ip = host.parse().ok();
        Policy::default().judge(host, ip, port).unwrap_err().remedy
    };
    assert_eq!(
        remedy("10.0.0.5", 443),
        "write network: { allow: [\"10.0.0.5:443\"] } in prober.yaml, or network: { private: allow } for all that is not public"
    );
    assert_eq!(remedy("ff02::1", 53), "write network: { allow: [\"[ff02::1]:53\"] } in prober.yaml");
    assert_eq!(remedy("ff02::1", 0), "write network: { allow: [\"ff02::1\"] } in prober.yaml");
    let metadata = "write network: { allow: [\"169.254.169.254:80\"] } in prober.yaml";
    assert_eq!(remedy("169.254.169.254", 80), metadata);
    assert_eq!(remedy("::ffff:169.254.169.254", 80), metadata);
    // What a remedy says opens what it was said of.
    for (host, port) in SPELLINGS.iter().flat_map(|(host, _)| [(*host, 443), (*host, 0)]) {
        let ip = bare(host).parse().ok().or_else(|| number(&bare(host)));
        let remedy = Policy::default().judge(host, ip, port).unwrap_err().remedy;
        let rule = remedy.split('"').nth(1).unwrap();
        let opened = policy(false, &[rule], &[]);
        let closed = opened.judge(host, ip, port).err();
        // An address that only carries another one has to be opened as well.
        let carrier = ip.is_some_and(|ip| ranges::innermost(ip) != ip);
        assert!(closed.is_none() || carrier, "{host}: {rule} {closed:?}");
    }
}

#[test]
fn rules_are_checked_when_they_are_read() {
    for (text, error) in [
        ("", "`` is neither an address, a block of addresses nor a host name"),
        ("10.0.0.5/8", "the address of this block has bits beyond its length; the block is 10.0.0.0/8"),
        ("fd00::1/8", "the address of this block has bits beyond its length; the block is fd00::/8"),
        ("10.0.0.0/33", "`/33` is not a length that a block of this family can have"),
        ("10.0.0.0/+8", "`/+8` is not a length that a block of this family can have"),
        ("10.0.0", "`10.0.0` is neither an address, a block of addresses nor a host name"),
        ("10.0.0.256", "`10.0.0.256` is neither an address, a block of addresses nor a host name"),
        ("shop.example:0", "`0` is not a port or a range of ports from 1 to 65535"),
        ("shop.example:https", "`https` is not a port or a range of ports from 1 to 65535"),
        ("shop.example:90-80", "`90-80` is not a port or a range of ports from 1 to 65535"),
        ("shop.example/8", "`shop.example/8` is neither an address, a block of addresses nor a host name"),
        ("*shop.example", "`*shop.example` is neither an address, a block of addresses nor a host name"),
        ("::ffff:10.0.0.1", "write the IPv4 form: rules for IPv4 hold for mapped addresses too"),
        ("https://shop.example", "`https://shop.example` is a URL, not a host"),
        ("[fd00::1]x", "`x` is not a port or a range of ports from 1 to 65535"),
    ] {
        assert_eq!(Rule::parse(text).map_err(|error| error.to_string()), Err(error.to_owned()), "{text}");
    }
    for text in
        ["0.0.0.0/0", "::/0", "fd00::/8", "[fd00::/8]:1-2", "*", "*:25", "a_b.example.", ".corp", "fd00::1"]
    {
        assert!(Rule::parse(text).is_ok(), "{text}");
    }
}
