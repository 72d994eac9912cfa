//! One line of `allow` or `deny`: who, and at which ports.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;

use super::ranges::contains;

/// One line of `allow` or `deny`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    text: String,
    who: Who,
    /// Without any of its own a rule holds for what has no port too, which is port 0 here: a ping.
    ports: RangeInclusive<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    /// `*`
    Anybody,
    /// `10.0.0.0/8`, `10.0.0.5`
    Block(IpAddr, u32),
    /// `db.example`
    Name(String),
    /// `*.corp.example`: every name below it, with the dot in front.
    Below(String),
}

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Neither an address nor a name.
    #[error("`{0}` is neither an address, a block of addresses nor a host name")]
    Who(String),
    /// Not a port.
    #[error("`{0}` is not a port or a range of ports from 1 to 65535")]
    Ports(String),
    /// More bits than the family has.
    #[error("`/{0}` is not a length that a block of this family can have")]
    Length(String),
    /// Bits beyond the length; holds the block that was probably meant.
    #[error("the address of this block has bits beyond its length; the block is {0}")]
    HostBits(String),
    /// An IPv4 address in the clothes of IPv6.
    #[error("write the IPv4 form: rules for IPv4 hold for mapped addresses too")]
    Mapped,
    /// A URL.
    #[error("`{0}` is a URL, not a host")]
    Url(String),
}

impl Rule {
    /// The rule in `text`: an address, a block, a name or `*.suffix`, perhaps with `:port` or `:from-to`.
    ///
    /// # Errors
    /// The text is none.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let text = text.trim();
        if text.contains("://") {
            return Err(RuleError::Url(text.to_owned()));
        }
        let (who, ports) = split(text);
        let ports = ports.map_or(Ok(0..=u16::MAX), parse_ports)?;
        Ok(Self { text: text.to_owned(), who: parse_who(who)?, ports })
    }

    /// What its author wrote.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it speaks of the host or of any of its addresses.
    pub(super) fn takes(&self, host: &str, forms: &[IpAddr], port: u16) -> bool {
        self.takes_name(host, port) || forms.iter().any(|form| self.takes_address(*form, port))
    }

    /// Whether it speaks of the host by its name, or of everybody.
    pub(super) fn takes_name(&self, host: &str, port: u16) -> bool {
        let fits = match &self.who {
            Who::Anybody => true,
            Who::Block(..) => false,
            Who::Name(name) => name == host,
            Who::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        };
        fits && self.ports.contains(&port)
    }

    /// Whether it speaks of the address.
    pub(super) fn takes_address(&self, address: IpAddr, port: u16) -> bool {
        let fits = match self.who {
            Who::Anybody => true,
            Who::Block(base, length) => contains(base, length, address),
            _ => false,
        };
        fits && self.ports.contains(&port)
    }

    /// Whether it names this very host or one of its addresses, and nothing else with it.
    pub(super) fn names(&self, host: &str, forms: &[IpAddr], port: u16) -> bool {
        let fits = match &self.who {
            Who::Block(base, length) => *length == bits(*base) && forms.contains(base),
            Who::Name(name) => name == host,
            Who::Anybody | Who::Below(_) => false,
        };
        fits && self.ports.contains(&port)
    }
}

/// Who, and the ports if there are any.
fn split(text: &str) -> (&str, Option<&str>) {
    if let Some(rest) = text.strip_prefix('[')
        && let Some((inside, after)) = rest.split_once(']')
    {
        return (inside, after.strip_prefix(':').or((!after.is_empty()).then_some(after)));
    }
    // What looks like an IPv6 address or block has no port without brackets.
    let address = text.split('/').next().unwrap_or(text);
    if address.parse::<Ipv6Addr>().is_ok() {
        return (text, None);
    }
    text.split_once(':').map_or((text, None), |(who, ports)| (who, Some(ports)))
}

fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, RuleError> {
    let port = |part: &str| {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u16>().ok().filter(|port| *port != 0 && digits)
    };
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    match (port(from), port(to)) {
        (Some(from), Some(to)) if from <= to => Ok(from..=to),
        _ => Err(RuleError::Ports(text.to_owned())),
    }
}

fn parse_who(text: &str) -> Result<Who, RuleError> {
    let wrong = || RuleError::Who(text.to_owned());
    if text == "*" {
        return Ok(Who::Anybody);
    }
    let (address, length) =
        text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    if let Ok(base) = address.parse::<IpAddr>() {
        return block(base, length);
    }
    if length.is_some() {
        return Err(wrong());
    }
    let (name, below) = match text.strip_prefix("*.").or_else(|| text.strip_prefix('.')) {
        Some(name) => (name, true),
        None => (text, false),
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // Digits and dots alone are an address that was mistyped.
    let numeric = name.split('.').all(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    if name.len() > 253 || numeric || !name.split('.').all(label) {
        return Err(wrong());
    }
    Ok(if below { Who::Below(format!(".{name}")) } else { Who::Name(name) })
}

fn block(base: IpAddr, length: Option<&str>) -> Result<Who, RuleError> {
    if let IpAddr::V6(address) = base
        && address.to_ipv4_mapped().is_some()
    {
        return Err(RuleError::Mapped);
    }
    let Some(text) = length else { return Ok(Who::Block(base, bits(base))) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let length = text.parse::<u32>().ok().filter(|length| digits && *length <= bits(base));
    let length = length.ok_or_else(|| RuleError::Length(text.to_owned()))?;
    let start = start_of(base, length);
    if start == base {
        Ok(Who::Block(base, length))
    } else {
        Err(RuleError::HostBits(format!("{start}/{length}")))
    }
}

fn start_of(base: IpAddr, length: u32) -> IpAddr {
    match base {
        IpAddr::V4(base) => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            std::net::Ipv4Addr::from_bits(base.to_bits() & mask).into()
        }
        IpAddr::V6(base) => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            Ipv6Addr::from_bits(base.to_bits() & mask).into()
        }
    }
}

const fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}
