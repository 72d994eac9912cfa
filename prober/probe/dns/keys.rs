//! The keys and subjects of a `dns` step, as tables.

use scenario::fields::{Key, KeyType, Need};
use scenario::kind::{Shape, Subject, Wants};
use scenario::value::SubjectType;

use crate::net::keys;

use super::answer::RCODES;
use super::dnssec::{Reason, State};

/// The smallest and the largest size of reply that can be offered, in bytes.
const PAYLOAD_MIN: i64 = 512;
const PAYLOAD_MAX: i64 = 4096;

/// The keys of the map form.
#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    Key::new("name", KeyType::Template, Need::Required,
        "The name that is asked for; for type PTR it may be an address.", "shop.example"),
    Key::new("type", KeyType::Text, Need::Default("A"),
        "The record type by its name, such as A, AAAA, CAA, HTTPS, MX, NS, PTR, SOA, SRV, TLSA or TXT, or TYPEnnn.", "AAAA"),
    Key::new("resolvers", KeyType::OneOrMany(&KeyType::Text), Need::Otherwise("the system's name servers"),
        "Which servers are asked; `expect` holds for each of them. `address` or `address:port` over UDP, tcp://address, tls://host (RFC 7858), https://host/path (RFC 8484, with {?dns} at the end by GET), quic://host (RFC 9250), or `system` for what applications get from the C library.",
        "[192.0.2.53, \"tls://dns.example\"]"),
    Key::new("at", KeyType::Choice(&["resolver", "authoritative"]), Need::Default("resolver"),
        "Where the question is asked: at the resolvers, or at every address of every name server of the zone, which the resolvers find. Then `authoritative: true` and `agree: [soa.serial]` are expected where nothing is said of them.",
        "authoritative"),
    Key::new("transport", KeyType::Choice(&["udp", "tcp"]), Need::Default("udp"),
        "How servers named by address are asked; a reply over UDP that was cut off is asked for again over TCP.", "tcp"),
    Key::new("port", KeyType::Int(1, 65535), Need::Default("53"),
        "The port of the zone's name servers, with `at: authoritative`; a resolver's port stands behind its address.", "5353"),
    Key::new("ip", KeyType::Choice(&["4", "6"]), Need::Otherwise("both, as far as this machine has them"),
        "Which addresses of named servers are used.", "4"),
    Key::new("recursion", KeyType::Bool, Need::Otherwise("true, with `at: authoritative` false"),
        "Whether the server is to find the answer for us; false asks only for what it knows itself.", "false"),
    Key::new("checking_disabled", KeyType::Bool, Need::Default("false"),
        "Whether the resolver is to answer even if its DNSSEC validation fails (the flag CD).", "true"),
    Key::new("dnssec_ok", KeyType::Bool, Need::Default("false"),
        "Whether signatures are asked for (the flag DO).", "true"),
    Key::new("nsid", KeyType::Bool, Need::Default("false"),
        "Whether the server is asked for its own name (RFC 5001), which tells the instances of an anycast address apart.", "true"),
    Key::new("client_subnet", KeyType::Text, Need::Optional,
        "On behalf of which network is asked (RFC 7871), for answers that differ by place.", "203.0.113.0/24"),
    Key::new("udp_size", KeyType::Int(PAYLOAD_MIN, PAYLOAD_MAX), Need::Default("1232"),
        "The largest reply that is taken over UDP, in bytes.", "4096"),
    Key::new("server_name", KeyType::Text, Need::Otherwise("the server's host"),
        "The name that the certificates of servers over tls, https and quic must be for.", "dns.example"),
    keys::TRUST,
    Key::new("ca", KeyType::Text, Need::Otherwise("the system's authorities"),
        "A PEM file with the authorities that servers over tls, https and quic must prove themselves by.", "certificates/ca.pem"),
    Key::new("validate", KeyType::Bool, Need::Default("false"),
        "Whether the answer is validated by DNSSEC, here and not by the resolver; asked with DO and CD. Then `dnssec: secure` is expected where nothing is said of it.", "true"),
    Key::new("trust_anchors", KeyType::OneOrMany(&KeyType::Text), Need::Otherwise("the root's keys of 2017 and 2024"),
        "The keys that are trusted without proof: DNSKEY or DS records, or a file with them.",
        "[\"shop.example. DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\"]"),
];

macro_rules! subject {
    ($name:literal, $kind:expr, $doc:literal, $example:literal) => {
        Subject::new($name, Shape::One($kind), $doc, $example)
    };
}

use SubjectType::{Bool, Choice, Duration, Int, Text, Texts, Words};

/// What assertions may look at.
#[rustfmt::skip]
pub(super) const SUBJECTS: &[Subject] = &[
    subject!("rcode", Choice(RCODES), "The response code; NODATA is NOERROR without a record of the asked type.", "NOERROR"),
    subject!("answers", Texts, "The records of the asked type as zone files write them, names with their final dot; the texts of one record as one, without quotes.", "{ equals_set: [203.0.113.10] }"),
    subject!("ttl", Int, "The smallest time to live in the answer, in seconds.", "{ lte: 300 }"),
    subject!("ttl.max", Int, "The largest time to live in the answer, in seconds.", "{ lte: 86400 }"),
    subject!("flags", Words(super::answer::FLAGS), "The flags of the reply that are set: aa, tc, rd, ra, ad, cd.", "{ contains: aa }"),
    subject!("authoritative", Bool, "Whether the server answers for the zone itself (the flag AA).", "true"),
    subject!("truncated", Bool, "Whether the reply was cut off, or one over UDP before it, which is why it came over TCP.", "false"),
    subject!("recursion_desired", Bool, "Whether the server repeats that recursion was wanted (the flag RD).", "true"),
    subject!("recursion_available", Bool, "Whether the server offers recursion (the flag RA).", "false"),
    subject!("authenticated", Bool, "Whether the resolver says it validated DNSSEC (the flag AD).", "true"),
    subject!("checking_disabled", Bool, "Whether the server repeats that its validation does not matter (the flag CD).", "false"),
    subject!("answer_count", Int, "How many records the answer has, aliases included.", "{ gte: 2 }"),
    subject!("answer_section", Texts, "All records of the answer, each as `owner TYPE data`.", "{ contains: www.shop.example. CNAME shop.example. }"),
    subject!("authority_count", Int, "How many records the authority section has.", "{ gte: 1 }"),
    subject!("authority_section", Texts, "All records of the authority section, each as `owner TYPE data`.", "{ contains: shop.example. NS ns1.shop.example. }"),
    subject!("additional_count", Int, "How many records the additional section has, EDNS not counted.", "{ gte: 2 }"),
    subject!("additional_section", Texts, "All records of the additional section, each as `owner TYPE data`.", "{ contains: ns1.shop.example. A 192.0.2.1 }"),
    subject!("soa.serial", Int, "The serial number of the zone.", "{ gte: 2026010100 }"),
    subject!("soa.refresh", Int, "The zone's refresh time in seconds.", "{ lte: 86400 }"),
    subject!("soa.retry", Int, "The zone's retry time in seconds.", "{ lte: 7200 }"),
    subject!("soa.expire", Int, "The zone's expiry time in seconds.", "{ gte: 604800 }"),
    subject!("soa.minimum", Int, "The zone's time for negative answers in seconds.", "{ lte: 3600 }"),
    subject!("name_servers", Texts, "The names of the zone's name servers, with `at: authoritative`.", "{ equals_set: [ns1.shop.example., ns2.shop.example.] }"),
    subject!("edns", Bool, "Whether the server speaks EDNS (RFC 6891).", "true"),
    subject!("edns.payload", Int, "The largest question that the server takes over UDP, in bytes.", "{ gte: 1232 }"),
    subject!("edns.dnssec_ok", Bool, "Whether the server repeats that signatures were asked for (the flag DO).", "true"),
    subject!("nsid", Text, "The server's own name, asked for with `nsid: true`; in hexadecimal if it is no text.", "{ starts_with: fra }"),
    subject!("client_subnet", Text, "For which network the answer is meant: the one asked for, and how many of its bits counted.", "203.0.113.0/24/24"),
    subject!("extended_errors", Texts, "What the server says went wrong (RFC 8914), each as `18 Prohibited: text`.", "{ len: 0 }"),
    subject!("dnssec", Choice(State::WORDS), "What validation came to, with `validate: true`.", "secure"),
    subject!("dnssec.reason", Choice(Reason::WORDS), "Why the answer is not secure, with `validate: true`.", "none"),
    subject!("query_time", Duration, "From the first phase of the question to the whole reply, connections included, without validation.", "{ lt: 100ms }").wanting(Wants::AtMost),
    subject!("validation_time", Duration, "How long validation took, its questions included, with `validate: true`.", "{ lt: 500ms }").wanting(Wants::AtMost),
    Subject::new("agree", Shape::Agree, "Subjects that all servers must say the same of; records may come in any order.", "[soa.serial]"),
];
