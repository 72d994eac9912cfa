//! Every record type by its name and number, and how zone files write its data.
//!
//! One table: a type that has a line here can be asked for by its name, and its data have the form that `dig`
//! shows (with `+nosplit`, and a TXT record's strings joined and unquoted). Data of other types, and data that
//! do not fit their type, have the form of RFC 3597. Names end in a dot.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinEncodable as _, BinEncoder, NameEncoding};
use model::address_text::ip_text;
use model::attribute::Text;
use scenario::form::Form;

/// One field of a type's data.
#[derive(Copy, Clone, Debug)]
enum Field {
    U8,
    U16,
    U32,
    V4,
    V6,
    Name,
    /// A string behind its length, in quotes.
    Quoted,
    /// A string behind its length, as it is.
    Word,
    /// All strings that are left, joined, as they are.
    Joined,
    /// All strings that are left, each in quotes.
    Strings,
    /// All bytes that are left as one string in quotes.
    Rest,
    Hex,
    Base64,
    /// Bytes behind their length in hexadecimal, `-` if there are none.
    Salt,
    /// Bytes behind their length in the base 32 of RFC 4648, section 7.
    Base32,
    /// Two hexadecimal digits a byte, with dashes.
    Dashed,
    /// Seconds since 1970, as 14 digits.
    Time,
    /// A record type by its name.
    Type,
    /// A set of record types (RFC 4034, section 4.1.2).
    Types,
    /// Parameters of a service (RFC 9460).
    Params,
}

use Field::{
    Base32, Base64, Dashed, Hex, Joined, Name as Host, Params, Quoted, Rest, Salt, Strings, Time, Type,
    Types, U8, U16, U32, V4, V6, Word,
};

/// Number, name and fields of each type that has a name at IANA.
#[rustfmt::skip]
const TYPES: &[(u16, &str, &[Field])] = &[
    (1, "A", &[V4]), (2, "NS", &[Host]), (3, "MD", &[Host]), (4, "MF", &[Host]), (5, "CNAME", &[Host]),
    (6, "SOA", &[Host, Host, U32, U32, U32, U32, U32]),
    (7, "MB", &[Host]), (8, "MG", &[Host]), (9, "MR", &[Host]), (10, "NULL", &[]), (11, "WKS", &[]),
    (12, "PTR", &[Host]), (13, "HINFO", &[Quoted, Quoted]), (14, "MINFO", &[Host, Host]), (15, "MX", &[U16, Host]),
    (16, "TXT", &[Joined]), (17, "RP", &[Host, Host]), (18, "AFSDB", &[U16, Host]), (19, "X25", &[Quoted]),
    (20, "ISDN", &[Strings]), (21, "RT", &[U16, Host]), (22, "NSAP", &[]), (23, "NSAP-PTR", &[Host]),
    (24, "SIG", &[Type, U8, U8, U32, Time, Time, U16, Host, Base64]), (25, "KEY", &[U16, U8, U8, Base64]),
    (26, "PX", &[U16, Host, Host]), (27, "GPOS", &[Quoted, Quoted, Quoted]), (28, "AAAA", &[V6]), (29, "LOC", &[]),
    (30, "NXT", &[]), (31, "EID", &[Hex]), (32, "NIMLOC", &[Hex]), (33, "SRV", &[U16, U16, U16, Host]), (34, "ATMA", &[]),
    (35, "NAPTR", &[U16, U16, Quoted, Quoted, Quoted, Host]), (36, "KX", &[U16, Host]),
    (37, "CERT", &[U16, U16, U8, Base64]), (38, "A6", &[]), (39, "DNAME", &[Host]), (40, "SINK", &[U8, U8, U8, Base64]),
    (42, "APL", &[]), (43, "DS", &[U16, U8, U8, Hex]), (44, "SSHFP", &[U8, U8, Hex]), (45, "IPSECKEY", &[]),
    (46, "RRSIG", &[Type, U8, U8, U32, Time, Time, U16, Host, Base64]), (47, "NSEC", &[Host, Types]),
    (48, "DNSKEY", &[U16, U8, U8, Base64]), (49, "DHCID", &[Base64]),
    (50, "NSEC3", &[U8, U8, U16, Salt, Base32, Types]), (51, "NSEC3PARAM", &[U8, U8, U16, Salt]),
    (52, "TLSA", &[U8, U8, U8, Hex]), (53, "SMIMEA", &[U8, U8, U8, Hex]), (55, "HIP", &[]), (56, "NINFO", &[Joined]),
    (57, "RKEY", &[U16, U8, U8, Base64]), (58, "TALINK", &[Host, Host]),
    (59, "CDS", &[U16, U8, U8, Hex]), (60, "CDNSKEY", &[U16, U8, U8, Base64]), (61, "OPENPGPKEY", &[Base64]),
    (62, "CSYNC", &[U32, U16, Types]), (63, "ZONEMD", &[U32, U8, U8, Hex]),
    (64, "SVCB", &[U16, Host, Params]), (65, "HTTPS", &[U16, Host, Params]), (66, "DSYNC", &[]), (67, "HHIT", &[]),
    (68, "BRID", &[]), (99, "SPF", &[Joined]), (100, "UINFO", &[]), (101, "UID", &[]), (102, "GID", &[]),
    (103, "UNSPEC", &[]), (104, "NID", &[]), (105, "L32", &[U16, V4]), (106, "L64", &[]), (107, "LP", &[U16, Host]),
    (108, "EUI48", &[Dashed]), (109, "EUI64", &[Dashed]), (128, "NXNAME", &[]), (253, "MAILB", &[]), (254, "MAILA", &[]),
    (255, "ANY", &[]), (256, "URI", &[U16, U16, Rest]), (257, "CAA", &[U8, Word, Rest]), (258, "AVC", &[Joined]),
    (259, "DOA", &[U32, U32, U8, Quoted, Base64]), (260, "AMTRELAY", &[]), (261, "RESINFO", &[Joined]),
    (262, "WALLET", &[Joined]), (263, "CLA", &[Joined]), (264, "IPN", &[]), (32768, "TA", &[U16, U8, U8, Hex]),
    (32769, "DLV", &[U16, U8, U8, Hex]),
];

/// Names of a service's parameters by their number.
const PARAMS: &[&str] =
    &["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath"];

/// Types that cannot be asked for with one question and one reply: OPT, signatures of messages, transfers of
/// zones, and the reserved one.
const NOT_ASKED_FOR: [u16; 6] = [0, 41, 249, 250, 251, 252];

/// The record type named `text`: `A`, `mx`, or `TYPE65534` (RFC 3597).
pub(super) fn record_type(text: &str) -> Option<RecordType> {
    let upper = text.to_ascii_uppercase();
    let number = match upper.strip_prefix("TYPE") {
        Some(number) if number.bytes().all(|digit| digit.is_ascii_digit()) => number.parse().ok()?,
        _ => TYPES.iter().find(|(_, name, _)| *name == upper)?.0,
    };
    (!NOT_ASKED_FOR.contains(&number)).then(|| RecordType::from(number))
}

/// A type's name, or `TYPE65534`.
pub(super) fn type_name(kind: RecordType) -> Text {
    name_of(kind.into())
}

fn name_of(number: u16) -> Text {
    match TYPES.iter().find(|(known, ..)| *known == number) {
        Some((_, name, _)) => Text::const_new(name),
        None => format!("TYPE{number}").into(),
    }
}

/// Whether [`text`] ever writes data as an author wrote it in `given`, as far as that can be told.
pub(super) fn form(kind: RecordType, given: &str) -> Form {
    let number = u16::from(kind);
    let fields = TYPES.iter().find(|(known, ..)| *known == number).map_or(&[][..], |(.., fields)| fields);
    match fields {
        [V4] if given.parse::<Ipv4Addr>().is_err() => no_address(given, "an IPv4 address like 203.0.113.10"),
        [V6] => match given.parse::<Ipv6Addr>() {
            Ok(address) => written(ip_text(address.into()).into(), given),
            Err(_) => no_address(given, "an IPv6 address like 2001:db8::1"),
        },
        [.., Host] => name_last(fields.len(), given),
        _ => Form::Fits,
    }
}

/// Data of so many parts, of which the last is a name.
fn name_last(parts: usize, given: &str) -> Form {
    let rooted = given.trim_end_matches('.');
    match given.split_whitespace().count() {
        0 => Form::Fits,
        1 if parts > 1 => Form::Never(
            format!("an answer has {parts} parts: for the name write any: {{ ends_with: \" {rooted}.\" }}")
                .into(),
        ),
        found if found == parts && !given.ends_with('.') => Form::Written(format!("{given}.")),
        _ => Form::Fits,
    }
}

fn written(text: String, given: &str) -> Form {
    if text == given { Form::Fits } else { Form::Written(text) }
}

/// What is none of the addresses that all answers of the type are.
fn no_address(given: &str, what: &str) -> Form {
    let network = given.split_once('/').and_then(|(address, bits)| {
        let begins = match bits {
            "8" => 1,
            "16" => 2,
            "24" => 3,
            _ => return None,
        };
        let octets: Vec<_> = address.parse::<Ipv4Addr>().ok()?.octets().iter().map(u8::to_string).collect();
        Some(octets[..begins].join("."))
    });
    Form::Never(match network {
        Some(begin) => format!("an answer is one address: write any: {{ starts_with: \"{begin}.\" }}").into(),
        None => format!("each answer of this type is {what}").into(),
    })
}

/// A record's data as zone files have it.
pub(super) fn text(record: &Record) -> Text {
    match &record.data {
        // The most asked for, without a detour.
        RData::A(address) => ip_text(address.0.into()),
        RData::AAAA(address) => ip_text(address.0.into()),
        RData::Unknown { code, rdata } => of_wire((*code).into(), &rdata.anything).into(),
        RData::NULL(null) => unknown(&null.anything).into(),
        // Neither has a text form; neither is asked for.
        RData::OPT(_) | RData::Update0(_) => Text::const_new(""),
        data => {
            let mut bytes = Vec::with_capacity(64);
            let mut encoder = BinEncoder::new(&mut bytes);
            encoder.set_name_encoding(NameEncoding::Uncompressed);
            match data.emit(&mut encoder) {
                Ok(()) => of_wire(record.record_type().into(), &bytes).into(),
                // What was decoded can be encoded; should a type ever not, its own text is better than none.
                Err(_) => data.to_string().into(),
            }
        }
    }
}

/// A record with its owner and type, as sections of a reply are shown: `shop.example. NS ns1.example.`
pub(super) fn line(record: &Record) -> String {
    format!("{} {} {}", record.name.to_ascii(), type_name(record.record_type()), text(record))
}

fn of_wire(number: u16, bytes: &[u8]) -> String {
    let fields = TYPES.iter().find(|(known, ..)| *known == number).map_or(&[][..], |(_, _, fields)| fields);
    if fields.is_empty() {
        return unknown(bytes);
    }
    let mut reader = Reader { left: bytes, text: String::with_capacity(bytes.len() + 16) };
    match fields.iter().try_for_each(|field| reader.field(*field)) {
        Some(()) if reader.left.is_empty() => reader.text,
        _ => unknown(bytes),
    }
}

/// The form that RFC 3597 gives to data of a type without a form of its own.
fn unknown(bytes: &[u8]) -> String {
    format!("\\# {} {}", bytes.len(), hex(bytes).to_ascii_lowercase())
}

/// Reads data field by field and writes them down; `None` wherever they end too early.
struct Reader<'a> {
    left: &'a [u8],
    text: String,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.left.split_at_checked(count)?;
        self.left = left;
        Some(taken)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.left)
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Bytes behind their length.
    fn counted(&mut self) -> Option<&'a [u8]> {
        let length = self.number(1)?;
        self.take(usize::try_from(length).ok()?)
    }

    fn name(&mut self) -> Option<Name> {
        let mut labels = Vec::new();
        loop {
            let label = self.counted()?;
            if label.is_empty() {
                return Name::from_labels(labels).ok();
            }
            labels.push(label);
        }
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn field(&mut self, field: Field) -> Option<()> {
        if !self.text.is_empty() && !matches!(field, Types | Params) {
            self.text.push(' ');
        }
        let text = match field {
            U8 => self.number(1)?.to_string(),
            U16 => self.number(2)?.to_string(),
            U32 => self.number(4)?.to_string(),
            V4 => Ipv4Addr::from(self.array::<4>()?).to_string(),
            V6 => Ipv6Addr::from(self.array::<16>()?).to_string(),
            // Not as it is shown: that would decode international names.
            Host => self.name()?.to_ascii(),
            Quoted => quoted(self.counted()?),
            Word => String::from_utf8_lossy(self.counted()?).into_owned(),
            Rest => quoted(self.rest()),
            Hex => hex(self.rest()),
            Base64 => STANDARD.encode(self.rest()),
            Salt => match self.counted()? {
                [] => "-".to_owned(),
                salt => hex(salt),
            },
            Base32 => base32(self.counted()?),
            Dashed => self.rest().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join("-"),
            Time => time(i64::try_from(self.number(4)?).ok()?),
            Type => name_of(u16::try_from(self.number(2)?).ok()?).into(),
            Joined => {
                let mut joined = Vec::with_capacity(self.left.len());
                while !self.left.is_empty() {
                    joined.extend_from_slice(self.counted()?);
                }
                String::from_utf8_lossy(&joined).into_owned()
            }
            Strings => {
                let mut strings = Vec::new();
                while !self.left.is_empty() {
                    strings.push(quoted(self.counted()?));
                }
                strings.join(" ")
            }
            Types => return self.types(),
            Params => return self.params(),
        };
        self.push(&text);
        Some(())
    }

    fn types(&mut self) -> Option<()> {
        while !self.left.is_empty() {
            let window = u16::try_from(self.number(1)?).ok()?;
            for (index, byte) in self.counted()?.iter().enumerate() {
                for bit in (0..8_u16).filter(|bit| byte & (0x80 >> bit) != 0) {
                    let number = window * 256 + u16::try_from(index).ok()? * 8 + bit;
                    self.text.push(' ');
                    self.push(&name_of(number));
                }
            }
        }
        Some(())
    }

    fn params(&mut self) -> Option<()> {
        while !self.left.is_empty() {
            let key = usize::try_from(self.number(2)?).ok()?;
            let length = usize::try_from(self.number(2)?).ok()?;
            let mut value = Reader { left: self.take(length)?, text: String::new() };
            let value = value.param(key)?;
            self.text.push(' ');
            match PARAMS.get(key) {
                Some(name) => self.push(name),
                None => self.push(&format!("key{key}")),
            }
            if !value.is_empty() {
                self.text.push('=');
                self.push(&value);
            }
        }
        Some(())
    }

    /// The value of the parameter `key`; all that is left belongs to it.
    fn param(&mut self, key: usize) -> Option<String> {
        let mut items: Vec<String> = Vec::new();
        match key {
            0 => {
                while !self.left.is_empty() {
                    let number = usize::try_from(self.number(2)?).ok()?;
                    let named = PARAMS.get(number).map(|name| (*name).to_owned());
                    items.push(named.unwrap_or_else(|| format!("key{number}")));
                }
            }
            1 => {
                while !self.left.is_empty() {
                    items.push(String::from_utf8_lossy(self.counted()?).into_owned());
                }
                return Some(quoted(items.join(",").as_bytes()));
            }
            2 => {}
            3 => return Some(self.number(2)?.to_string()),
            4 => {
                while !self.left.is_empty() {
                    items.push(Ipv4Addr::from(self.array::<4>()?).to_string());
                }
            }
            5 => return Some(STANDARD.encode(self.rest())),
            6 => {
                while !self.left.is_empty() {
                    items.push(Ipv6Addr::from(self.array::<16>()?).to_string());
                }
            }
            _ => return Some(quoted(self.rest())),
        }
        Some(items.join(","))
    }
}

/// In quotes; what cannot stand there as it is has a backslash.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for byte in bytes {
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => write!(text, "\\{byte:03}").expect("writing into a String cannot fail"),
        }
    }
    text.push('"');
    text
}

/// Two capital digits a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02X}").expect("writing into a String cannot fail");
    }
    text
}

fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(LETTERS[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(LETTERS[(held << (5 - bits) & 31) as usize]));
    }
    text
}

/// `20261126075500`, as signatures' times are written.
fn time(seconds: i64) -> String {
    model::time::Timestamp::from_seconds(seconds).jiff().strftime("%Y%m%d%H%M%S").to_string()
}
