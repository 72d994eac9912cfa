//! Which files a scenario may have the content of: none in which the system tells of processes.
//!
//! Whoever writes a scenario may not see the secrets of all others: a process' environment and memory hold them.

use std::os::fd::{AsFd, AsRawFd as _};
use std::path::{Component, Path};

use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};

/// Why the content of what was opened is not taken, if it is not; asked of the file itself, whatever its path says.
pub(crate) fn withheld(file: &impl AsFd) -> Option<&'static str> {
    let file = file.as_fd();
    let told_by_kernel = fstatfs(file).is_ok_and(|facts| facts.f_type == PROC_SUPER_MAGIC);
    // Below a process' number; what is told of the machine itself, such as the load, is nobody's secret.
    let place = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let of_process = || place.map_or(true, |place| has_number(&place));
    (told_by_kernel && of_process()).then_some("what the system tells of a process is not read")
}

fn has_number(place: &Path) -> bool {
    place.components().any(|part| match part {
        Component::Normal(name) => name.as_encoded_bytes().iter().all(u8::is_ascii_digit),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn processes_keep_their_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/proc/self/environ", &link).unwrap();
        let own = format!("/proc/{}/cmdline", std::process::id());
        let link = link.to_str().unwrap();
        for (path, taken) in [
            ("/proc/self/environ", false),
            ("/proc/thread-self/environ", false),
            ("/proc/../proc/self/status", false),
            (own.as_str(), false),
            (link, false),
            ("/proc/loadavg", true),
            ("/proc/sys/kernel/ostype", true),
            ("/etc/passwd", true),
        ] {
            assert_eq!(withheld(&File::open(path).unwrap()).is_none(), taken, "{path}");
        }
    }
}
