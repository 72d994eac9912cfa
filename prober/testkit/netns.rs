//! Two network namespaces with a wire between them: a prober on the near side, the world on the far side.
//!
//! Needs root and `ip` (apt-get install iproute2). Everything is gone when the pair is dropped.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The near side's address; its default route leads to the far side.
pub const NEAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// The far side's end of the wire.
pub const FAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// How many hosts the far side has.
const HOSTS: u8 = 9;

/// Two namespaces and the wire between them.
pub struct Pair {
    near: String,
    far: String,
}

impl Pair {
    /// Makes both, with the wire up and a resolver at [`FAR`] for the near side.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |side: &str| format!("prober-{}-{number}-{side}", std::process::id());
        let pair = Self { near: name("near"), far: name("far") };
        ip(&["netns", "add", &pair.near]);
        ip(&["netns", "add", &pair.far]);
        std::fs::create_dir_all(pair.files()).expect("root may write to /etc/netns");
        pair.resolve_with("timeout:1 attempts:1");
        let (near, far) = (pair.near.as_str(), pair.far.as_str());
        ip(&["-n", near, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", far]);
        pair.ip_near(&["link", "set", "lo", "up"]);
        pair.ip_far(&["link", "set", "lo", "up"]);
        pair.ip_near(&["address", "add", &format!("{NEAR}/24"), "dev", "wire"]);
        pair.ip_far(&["address", "add", &format!("{FAR}/24"), "dev", "wire"]);
        for number in 1..=HOSTS {
            pair.ip_far(&["address", "add", &format!("{}/32", host(number)), "dev", "lo"]);
        }
        pair.ip_near(&["link", "set", "wire", "up"]);
        pair.ip_far(&["link", "set", "wire", "up"]);
        pair.add_default_route();
        pair
    }

    /// What `/etc/resolv.conf` says on the near side beside the name server at [`FAR`]; programs that start later
    /// see it.
    pub fn resolve_with(&self, options: &str) {
        let resolver = format!("nameserver {FAR}\noptions {options}\n");
        std::fs::write(self.files().join("resolv.conf"), resolver).expect("root may write to /etc/netns");
    }

    /// Sends everything from the near side to the far side; it does so from the start.
    pub fn add_default_route(&self) {
        self.ip_near(&["route", "add", "default", "via", &FAR.to_string()]);
    }

    /// Runs `ip` on the near side.
    pub fn ip_near(&self, args: &[&str]) {
        ip(&[&["-n", &self.near], args].concat());
    }

    /// Runs `ip` on the far side.
    pub fn ip_far(&self, args: &[&str]) {
        ip(&[&["-n", &self.far], args].concat());
    }

    /// Does `what` on the near side: every socket that it opens belongs there, for as long as it is open.
    pub fn near<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        within(&self.near, what)
    }

    /// Does `what` on the far side.
    pub fn far<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        within(&self.far, what)
    }

    /// The words in front of a command that is to run on the near side.
    pub fn command(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.near].map(str::to_owned).into()
    }

    /// The words in front of a command that is to run on the far side.
    pub fn far_command(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.far].map(str::to_owned).into()
    }

    /// What `ip netns exec` puts in the place of files in `/etc`.
    fn files(&self) -> PathBuf {
        PathBuf::from("/etc/netns").join(&self.near)
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        // What is not there any more need not be removed.
        let _gone = std::fs::remove_dir_all(self.files());
        for name in [&self.near, &self.far] {
            let _gone = Command::new("ip").args(["netns", "delete", name]).output();
        }
    }
}

/// One of the far side's hosts, from 1 to 9.
pub fn host(number: u8) -> Ipv4Addr {
    assert!((1..=HOSTS).contains(&number), "there are {HOSTS} hosts");
    Ipv4Addr::new(10, 77, 1, number)
}

fn ip(args: &[&str]) {
    let done = Command::new("ip").args(args).output().expect("ip is missing: apt-get install iproute2");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "ip {}: {said} (network namespaces need root)", args.join(" "));
}

/// A thread enters the namespace and ends, so that no other thread is ever moved.
fn within<T: Send>(name: &str, what: impl FnOnce() -> T + Send) -> T {
    let file = File::open(format!("/var/run/netns/{name}")).expect("the namespace was made");
    std::thread::scope(|scope| {
        let entered = scope.spawn(|| {
            let entered = move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network));
            entered.expect("root may enter a namespace");
            what()
        });
        entered.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
