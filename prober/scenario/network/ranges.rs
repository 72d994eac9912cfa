//! Addresses that are not public, the addresses of cloud metadata, and addresses inside of addresses.
//!
//! Sources: the IANA special-purpose registries (RFC 6890 and its updates) for both families; RFC 4291 section
//! 2.5.5 (mapped and compatible), RFC 6052 and RFC 8215 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo), RFC 5214
//! (ISATAP), RFC 2765 (translated); the clouds' own documentation for metadata.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrayvec::ArrayVec;

/// What opens a range.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Opens {
    /// `private: allow`.
    Private,
    /// Only a rule: nobody listens there with a connection.
    Rule,
}

/// A range of addresses that is not public.
#[derive(Debug)]
pub(super) struct Special {
    /// The words for one of its addresses.
    pub(super) what: &'static str,
    pub(super) opens: Opens,
}

const fn private(what: &'static str) -> Special {
    Special { what, opens: Opens::Private }
}

const fn never(what: &'static str) -> Special {
    Special { what, opens: Opens::Rule }
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> u32 {
    Ipv4Addr::new(a, b, c, d).to_bits()
}

/// Base and length of each IPv4 range.
const SPECIAL_V4: &[(u32, u32, Special)] = &[
    (v4(0, 0, 0, 0), 8, private("an address of this machine itself")),
    (v4(10, 0, 0, 0), 8, private("a private address")),
    (v4(100, 64, 0, 0), 10, private("an address that a provider shares")),
    (v4(127, 0, 0, 0), 8, private("a loopback address")),
    (v4(169, 254, 0, 0), 16, private("a link-local address")),
    (v4(172, 16, 0, 0), 12, private("a private address")),
    (v4(192, 0, 0, 0), 24, private("an address kept for protocols")),
    (v4(192, 0, 2, 0), 24, private("an address for documentation")),
    (v4(192, 88, 99, 0), 24, private("an address of 6to4 relays")),
    (v4(192, 168, 0, 0), 16, private("a private address")),
    (v4(198, 18, 0, 0), 15, private("an address for benchmarks")),
    (v4(198, 51, 100, 0), 24, private("an address for documentation")),
    (v4(203, 0, 113, 0), 24, private("an address for documentation")),
    (v4(224, 0, 0, 0), 4, never("a multicast address")),
    (v4(240, 0, 0, 0), 4, never("a reserved address")),
];

const fn v6(first: u16, second: u16, third: u16) -> u128 {
    Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0).to_bits()
}

/// Base and length of each IPv6 range; the first that fits says what an address is.
const SPECIAL_V6: &[(u128, u32, Special)] = &[
    (0, 128, private("an address of this machine itself")),
    (1, 128, private("a loopback address")),
    (0, 96, private("an IPv4-compatible address")),
    (v6(0x64, 0xff9b, 1), 48, private("an address of a local translator")),
    (v6(0x100, 0, 0), 64, private("an address that is discarded")),
    (v6(0x2001, 0, 0), 32, private("a Teredo address")),
    (v6(0x2001, 0xdb8, 0), 32, private("an address for documentation")),
    (v6(0x2001, 0, 0), 23, private("an address kept for protocols")),
    (v6(0x3fff, 0, 0), 20, private("an address for documentation")),
    (v6(0x5f00, 0, 0), 16, private("an address of segment routing")),
    (v6(0xfc00, 0, 0), 7, private("a private address")),
    (v6(0xfe80, 0, 0), 10, private("a link-local address")),
    (v6(0xfec0, 0, 0), 10, private("a site-local address")),
    (v6(0xff00, 0, 0), 8, never("a multicast address")),
];

/// Translated addresses (RFC 6052): as public as what is inside of them.
const NAT64: (u128, u32) = (v6(0x64, 0xff9b, 0), 96);
/// The same for a translator of one's own (RFC 8215).
const LOCAL_NAT64: (u128, u32) = (v6(0x64, 0xff9b, 1), 48);
/// IPv4-compatible addresses, long deprecated.
const COMPATIBLE: (u128, u32) = (0, 96);
/// IPv4-mapped addresses; the kernel speaks IPv4 to them.
const MAPPED: (u128, u32) = (0xffff << 32, 96);
/// IPv4-translated addresses (RFC 2765).
const TRANSLATED: (u128, u32) = (0xffff << 48, 96);
/// All that is assigned to unicast (RFC 4291, section 2.4).
const UNICAST: (u128, u32) = (v6(0x2000, 0, 0), 3);

/// What hands out a cloud machine's credentials, or configures it.
const METADATA: &[IpAddr] = &[
    ip4(169, 254, 169, 254), // AWS, Azure, Google, DigitalOcean, OpenStack, Oracle, Hetzner and most others
    ip4(169, 254, 170, 2),   // AWS: tasks of ECS
    ip4(169, 254, 170, 23),  // AWS: pods of EKS
    ip4(169, 254, 0, 23),    // Tencent
    ip4(169, 254, 42, 42),   // Scaleway
    ip4(168, 63, 129, 16),   // Azure: WireServer, a public address
    ip4(100, 100, 100, 200), // Alibaba
    ip4(192, 0, 0, 192),     // Oracle, first generation
    ip6(0xfd00, 0xec2, 0, 0x254), // AWS
    ip6(0xfd00, 0xec2, 0, 0x23), // AWS: pods of EKS
    ip6(0xfd20, 0xce, 0, 0x254), // Google
    ip6(0xfd00, 0x42, 0, 0x42), // Scaleway
    ip6(0xfe80, 0, 0xa9fe, 0xa9fe), // OpenStack
];

const fn ip4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// The first two and the last two groups; zeros lie between.
const fn ip6(first: u16, second: u16, seventh: u16, last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, seventh, last))
}

/// Names that clouds give to it.
const METADATA_NAMES: &[&str] = &[
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.azure.internal",
    "metadata.tencentyun.com",
    "metadata.platformequinix.com",
    "rancher-metadata",
];

/// Whether the first `length` bits of both are the same.
pub(super) fn is_in<const BITS: u32>(address: u128, base: u128, length: u32) -> bool {
    length == 0 || (address ^ base) >> (BITS - length) == 0
}

/// Whether an address lies in a block of its own family.
pub(super) fn contains(base: IpAddr, length: u32, address: IpAddr) -> bool {
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            is_in::<32>(address.to_bits().into(), base.to_bits().into(), length)
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => is_in::<128>(address.to_bits(), base.to_bits(), length),
        _ => false,
    }
}

/// What an address is, if it is not public.
pub(super) fn special(address: IpAddr) -> Option<&'static Special> {
    match address {
        IpAddr::V4(address) => {
            let bits = u128::from(address.to_bits());
            let mut all = SPECIAL_V4.iter();
            all.find(|(base, length, _)| is_in::<32>(bits, u128::from(*base), *length))
                .map(|(.., special)| special)
        }
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            let found = SPECIAL_V6.iter().find(|(base, length, _)| is_in::<128>(bits, *base, *length));
            let unassigned = || {
                let known = [UNICAST, NAT64, TRANSLATED]
                    .iter()
                    .any(|(base, length)| is_in::<128>(bits, *base, *length));
                (!known).then_some(&const { never("an address that is not assigned") })
            };
            found.map(|(.., special)| special).or_else(unassigned)
        }
    }
}

/// The most of them: the address itself, two of Teredo, and one of ISATAP.
pub(super) const FORMS_MAX: usize = 4;

/// The address, and every IPv4 address that is inside of it: all of them must be right.
///
/// A mapped address is not itself among them: it is only a spelling of the IPv4 address.
pub(super) fn forms(address: IpAddr) -> ArrayVec<IpAddr, FORMS_MAX> {
    let mut all = ArrayVec::new();
    let IpAddr::V6(outer) = address else {
        all.push(address);
        return all;
    };
    let bits = outer.to_bits();
    if is_in::<128>(bits, MAPPED.0, MAPPED.1) {
        all.push(low(bits).into());
        return all;
    }
    all.push(address);
    let [first, second, third, _, fifth, sixth, ..] = outer.segments();
    let [.., a, b, c, d] = outer.octets();
    // Where the address lies in a local translator's depends on its prefix; at the end is the usual place.
    let mut at_the_end = [NAT64, TRANSLATED, LOCAL_NAT64, COMPATIBLE].iter();
    if bits > 1 && at_the_end.any(|(base, length)| is_in::<128>(bits, *base, *length)) {
        all.push(low(bits).into());
    } else if first == 0x2002 {
        all.push(Ipv4Addr::from_bits(u32::from(second) << 16 | u32::from(third)).into());
    } else if (first, second) == (0x2001, 0) {
        // The server in the clear, the client with every bit turned.
        all.push(Ipv4Addr::from_bits(u32::from(third) << 16 | u32::from(outer.segments()[3])).into());
        all.push(Ipv4Addr::new(!a, !b, !c, !d).into());
    }
    if matches!((fifth, sixth), (0 | 0x200, 0x5efe)) {
        all.push(low(bits).into());
    }
    all
}

/// The address that packets go to in the end, as far as the address tells.
pub(super) fn innermost(address: IpAddr) -> IpAddr {
    forms(address).pop().unwrap_or(address)
}

fn low(bits: u128) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::try_from(bits & 0xffff_ffff).expect("32 bits are left"))
}

/// Whether an address gives out a cloud machine's credentials.
pub(super) fn is_metadata(address: IpAddr) -> bool {
    METADATA.contains(&address)
}

/// Whether clouds give the name to such an address.
pub(super) fn is_metadata_name(host: &str) -> bool {
    METADATA_NAMES.contains(&host)
}
