//! The peer: blackbox exporter alone, asked through its `/probe` page over connections that stay open.
//!
//! Who asks is a process of its own whose CPU time does not count.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::IN_FLIGHT;
use crate::common::process::{self, Process, Role};
use crate::common::target::{DNS_ANSWER, DNS_NAME, addresses};
use crate::rounds::Subject;

const PROGRAM: &str = "/usr/bin/prometheus-blackbox-exporter";

/// A running exporter.
pub(crate) struct Exporter {
    process: Process,
    address: SocketAddr,
}

impl Exporter {
    /// Starts it in `folder`, with modules that ask what our scenarios ask; `root` signs the target's chain.
    pub(crate) fn start(folder: &Path, root: &str) -> Self {
        let config = folder.join("blackbox.yml");
        std::fs::write(&config, modules(root)).expect("the bench's folder takes a file");
        let address = SocketAddr::from(([127, 0, 0, 1], testkit::wait::free_port()));
        let arguments = [
            format!("--config.file={}", config.display()),
            format!("--web.listen-address={address}"),
            "--log.level=error".to_owned(),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let process = Process::start(PROGRAM, &arguments, &folder.join("blackbox.log"));
        testkit::wait::until_blocking("blackbox exporter", Duration::from_secs(20), || {
            testkit::client::get(address, "/-/healthy").is_some_and(|answer| answer.status == 200)
        });
        Self { process, address }
    }

    /// The exporter's probes of `kind`, as a subject.
    pub(crate) fn subject(&self, kind: &str, targets: &str) -> Subject {
        let driver = Role::start(&["driver", kind, targets, &self.address.to_string()]);
        Subject::driven("blackbox", driver, self.process.pid())
    }
}

fn modules(root: &str) -> String {
    let answer = DNS_ANSWER.to_string().replace('.', "[.]");
    format!(
        "modules:
  http:
    prober: http
    http: {{ valid_status_codes: [200], preferred_ip_protocol: ip4, fail_if_ssl: true }}
  https:
    prober: http
    http:
      valid_status_codes: [200]
      preferred_ip_protocol: ip4
      fail_if_not_ssl: true
      tls_config: {{ ca_file: \"{root}\" }}
  dns:
    prober: dns
    dns:
      query_name: {DNS_NAME}
      query_type: A
      preferred_ip_protocol: ip4
      validate_answer_rrs: {{ fail_if_not_matches_regexp: [\".*{answer}\"] }}
"
    )
}

/// Plays the driver: kind, the targets' addresses, the exporter's address.
pub(crate) fn play(arguments: &[String]) {
    let [kind, targets, exporter] = arguments else { panic!("a driver needs three arguments") };
    let exporter: SocketAddr = exporter.parse().expect("an address");
    let paths: Arc<[String]> = addresses(targets)
        .iter()
        .map(|address| match kind.as_str() {
            "dns" => format!("/probe?module=dns&target={address}"),
            scheme => format!("/probe?module={scheme}&target={scheme}%3A%2F%2F{address}%2F"),
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    process::play("ready", |line| {
        let probes: usize = line.trim_start_matches("probe ").parse().expect("a number of probes");
        let right = runtime.block_on(async {
            let mut lanes = JoinSet::new();
            for lane in 0..IN_FLIGHT {
                lanes.spawn(ask_many(exporter, Arc::clone(&paths), (lane..probes).step_by(IN_FLIGHT)));
            }
            lanes.join_all().await.into_iter().sum::<usize>()
        });
        format!("{right} right")
    });
}

/// Asks for the probes `numbers` over one connection; gives how many succeeded.
async fn ask_many(exporter: SocketAddr, paths: Arc<[String]>, numbers: impl Iterator<Item = usize>) -> usize {
    let stream = TcpStream::connect(exporter).await.expect("the exporter listens");
    stream.set_nodelay(true).expect("a TCP socket has this option");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a free connection");
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let mut right = 0;
    for number in numbers {
        let request = hyper::Request::get(&paths[number % paths.len()]).header("host", exporter.to_string());
        let request = request.body(Empty::<Bytes>::new()).expect("a well-formed request");
        sender.ready().await.expect("the exporter keeps the connection");
        let answer = sender.send_request(request).await.expect("the exporter answers");
        let page = answer.into_body().collect().await.expect("the exporter sends the whole page").to_bytes();
        let success = b"\nprobe_success 1\n";
        right += usize::from(page.windows(success.len()).any(|window| window == success));
    }
    right
}
