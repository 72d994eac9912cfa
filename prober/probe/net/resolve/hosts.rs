//! The names of the hosts file.

use std::collections::HashMap;
use std::net::IpAddr;

/// The addresses of a hosts file (hosts(5)) by name, as many lines as there are.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// By name in lower case without a dot at its end.
    by_name: HashMap<String, Vec<IpAddr>>,
}

impl Hosts {
    /// What the text of such a file says; lines that are none are passed over, as the C library does.
    pub(super) fn parse(text: &str) -> Self {
        let mut hosts = Self::default();
        for line in text.trim_start_matches('\u{feff}').lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
            for name in words {
                hosts.by_name.entry(key(name)).or_default().push(address);
            }
        }
        hosts
    }

    /// The addresses of `name`, IPv6 first, each family in the order of the file.
    pub(super) fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let mut found = self.by_name.get(&key(name)).cloned().unwrap_or_default();
        found.sort_by_key(IpAddr::is_ipv4);
        found
    }
}

fn key(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_letters_and_dots() {
        let text = "\u{feff}192.0.2.1 Shop.example shop # the shop\n\n# 192.0.2.9 shop\nno-address shop\n\
                    2001:db8::1\tshop.example.\n192.0.2.2 shop.example\n192.0.2.3\n::1 localhost\r\n";
        let hosts = Hosts::parse(text);
        let found = |name: &str| hosts.addresses(name).iter().map(IpAddr::to_string).collect::<Vec<_>>();
        assert_eq!(found("SHOP.example."), ["2001:db8::1", "192.0.2.1", "192.0.2.2"]);
        assert_eq!(found("shop"), ["192.0.2.1"]);
        assert_eq!(found("localhost"), ["::1"]);
        assert_eq!(found("192.0.2.3"), [""; 0]);
    }
}
