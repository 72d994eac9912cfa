//! The name server for `demo.test`, authoritative, UDP and TCP.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, SOA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;

use crate::faults::{NAME, Schedule};
use crate::tasks::Spawner;

const TTL_S: u32 = 30;

/// The zone's serial number: the first version of the first of January 2026.
const SERIAL: u32 = 2_026_010_101;

/// The most TCP connections at once; later ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 64;

/// How long one TCP connection may last.
const CONVERSATION: Duration = Duration::from_secs(10);

/// The largest query that is read, in bytes.
const QUERY_BYTES_MAX: usize = 4096;

/// The largest answer over UDP, in bytes, whatever the asker would take (the value of DNS flag day 2020).
const UDP_BYTES_MAX: u16 = 1232;

/// Answers packets until it is aborted.
pub(crate) async fn serve_udp(socket: UdpSocket, schedule: Schedule) {
    let mut buffer = [0; QUERY_BYTES_MAX];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            // An earlier answer may have met a closed port; the socket itself is fine.
            tokio::task::yield_now().await;
            continue;
        };
        if let Some(packet) = answer(&buffer[..length], schedule.active(&NAME), true) {
            // An asker that has gone asks again if it cares.
            let _sent = socket.send_to(&packet, from).await;
        }
    }
}

/// Answers connections until it is aborted.
pub(crate) async fn serve_tcp(listener: TcpListener, schedule: Schedule, spawner: Spawner) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: connections that end make room.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let schedule = schedule.clone();
        spawner.spawn(async move {
            // A client that hangs up or takes too long is gone; there is nothing to clean up.
            let _end = tokio::time::timeout(CONVERSATION, converse(stream, &schedule)).await;
            drop(place);
        });
    }
}

async fn converse(mut stream: TcpStream, schedule: &Schedule) -> std::io::Result<()> {
    loop {
        let length = usize::from(stream.read_u16().await?);
        if length > QUERY_BYTES_MAX {
            return Ok(());
        }
        let mut query = vec![0; length];
        stream.read_exact(&mut query).await?;
        let Some(packet) = answer(&query, schedule.active(&NAME), false) else { return Ok(()) };
        let Ok(length) = u16::try_from(packet.len()) else { return Ok(()) };
        stream.write_all(&[&length.to_be_bytes(), &packet[..]].concat()).await?;
    }
}

/// The answer to `packet`; `None` if it is not a query that can be answered at all.
fn answer(packet: &[u8], failing: bool, udp: bool) -> Option<Vec<u8>> {
    let query = Message::from_vec(packet).ok()?;
    if query.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    reply.metadata.recursion_desired = query.metadata.recursion_desired;
    reply.add_queries(query.queries.iter().cloned());
    match &query.queries[..] {
        _ if query.metadata.op_code != OpCode::Query => reply.metadata.response_code = ResponseCode::NotImp,
        [question] => fill(&mut reply, question, failing),
        _ => reply.metadata.response_code = ResponseCode::FormErr,
    }
    if let Some(edns) = &query.edns {
        let mut ours = edns.clone();
        ours.set_max_payload(UDP_BYTES_MAX).set_version(0);
        reply.set_edns(ours);
    }
    let bytes = reply.to_vec().ok()?;
    let room = usize::from(query.max_payload().clamp(512, UDP_BYTES_MAX));
    if udp && bytes.len() > room { reply.truncate().to_vec().ok() } else { Some(bytes) }
}

/// Fills in what the zone says about `question`.
fn fill(reply: &mut Message, question: &Query, failing: bool) {
    let name = question.name().to_lowercase();
    if question.query_class() != DNSClass::IN || !apex().zone_of(&name) {
        reply.metadata.response_code = ResponseCode::Refused;
        return;
    }
    let Some(host) = host(&name) else {
        reply.metadata.authoritative = true;
        reply.metadata.response_code = ResponseCode::NXDomain;
        reply.add_authority(Record::from_rdata(apex(), TTL_S, soa()));
        return;
    };
    if failing && host == "stock" {
        reply.metadata.response_code = ResponseCode::ServFail;
        return;
    }
    reply.metadata.authoritative = true;
    let wanted = |data: &RData| {
        let kind = data.record_type();
        kind == question.query_type() || kind == RecordType::CNAME || question.query_type() == RecordType::ANY
    };
    let own = records(host).into_iter().filter(wanted).map(|data| (question.name().clone(), data));
    let mut answers: Vec<(Name, RData)> = own.collect();
    if let [(_, RData::CNAME(CNAME(target)))] = &answers[..] {
        // The target lies in the same zone, so its records come along.
        let target = target.clone();
        if let (Some(host), true) = (self::host(&target), question.query_type() != RecordType::CNAME) {
            answers.extend(records(host).into_iter().filter(wanted).map(|data| (target.clone(), data)));
        }
    }
    if answers.is_empty() {
        reply.add_authority(Record::from_rdata(apex(), TTL_S, soa()));
    }
    reply.add_answers(answers.into_iter().map(|(name, data)| Record::from_rdata(name, TTL_S, data)));
}

/// The part of `name` before `demo.test`, if the zone has that name; the zone itself is `@`.
fn host(name: &Name) -> Option<&'static str> {
    let hosts = ["@", "shop", "www", "mail", "ns1", "stock", "big"];
    hosts.into_iter().find(|host| *name == if *host == "@" { apex() } else { named(host) })
}

fn records(host: &str) -> Vec<RData> {
    let home = RData::A(A(Ipv4Addr::LOCALHOST));
    match host {
        "@" => vec![
            soa(),
            RData::NS(NS(named("ns1"))),
            RData::MX(MX::new(10, named("mail"))),
            RData::TXT(TXT::new(vec!["v=spf1 mx -all".to_owned()])),
        ],
        "shop" => vec![
            home,
            RData::AAAA(AAAA(Ipv6Addr::LOCALHOST)),
            RData::TXT(TXT::new(vec!["the demo shop".to_owned()])),
        ],
        "www" => vec![RData::CNAME(CNAME(named("shop")))],
        "stock" => vec![RData::A(A(Ipv4Addr::new(127, 0, 0, 2)))],
        // Far more than fits a UDP answer.
        "big" => (0..20).map(|number| RData::TXT(TXT::new(vec![format!("{number:0>200}")]))).collect(),
        _ => vec![home],
    }
}

fn soa() -> RData {
    RData::SOA(SOA::new(named("ns1"), named("hostmaster"), SERIAL, 3600, 600, 604_800, 60))
}

fn apex() -> Name {
    Name::from_ascii("demo.test.").expect("a well-formed name")
}

fn named(host: &str) -> Name {
    Name::from_ascii(format!("{host}.demo.test.")).expect("a well-formed name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(name: &str, kind: RecordType, failing: bool, udp: bool) -> Message {
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        let packet = answer(&query.to_vec().unwrap(), failing, udp).expect("an answer");
        let reply = Message::from_vec(&packet).unwrap();
        assert_eq!(reply.metadata.id, query.metadata.id);
        reply
    }

    fn check(name: &str, kind: RecordType, code: ResponseCode, answers: &[&str]) {
        let reply = ask(name, kind, false, true);
        assert_eq!(reply.metadata.response_code, code, "{name}");
        let shown: Vec<String> = reply.answers.iter().map(|record| record.data.to_string()).collect();
        assert_eq!(shown, answers, "{name}");
    }

    #[test]
    fn the_zone_answers() {
        check("shop.demo.test.", RecordType::A, ResponseCode::NoError, &["127.0.0.1"]);
        check("SHOP.Demo.test.", RecordType::AAAA, ResponseCode::NoError, &["::1"]);
        check("www.demo.test.", RecordType::A, ResponseCode::NoError, &["shop.demo.test.", "127.0.0.1"]);
        check("www.demo.test.", RecordType::CNAME, ResponseCode::NoError, &["shop.demo.test."]);
        check("demo.test.", RecordType::NS, ResponseCode::NoError, &["ns1.demo.test."]);
        check("shop.demo.test.", RecordType::MX, ResponseCode::NoError, &[]);
        check("nobody.demo.test.", RecordType::A, ResponseCode::NXDomain, &[]);
        check("shop.example.", RecordType::A, ResponseCode::Refused, &[]);
    }

    #[test]
    fn a_name_fails_while_its_fault_is_active() {
        let code = |failing| ask("stock.demo.test.", RecordType::A, failing, true).metadata.response_code;
        assert_eq!((code(false), code(true)), (ResponseCode::NoError, ResponseCode::ServFail));
        let other = ask("shop.demo.test.", RecordType::A, true, true);
        assert_eq!(other.metadata.response_code, ResponseCode::NoError);
    }

    #[test]
    fn a_large_answer_is_cut_off_over_udp_only() {
        let short = ask("big.demo.test.", RecordType::TXT, false, true);
        assert!(short.metadata.truncation && short.answers.is_empty());
        let whole = ask("big.demo.test.", RecordType::TXT, false, false);
        assert!(!whole.metadata.truncation);
        assert_eq!(whole.answers.len(), 20);
    }

    #[test]
    fn nonsense_gets_no_answer_or_a_plain_error() {
        assert_eq!(answer(b"", false, true), None);
        assert_eq!(answer(&[0xff; 600], false, true), None);
        let response = Message::response(1, OpCode::Query).to_vec().unwrap();
        assert_eq!(answer(&response, false, true), None, "answering answers makes a loop");
        let empty = Message::query().to_vec().unwrap();
        let reply = Message::from_vec(&answer(&empty, false, true).unwrap()).unwrap();
        assert_eq!(reply.metadata.response_code, ResponseCode::FormErr);
    }
}
