//! `udp` and `icmp`.

use std::net::UdpSocket;
use std::process::Command;

use serde_json::Value;

use super::{assert_tiled, hops, phases};
use crate::support::{Project, assert_said, event, said};

#[test]
fn datagrams_that_come_back_or_are_refused() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (echo, refuses) = (socket.local_addr().unwrap(), testkit::wait::free_port());
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let thread = std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).unwrap();
            if &buffer[..length] == b"end" {
                return;
            }
            socket.send_to(&buffer[..length], from).unwrap();
        }
    });
    let quiet = silent.local_addr().unwrap();
    let refused = format!("address: \"127.0.0.1:{refuses}\", send: x");
    let project = Project::with(
        "",
        &[
            ("echo", format!("udp: {{ address: \"{echo}\", send: [a, b] }}\nexpect: {{ replies: 2 }}")),
            ("wrong", format!("udp: {{ address: \"{echo}\", send: a }}\nexpect: {{ response: b }}")),
            ("refused", format!("udp: {{ {refused} }}")),
            ("refused-too", format!("udp: {{ {refused}, reply: none }}")),
            ("silent", format!("udp: {{ address: \"{quiet}\", send: x, wait: 200ms }}")),
            ("content", format!("udp: {{ address: \"{quiet}\", send: x, wait: 200ms, reply: optional }}")),
        ],
    );
    let (events, _) = project.run();
    for (name, wanted) in [
        ("echo", "good ok"),
        ("wrong", "bad failed assert.response"),
        ("refused", "bad failed connect.refused"),
        ("refused-too", "bad failed connect.refused"),
        ("silent", "bad failed timeout"),
        ("content", "good ok"),
    ] {
        assert_said(&events, name, wanted);
        assert_tiled(event(&events, name));
    }
    assert_eq!(phases(&hops(event(&events, "echo"), 0)[0]), "send wait receive");
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"end", echo).unwrap();
    thread.join().unwrap();
}

/// Runs the project in a network of its own, in which the kernel's setting says who may ping.
fn run_apart(project: &Project, range: &str) -> Vec<Value> {
    let script = format!(
        "ip link set lo up && echo '{range}' >/proc/sys/net/ipv4/ping_group_range && exec {} run --format json",
        env!("CARGO_BIN_EXE_prober")
    );
    // Root makes a network as it is, everyone else as the root of a user namespace.
    let own = Command::new("id").arg("-u").output().unwrap();
    let flags = if own.stdout.starts_with(b"0\n") { "-n" } else { "-rn" };
    let ran = Command::new("unshare")
        .args([flags, "sh", "-c", &script])
        .current_dir(project.dir())
        .output()
        .expect("unshare is missing: apt-get install util-linux");
    let out = String::from_utf8_lossy(&ran.stdout);
    serde_json::from_str(&out)
        .unwrap_or_else(|error| panic!("{error}: {out} {}", String::from_utf8_lossy(&ran.stderr)))
}

#[test]
fn pings_come_back_where_the_system_lets_them_go() {
    let ping = |keys: &str| format!("timeout: 5s\nicmp: {{ host: {keys} }}");
    let few = "interval: 50ms, wait: 300ms";
    let apart = |count: u8| format!("icmp: {{ host: 127.0.0.1, count: {count}, interval: 100ms }}");
    let project = Project::with(
        "",
        &[
            (
                "four",
                ping(&format!("127.0.0.1, {few}"))
                    + "\nexpect: { loss: 0%, replies: 3, rtt_max: { lt: 5s } }",
            ),
            ("six", ping(&format!("\"::1\", count: 2, size: 1400, {few}"))),
            ("name", ping(&format!("localhost, ip: \"4\", {few}"))),
            ("no-way", ping(&format!("192.0.2.1, {few}"))),
            // Each has the time for all its pings, both together have not.
            (
                "cut-off",
                format!(
                    "timeout: 400ms\nsteps:\n  - {{ name: three, {} }}\n  - {{ name: four, {} }}",
                    apart(3),
                    apart(4)
                ),
            ),
        ],
    );
    let events = run_apart(&project, "0 2147483647");
    for (name, wanted) in [
        ("four", "good ok"),
        ("six", "good ok"),
        ("name", "good ok"),
        // This machine has no way there, which says nothing of who would have been pinged.
        ("no-way", "ineligible prober_fault local.route"),
        ("cut-off", "bad failed timeout"),
    ] {
        assert_said(&events, name, wanted);
        assert_tiled(event(&events, name));
    }
    let four = event(&events, "four");
    assert_eq!(four["prober.icmp.received"], 3, "{four:#}");
    assert!(four["prober.icmp.rtt.avg"].as_f64().unwrap() > 0.0);
    assert_eq!(phases(&hops(four, 0)[0]), "send wait receive");
    // Where it does not, that is nobody's failure but ours.
    for event in run_apart(&project, "1 0") {
        assert_eq!(said(&event), "ineligible prober_fault local.denied");
        let message = event["prober.failure.message"].as_str().unwrap();
        assert!(message.contains("net.ipv4.ping_group_range"), "{message}");
    }
}
