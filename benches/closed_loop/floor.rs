//! The floor: what the kernel and the crypto ask of anybody who makes these probes.
//!
//! One thread, nothing kept, nothing recorded, no deadline. A fresh connection and hyper for HTTP, with
//! tokio-rustls for HTTPS; a fresh socket and hickory's codec for DNS.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;

use crate::common::process;
use crate::common::target::{DNS_ANSWER, DNS_NAME, addresses};
use crate::{FLOW_STEPS, IN_FLIGHT};

/// What a probe needs.
#[derive(Clone)]
enum Probe {
    /// So many requests on one connection.
    Http(usize),
    Https(Arc<ClientConfig>),
    Dns(Name),
}

/// Plays the role: kind, addresses, and the root to verify against or `-`.
pub(crate) fn play(arguments: &[String]) {
    let addresses: Arc<[SocketAddr]> = addresses(&arguments[1]).into();
    let probe = match arguments[0].as_str() {
        "http" => Probe::Http(1),
        "flow" => Probe::Http(FLOW_STEPS),
        "https" => Probe::Https(Arc::new(client(&arguments[2]))),
        _ => Probe::Dns(Name::from_ascii(format!("{DNS_NAME}.")).expect("a well-formed name")),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    process::play("ready", |line| {
        let probes: usize = line.trim_start_matches("probe ").parse().expect("a number of probes");
        let right = runtime.block_on(probe_all(&probe, &addresses, probes));
        format!("{right} right")
    });
}

/// Makes `probes` probes, some in flight; gives how many were right.
async fn probe_all(probe: &Probe, addresses: &Arc<[SocketAddr]>, probes: usize) -> usize {
    let mut lanes = JoinSet::new();
    for lane in 0..IN_FLIGHT {
        let (probe, addresses) = (probe.clone(), Arc::clone(addresses));
        lanes.spawn(async move {
            let mut right = 0;
            for number in (lane..probes).step_by(IN_FLIGHT) {
                right += usize::from(once(&probe, addresses[number % addresses.len()], number).await);
            }
            right
        });
    }
    lanes.join_all().await.into_iter().sum()
}

async fn once(probe: &Probe, address: SocketAddr, number: usize) -> bool {
    match probe {
        Probe::Http(requests) => get(connect(address).await, address, *requests).await,
        Probe::Https(config) => {
            let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
            let name = ServerName::IpAddress(address.ip().into());
            let stream = connector.connect(name, connect(address).await).await;
            get(stream.expect("the target speaks TLS"), address, 1).await
        }
        Probe::Dns(name) => ask(name, address, number).await,
    }
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("the target listens");
    stream.set_nodelay(true).expect("a TCP socket has this option");
    stream
}

async fn get(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    address: SocketAddr,
    requests: usize,
) -> bool {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.expect("a fresh connection is free");
    let exchanges = async {
        let mut right = true;
        for _ in 0..requests {
            sender.ready().await.expect("the target keeps the connection open");
            let request = hyper::Request::get("/").header("host", address.to_string());
            let request = request.body(Empty::<Bytes>::new()).expect("a well-formed request");
            let answer = sender.send_request(request).await.expect("the target answers");
            let status = answer.status();
            let body = answer.into_body().collect().await.expect("the target sends the whole body");
            right &= status == 200 && !body.to_bytes().is_empty();
        }
        right
    };
    let mut exchanges = std::pin::pin!(exchanges);
    // In one task: nothing is woken across tasks.
    tokio::select! {
        right = &mut exchanges => right,
        _ = connection => exchanges.await,
    }
}

async fn ask(name: &Name, server: SocketAddr, number: usize) -> bool {
    let id = u16::try_from(number & 0xffff).expect("masked to 16 bits");
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name.clone(), RecordType::A));
    let query = message.to_vec().expect("a question can be written");
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.expect("there is a free port");
    socket.connect(server).await.expect("loopback is reachable");
    socket.send(&query).await.expect("the target listens");
    let mut buffer = [0; 1232];
    let length = socket.recv(&mut buffer).await.expect("the target answers");
    let reply = Message::from_vec(&buffer[..length]).expect("the target speaks DNS");
    reply.metadata.id == id
        && reply.answers.iter().any(|record| matches!(&record.data, RData::A(found) if found.0 == DNS_ANSWER))
}

/// TLS 1.3 without resumption; verifies the chain only if there is a root.
fn client(root: &str) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3");
    let mut config = if root == "-" {
        let anyone = Arc::new(Anyone(provider));
        config.dangerous().with_custom_certificate_verifier(anyone).with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(root).expect("the root is PEM")).expect("the root is one");
        config.with_root_certificates(roots).with_no_client_auth()
    };
    config.resumption = rustls::client::Resumption::disabled();
    config
}

/// Believes every chain, but not that a key is there which is not.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
