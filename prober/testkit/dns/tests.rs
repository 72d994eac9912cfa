use super::*;

use std::net::UdpSocket as Udp;
use std::time::Duration;

use hickory_proto::op::Query as Question;

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Question::query(Name::from_ascii(name).unwrap(), kind));
    message
}

fn ask_udp(server: &Server, message: &Message) -> Option<Vec<u8>> {
    ask_udp_for(server, message, Duration::from_mins(1))
}

fn ask_udp_for(server: &Server, message: &Message, patience: Duration) -> Option<Vec<u8>> {
    let socket = Udp::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send_to(&message.to_vec().unwrap(), server.addr()).unwrap();
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).ok()?;
    Some(buffer[..length].to_vec())
}

fn ask_tcp(server: &Server, message: &Message) -> Message {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let packet = message.to_vec().unwrap();
    stream.write_all(&u16::try_from(packet.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&packet).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).unwrap();
    Message::from_vec(&answer).unwrap()
}

fn read(packet: Option<Vec<u8>>) -> Message {
    Message::from_vec(&packet.expect("an answer within the timeout")).unwrap()
}

#[test]
fn records_come_back_under_the_asked_name() {
    let server = Server::start();
    server.on("Shop.test", "A", Reply::a(&["192.0.2.1", "192.0.2.2"]).ttl(30));
    let asked = question("shop.TEST.", RecordType::A);
    let answer = read(ask_udp(&server, &asked));
    assert_eq!(answer.metadata.id, asked.metadata.id);
    assert!(answer.metadata.authoritative);
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    let shown: Vec<String> =
        answer.answers.iter().map(|record| format!("{} {}", record.ttl, record.data)).collect();
    assert_eq!(shown, ["30 192.0.2.1", "30 192.0.2.2"]);
    assert_eq!((server.udp_packets(), server.tcp_queries()), (1, 0));
    let query = &server.queries()[0];
    assert_eq!((query.kind.as_str(), query.recursion, query.tcp), ("A", true, false));
}

#[test]
fn unknown_names_and_codes() {
    let server = Server::start();
    let other =
        |server: &Server| read(ask_udp(server, &question("x.test.", RecordType::A))).metadata.response_code;
    assert_eq!(other(&server), ResponseCode::NXDomain);
    server.otherwise(Reply::rcode(2));
    assert_eq!(other(&server), ResponseCode::ServFail);
    server.otherwise(Reply::rcode(5));
    assert_eq!(other(&server), ResponseCode::Refused);
}

#[test]
fn a_truncated_answer_is_whole_over_tcp() {
    let server = Server::start();
    server.on("big.test", "TXT", Reply::txt(&["one", "two"]).truncated());
    let asked = question("big.test.", RecordType::TXT);
    let short = read(ask_udp(&server, &asked));
    assert!(short.metadata.truncation && short.answers.is_empty());
    let whole = ask_tcp(&server, &asked);
    assert!(!whole.metadata.truncation);
    assert_eq!(whole.answers.len(), 2);
    assert_eq!((server.udp_packets(), server.tcp_queries()), (1, 1));
}

#[test]
fn lies_silence_and_garbage() {
    let server = Server::start();
    let asked = question("x.test.", RecordType::A);
    server.otherwise(Reply::a(&["192.0.2.1"]).wrong_id());
    assert_ne!(read(ask_udp(&server, &asked)).metadata.id, asked.metadata.id);
    server.otherwise(Reply::a(&["192.0.2.1"]).wrong_question());
    assert_ne!(read(ask_udp(&server, &asked)).queries, asked.queries);
    server.otherwise(Reply::garbage(b"\xff\x00zz"));
    assert_eq!(ask_udp(&server, &asked).unwrap(), b"\xff\x00zz");
    server.otherwise(Reply::silence());
    assert_eq!(ask_udp_for(&server, &asked, Duration::from_millis(300)), None);
    crate::wait::until_blocking("the question that stays unanswered", Duration::from_mins(1), || {
        server.udp_packets() == 4
    });
}

#[test]
fn an_answer_can_be_late() {
    let server = Server::start();
    server.otherwise(Reply::soa(7).after(Duration::from_millis(120)));
    let began = Instant::now();
    let answer = read(ask_udp(&server, &question("test.", RecordType::SOA)));
    assert!(began.elapsed() >= Duration::from_millis(120));
    assert!(answer.answers[0].data.to_string().contains(" 7 "));
}
