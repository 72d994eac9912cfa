//! Zones signed by BIND's own tools, rightly or with a mistake that is asked for.

use std::path::Path;
use std::process::Command;

use super::process::{file, folder, program, text};

/// How a zone is signed.
#[derive(Copy, Clone, Debug)]
pub struct Signing<'a> {
    /// From when signatures are valid, in the words of dnssec-signzone: `now-1h`.
    pub from: &'a str,
    /// Until when.
    pub until: &'a str,
    /// Whether names are denied by their hashes (NSEC3).
    pub hashed: bool,
    /// Whether unsigned zones below have no record of their own (opt-out); only with hashes.
    pub opt_out: bool,
    /// The algorithm's name: `ECDSAP256SHA256`.
    pub algorithm: &'a str,
}

impl Default for Signing<'_> {
    fn default() -> Self {
        Self { from: "now-1h", until: "now+30d", hashed: false, opt_out: false, algorithm: "ECDSAP256SHA256" }
    }
}

impl Signing<'_> {
    /// Signatures that ended a month ago.
    pub fn expired() -> Self {
        Self { from: "now-60d", until: "now-30d", ..Self::default() }
    }

    /// Signatures that begin in a month.
    pub fn early() -> Self {
        Self { from: "now+30d", until: "now+60d", ..Self::default() }
    }

    /// With NSEC3.
    pub fn hashed() -> Self {
        Self { hashed: true, ..Self::default() }
    }
}

/// A signed zone.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The zone file with its signatures, one record a line.
    pub zone: String,
    /// The DS record of its key, for the parent: `good.test. IN DS 7677 13 2 …`
    pub ds: String,
    /// The DNSKEY record of its key-signing key.
    pub key: String,
}

impl Signed {
    /// Signs the zone file text `zone` of `domain` with keys of its own.
    pub fn new(domain: &str, zone: &str, signing: Signing<'_>) -> Self {
        let folder = folder();
        let path = folder.path();
        file(path, "zone", zone);
        let keygen = program(&["/usr/bin/dnssec-keygen", "/usr/sbin/dnssec-keygen"], "bind9-utils");
        let signzone = program(&["/usr/bin/dnssec-signzone", "/usr/sbin/dnssec-signzone"], "bind9-utils");
        let signing_key = run(path, &keygen, &["-q", "-a", signing.algorithm, "-f", "KSK", domain]);
        run(path, &keygen, &["-q", "-a", signing.algorithm, domain]);
        // Without looking at the result, which may be meant to be wrong.
        let mut args = vec!["-q", "-P", "-S", "-x", "-O", "full", "-o", domain, "-f", "signed"];
        args.extend(["-s", signing.from, "-e", signing.until]);
        if signing.hashed {
            args.extend(["-3", "-"]);
        }
        if signing.opt_out {
            args.push("-A");
        }
        args.push("zone");
        run(path, &signzone, &args);
        let read = |name: &str| {
            let read = std::fs::read_to_string(path.join(name));
            read.unwrap_or_else(|error| panic!("BIND's tools wrote no {name}: {error}"))
        };
        let key = read(&format!("{}.key", signing_key.trim()));
        let key = key.lines().find(|line| !line.starts_with(';')).expect("a key file has a record");
        let ds = read(&format!("dsset-{}.", domain.trim_end_matches('.')));
        let ds = ds.lines().next().expect("a zone with a key has a DS record");
        Self { zone: read("signed"), ds: ds.to_owned(), key: key.to_owned() }
    }

    /// The same with `old` replaced by `new` in the signed text, so that signatures do not fit any more.
    #[must_use]
    pub fn with(mut self, old: &str, new: &str) -> Self {
        assert!(self.zone.contains(old), "`{old}` is in the zone: {}", self.zone);
        self.zone = self.zone.replace(old, new);
        self
    }

    /// The same without the lines that have `text` in them, blanks taken as one.
    #[must_use]
    pub fn without(mut self, text: &str) -> Self {
        let keep = |line: &&str| {
            let plain: Vec<_> = line.split_whitespace().collect();
            !plain.join(" ").contains(text)
        };
        self.zone =
            self.zone.lines().filter(keep).map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
        self
    }
}

fn run(folder: &Path, program: &Path, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{} does not run: {error}", text(program)));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {}: {said}", text(program), args.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
