//! Steps whose file says where they connect to, and that may not.

use std::net::{IpAddr, Ipv4Addr};

use super::parts::PlanParts;
use crate::diagnostic::{Diagnostic, Report};
use crate::file::{ScenarioFile, StepNode};
use crate::kind::Endpoint;
use crate::network::Policy;
use crate::source::Span;
use crate::tree::{Node, NodeValue, Scalar};

/// Reports each place that the policy does not allow; names are looked up, and judged again, in the run.
pub(super) fn check<N>(
    scenario: &ScenarioFile<'_, N>,
    parts: &PlanParts<N>,
    policy: &Policy,
    report: &mut Report,
) {
    let nodes = scenario.steps.iter().chain(&scenario.teardown);
    let plans = parts.steps.iter().chain(&parts.teardown);
    for (node, plan) in nodes.zip(plans) {
        for endpoint in plan.action.endpoints() {
            let ip = endpoint.host.parse().ok();
            if let Err(denied) = policy.judge(&endpoint.host, ip, endpoint.port) {
                let problem = Diagnostic::error("E191", place(node, &endpoint), denied.what);
                report.push(problem.label("the network policy does not allow it").help(denied.remedy));
            }
        }
    }
}

/// Where the host stands; the value that is filled in where it came from elsewhere, or the step's kind.
fn place<N>(node: &StepNode<'_, N>, endpoint: &Endpoint) -> Span {
    let mut scalars = Vec::new();
    collect(node.body, &mut scalars);
    let written = scalars.iter().find_map(|(node, scalar)| {
        let (from, to) = host_in(&scalar.text, &endpoint.host)?;
        Some(node.part(from, to))
    });
    let filled = || scalars.iter().find(|(_, scalar)| scalar.text.contains("${"));
    written.or_else(|| filled().map(|(node, _)| node.span)).unwrap_or(node.at)
}

fn collect<'n>(node: &'n Node, found: &mut Vec<(&'n Node, &'n Scalar)>) {
    match &node.value {
        NodeValue::Scalar(scalar) => found.push((node, scalar)),
        NodeValue::Map(entries) => entries.iter().for_each(|(_, value)| collect(value, found)),
        NodeValue::List(items) => items.iter().for_each(|item| collect(item, found)),
    }
}

/// The bytes of `text` that name `host`, in whatever way addresses may be written.
fn host_in(text: &str, host: &str) -> Option<(usize, usize)> {
    let wanted = Named::new(host);
    // What may stand around a host in a URL, an address with a port or a list.
    let pieces = text.split(|sign: char| sign.is_whitespace() || "/@?#,\"'(){}=".contains(sign));
    pieces.into_iter().find_map(|piece| {
        let inner = piece.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(inner, _)| inner);
        let alone = piece.rsplit_once(':').map(|(host, _)| host);
        let ways = [inner, Some(piece), alone].into_iter().flatten();
        let found = ways.filter(|way| !way.is_empty()).find(|way| Named::new(way) == wanted)?;
        let from = found.as_ptr() as usize - text.as_ptr() as usize;
        Some((from, from + found.len()))
    })
}

/// A host, however it is written.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Address(IpAddr),
    Name(String),
}

impl Named {
    fn new(text: &str) -> Self {
        match text.parse().ok().or_else(|| number(text)) {
            Some(address) => Self::Address(address),
            None => Self::Name(text.trim_end_matches('.').to_lowercase()),
        }
    }
}

/// An IPv4 address as the C library reads it: up to four numbers, decimal, octal or hexadecimal, of which the last one
/// fills what is left.
fn number(text: &str) -> Option<IpAddr> {
    let parts: Vec<&str> = text.split('.').collect();
    let (last, first) = parts.split_last().filter(|(_, first)| first.len() < 4)?;
    let parse = |part: &str| {
        let hexadecimal = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X"));
        match (hexadecimal, part.strip_prefix('0')) {
            (Some(digits), _) => u32::from_str_radix(digits, 16).ok(),
            (None, Some(digits)) if !digits.is_empty() => u32::from_str_radix(digits, 8).ok(),
            _ => part.parse().ok(),
        }
    };
    let mut address = parse(last)?;
    for (index, part) in first.iter().enumerate() {
        address |= u32::from(u8::try_from(parse(part)?).ok()?) << (24 - 8 * index);
    }
    Some(Ipv4Addr::from(address).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_found_however_it_is_written() {
        for (text, host, found) in [
            ("http://10.0.0.5:8080/health", "10.0.0.5", "10.0.0.5"),
            ("http://0x0a000005/", "10.0.0.5", "0x0a000005"),
            ("http://0x0a.0.5/", "10.0.0.5", "0x0a.0.5"),
            ("http://167772165/10.0.0.5", "10.0.0.5", "167772165"),
            ("http://012.0.0.5/", "10.0.0.5", "012.0.0.5"),
            ("https://me:pw@LocalHost.:8443/x", "localhost", "LocalHost."),
            ("https://[2001:DB8::1]:8443/x", "2001:db8::1", "2001:DB8::1"),
            ("::1", "::1", "::1"),
            ("[::1]:53", "::1", "::1"),
            ("10.0.0.5", "10.0.0.5", "10.0.0.5"),
            ("mail.example:25", "mail.example", "mail.example"),
            ("postgresql://me@10.0.0.5/shop", "10.0.0.5", "10.0.0.5"),
            ("https://shop.example/10.0.0.50", "10.0.0.5", ""),
            ("https://mail.example.test/", "mail.example", ""),
            ("${vars.shop}", "10.0.0.5", ""),
            ("", "10.0.0.5", ""),
        ] {
            let part = host_in(text, host).map_or("", |(from, to)| &text[from..to]);
            assert_eq!(part, found, "{text}");
        }
    }
}
