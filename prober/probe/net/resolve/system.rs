//! What `/etc/resolv.conf` and `/etc/hosts` say.

use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::time::Duration;

use hickory_proto::rr::Name;
use resolv_conf::{Config, ScopedIp};

use super::Resolver;
use super::hosts::Hosts;
use crate::net::fault;

/// The files that make up the system's resolver.
pub(super) const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];
/// The longest that `options timeout:` can say (resolv.conf(5)).
const PATIENCE_MAX: Duration = Duration::from_secs(30);
/// The port of name servers.
const DNS_PORT: u16 = 53;

/// What the system's files say; files that are not there say nothing.
///
/// # Errors
/// This machine has no descriptor or no memory to read them with, which says nothing of what stands in them.
pub(super) fn read() -> io::Result<Resolver> {
    let [servers, hosts] = FILES.map(std::fs::read);
    let hosts = match hosts {
        Err(error) if fault::is_shortage(&error) => return Err(error),
        found => Hosts::parse(&String::from_utf8_lossy(&found.unwrap_or_default())),
    };
    match servers {
        Ok(bytes) => Ok(of(&bytes, hosts)),
        Err(error) if fault::is_shortage(&error) => Err(error),
        // Without a readable resolv.conf there are no servers, and each lookup says so.
        Err(error) => {
            tracing::warn!(%error, "no name server is known");
            Ok(Resolver { hosts, dots_min: 1, ..Resolver::default() })
        }
    }
}

/// The resolver of a resolv.conf; a line that cannot be used is told, and takes nothing from the others.
fn of(bytes: &[u8], hosts: Hosts) -> Resolver {
    let (config, errors) = Config::parse_with_errors(bytes);
    for error in errors {
        tracing::warn!(%error, "a line of /etc/resolv.conf is not used");
    }
    if config.nameservers.is_empty() {
        tracing::warn!("/etc/resolv.conf names no name server");
    }
    // `--` stands there where somebody wanted none.
    let search = config.get_last_search_or_domain().filter(|domain| *domain != "--").filter_map(|domain| {
        let name = Name::from_str_relaxed(domain);
        name.inspect_err(
            |error| tracing::warn!(%error, domain, "/etc/resolv.conf searches in what is no name"),
        )
        .ok()
    });
    let patience = Duration::from_secs(config.timeout.into()).clamp(Duration::from_secs(1), PATIENCE_MAX);
    Resolver {
        servers: config.nameservers.iter().map(address).collect(),
        hosts,
        search: search.collect(),
        dots_min: config.ndots.try_into().unwrap_or(usize::MAX),
        patience: Some(patience),
    }
}

/// Where a name server is asked. A link's own address is nothing without the link (`fe80::1%eth0`).
fn address(server: &ScopedIp) -> SocketAddr {
    match server {
        ScopedIp::V6(address, Some(link)) => {
            SocketAddrV6::new(*address, DNS_PORT, 0, index(link).unwrap_or_default()).into()
        }
        server => SocketAddr::new(server.into(), DNS_PORT),
    }
}

/// The number of an interface, which may be given as one.
fn index(link: &str) -> Option<u32> {
    let number = link.parse().ok();
    number.or_else(|| {
        std::fs::read_to_string(format!("/sys/class/net/{link}/ifindex")).ok()?.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(text: &str) -> Vec<String> {
        of(text.as_bytes(), Hosts::default()).servers.iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn servers_are_asked_on_their_links() {
        assert_eq!(
            servers("nameserver 192.0.2.1\nnameserver 2001:db8::1\n"),
            ["192.0.2.1:53", "[2001:db8::1]:53"]
        );
        assert_eq!(
            servers("nameserver fe80::1%7\nnameserver fe80::1%lo\n"),
            ["[fe80::1%7]:53", "[fe80::1%1]:53"]
        );
        assert_eq!(servers("nameserver fe80::1%none0\nnameserver fe80::1\n"), ["[fe80::1]:53"; 2]);
    }

    #[test]
    fn what_cannot_be_used_takes_nothing_from_the_rest() {
        let text = "nameserver nowhere\nnonsense\nsearch a..b -- . corp.example\nnameserver 192.0.2.1\n\
                    options ndots:3 timeout:2 odd:x\n";
        let found = of(text.as_bytes(), Hosts::default());
        assert_eq!(found.servers, [SocketAddr::from(([192, 0, 2, 1], 53))]);
        let search: Vec<String> = found.search.iter().map(Name::to_ascii).collect();
        assert_eq!(search, [".", "corp.example"]);
        assert_eq!((found.dots_min, found.patience), (3, Some(Duration::from_secs(2))));
        assert!(servers("").is_empty());
    }

    #[test]
    fn no_server_is_waited_for_without_end() {
        let patience = |text: &str| of(text.as_bytes(), Hosts::default()).patience.unwrap().as_secs();
        assert_eq!(patience("options timeout:0\n"), 1);
        assert_eq!(patience("options timeout:900\n"), 30);
        assert_eq!(patience(""), 5);
    }
}
