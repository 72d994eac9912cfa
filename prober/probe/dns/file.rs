//! How the keys of a `dns` step become an action.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;

use hickory_proto::rr::RecordType;
use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Bound, Fields};
use scenario::kind::Action;
use scenario::source::{Span, Spanned};
use scenario::template::Template;

use super::answer::RCODES;
use super::authority::Reach;
use super::dnssec::anchor::{Anchor, AnchorSource, shortened};
use super::https::{ANSWER_BYTES_MAX, Https, IN_THE_URL};
use super::question::{Manner, Question};
use super::run::{Dns, Words};
use super::secured::Secured;
use super::server::Server;
use super::types::record_type;
use crate::http::client::Client;
use crate::http::connect::Manner as HttpManner;
use crate::http::target::Target;
use crate::net::address::{Host, HostPort};
use crate::net::keys;
use crate::net::resolve::Family;
use crate::net::roots::Roots;
use crate::net::shared::Net;
use crate::net::tls::TlsChoice;

const PORT: u16 = 53;

/// The port of DNS over TLS and over QUIC.
const SECURE_PORT: u16 = 853;

/// `dns: shop.example` is its name.
pub(super) fn short(text: &str) -> Vec<(&'static str, Range<usize>)> {
    vec![("name", 0..text.len())]
}

/// The failure that a broken assertion stands for.
pub(super) fn classify(
    subject: &str,
    actual: &str,
    implied: bool,
) -> Option<(FailureClass, Cow<'static, str>)> {
    let error_type = match subject {
        "rcode" => return error_type(actual).map(|kind| (FailureClass::Dns, kind)),
        "answers" => return Some((FailureClass::Incorrect, Cow::Borrowed("assert.answer"))),
        "dnssec" if actual.contains("bogus") => "dns.bogus",
        "dnssec" if actual.contains("insecure") => "dns.insecure",
        // A server that the zone names and that does not answer for the zone.
        "authoritative" if implied => "dns.lame",
        "soa.serial" if implied => "dns.serials_differ",
        _ => return None,
    };
    Some((FailureClass::Dns, Cow::Borrowed(error_type)))
}

/// The error type of the first unusual code in `actual`, which may list several servers' codes.
fn error_type(actual: &str) -> Option<Cow<'static, str>> {
    let mut words = actual.split(|letter: char| !letter.is_ascii_alphanumeric());
    let word =
        words.find(|word| *word != "NOERROR" && (RCODES.contains(word) || word.starts_with("RCODE")))?;
    Some(match word {
        "NXDOMAIN" => Cow::Borrowed("dns.nxdomain"),
        "SERVFAIL" => Cow::Borrowed("dns.servfail"),
        "REFUSED" => Cow::Borrowed("dns.refused"),
        "NODATA" => Cow::Borrowed("dns.no_answer"),
        other => Cow::Owned(format!("dns.{}", other.to_ascii_lowercase())),
    })
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let given = Given::of(&mut fields);
    let kind = kind(&mut fields, report);
    let anchors = anchors(&mut fields, report);
    let manner = manner(&mut fields, given, report);
    let common = Common::take(&mut fields, report);
    let servers = common.as_ref().and_then(|common| servers(&mut fields, common, report));
    let fits = servers.as_ref().is_none_or(|servers| given.fit(servers, kind, &fields, report));
    let port = fields.int("port").and_then(|given| u16::try_from(given.value).ok()).unwrap_or(PORT);
    let name = fields.template("name")?;
    let (kind, manner) = (kind?, manner?);
    let words = words(name, kind, &manner, report)?;
    let (common, servers, anchors) = (common?, servers?, anchors?);
    let reach = Reach { port, family: common.family, over_tcp: common.over_tcp };
    fits.then(|| -> Box<dyn Action<Net>> {
        Box::new(Dns {
            words,
            kind,
            manner,
            servers,
            over_tcp: common.over_tcp,
            authority: given.authoritative.then_some(reach),
            validate: given.validate.then_some(anchors),
        })
    })
}

/// What changes the meaning of other keys.
#[derive(Copy, Clone)]
struct Given {
    authoritative: bool,
    validate: bool,
    anchors: Option<Span>,
}

impl Given {
    fn of(fields: &mut Fields) -> Self {
        Self {
            authoritative: fields.choice("at").is_some_and(|given| given.value == "authoritative"),
            validate: fields.bool("validate").is_some_and(|given| given.value),
            anchors: fields.span_of("trust_anchors"),
        }
    }

    /// Whether what was given goes together; the report says what does not.
    fn fit(self, servers: &[Server], kind: Option<RecordType>, fields: &Fields, report: &mut Report) -> bool {
        let system = servers.iter().any(|server| matches!(server, Server::System));
        let addresses = kind.is_none_or(|kind| matches!(kind, RecordType::A | RecordType::AAAA));
        let at = |key: &str| fields.span_of(key).unwrap_or(fields.span);
        let mut sound = true;
        let mut wrong = |here: bool, span: Span, message: &str, help: &str| {
            if here {
                report.push(Diagnostic::error("E135", span, message).help(help));
                sound = false;
            }
        };
        wrong(
            system && (self.validate || self.authoritative),
            fields.span,
            "the system's resolver shows addresses only: it can neither be validated nor lead to a zone's servers",
            "name a resolver by its address, or leave `resolvers` out to ask the system's name servers directly",
        );
        wrong(
            system && !addresses,
            fields.span,
            "the system's resolver looks up addresses only",
            "write type: A or AAAA, or leave `resolvers` out to ask the system's name servers directly",
        );
        wrong(
            fields.has("port") && !self.authoritative,
            at("port"),
            "`port` is that of a zone's name servers, which are not asked here",
            "write a resolver's port behind its address: \"192.0.2.53:5353\"",
        );
        wrong(
            self.anchors.is_some() && !self.validate,
            self.anchors.unwrap_or_default(),
            "`trust_anchors` are what answers are validated by, and nothing is validated here",
            "write validate: true beside them, or leave them out",
        );
        sound
    }
}

fn kind(fields: &mut Fields, report: &mut Report) -> Option<RecordType> {
    let Some(given) = fields.text("type") else { return Some(RecordType::A) };
    let kind = record_type(&given.value);
    if kind.is_none() {
        let message = format!("`{}` is not a record type that can be asked for", given.value);
        let known =
            "A, AAAA, CAA, CNAME, HTTPS, MX, NS, PTR, SOA, SRV, SVCB, TLSA, TXT, every other registered name";
        let help = format!("known are {known}, and any TYPEnnn");
        report.push(Diagnostic::error("E105", given.span, message).help(help));
    }
    kind
}

fn manner(fields: &mut Fields, given: Given, report: &mut Report) -> Option<Manner> {
    let mut flag = |key: &str| fields.bool(key).map(|given| given.value);
    let recursion = flag("recursion").unwrap_or(!given.authoritative);
    let unchecked = flag("checking_disabled").unwrap_or(given.validate);
    let dnssec_ok = flag("dnssec_ok").unwrap_or(false) || given.validate;
    let nsid = flag("nsid").unwrap_or(false);
    let payload = fields.int("udp_size").and_then(|given| u16::try_from(given.value).ok());
    let subnet = match fields.text("client_subnet") {
        Some(given) => Some(network(&given, report)?),
        None => None,
    };
    let payload_bytes = payload.unwrap_or(super::question::PAYLOAD_BYTES);
    Some(Manner { recursion, unchecked, dnssec_ok, nsid, payload_bytes, subnet })
}

/// An address and how many of its bits count; the others are 0.
fn network(given: &Spanned<String>, report: &mut Report) -> Option<(IpAddr, u8)> {
    let (address, bits) = given.value.split_once('/').unwrap_or((&given.value, ""));
    let parsed = address.parse::<IpAddr>().ok().zip(bits.parse::<u8>().ok());
    let masked = parsed.and_then(|(address, bits)| match address {
        IpAddr::V4(four) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            Some((IpAddr::V4((four.to_bits() & mask).into()), bits))
        }
        IpAddr::V6(six) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            Some((IpAddr::V6((six.to_bits() & mask).into()), bits))
        }
        _ => None,
    });
    if masked.is_none() {
        let message = format!("`{}` is not a network", shortened(&given.value));
        report.push(
            Diagnostic::error("E123", given.span, message)
                .help("write an address and its bits: 203.0.113.0/24"),
        );
    }
    masked
}

fn anchors(fields: &mut Fields, report: &mut Report) -> Option<AnchorSource> {
    let Some(given) = fields.list("trust_anchors") else { return Some(AnchorSource::Root) };
    let texts = given.value.iter().filter_map(|item| match &item.value {
        Bound::Text(text) => Some((text, item.span)),
        _ => None,
    });
    let texts: Vec<_> = texts.collect();
    // A record has words; the name of a file has none.
    if let [(path, _)] = texts.as_slice()
        && !path.trim().contains(char::is_whitespace)
        && !path.is_empty()
    {
        return Some(AnchorSource::File((*path).clone()));
    }
    let mut records = Vec::with_capacity(texts.len());
    for (text, span) in &texts {
        if let Some(record) = Anchor::parse(text) {
            records.push(record);
        } else {
            let message = format!("`{}` is neither a DNSKEY nor a DS record", shortened(text));
            let help = "write a record like `shop.example. DS 12345 13 2 …`, or the path of one file with such records";
            report.push(Diagnostic::error("E123", *span, message).help(help));
        }
    }
    (records.len() == texts.len()).then_some(AnchorSource::Records(records))
}

/// What all servers of a step have in common.
struct Common {
    over_tcp: bool,
    family: Family,
    name: Option<Host>,
    roots: Roots,
}

impl Common {
    fn take(fields: &mut Fields, report: &mut Report) -> Option<Self> {
        let family = keys::family(fields);
        let name = keys::host("server_name", fields, report).ok()?;
        Some(Self {
            over_tcp: fields.choice("transport").is_some_and(|given| given.value == "tcp"),
            family,
            name,
            roots: keys::trust(fields, report)?,
        })
    }

    fn choice(&self, protocols: &[&str]) -> TlsChoice {
        let alpn = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsChoice { roots: self.roots.clone(), alpn, ..TlsChoice::default() }
    }

    fn secured(&self, shown: &str, host: &str, protocol: &str) -> Result<Arc<Secured>, String> {
        let address = HostPort::parse(host, Some(SECURE_PORT)).map_err(|error| error.to_string())?;
        let (name, choice, family) = (self.name.clone(), self.choice(&[protocol]), self.family);
        Ok(Arc::new(Secured { shown: shown.into(), address, name, choice, family }))
    }

    fn https(&self, shown: &str) -> Result<Server, String> {
        let in_the_url = shown.ends_with(IN_THE_URL);
        let target = Target::parse(shown.trim_end_matches(IN_THE_URL)).map_err(|error| error.to_string())?;
        let manner = HttpManner {
            family: self.family,
            tls: Arc::new(self.choice(&["h2", "http/1.1"])),
            name: self.name.clone(),
            ..HttpManner::default()
        };
        let client = Client { manner, body_bytes_max: ANSWER_BYTES_MAX };
        Ok(Server::Https(Arc::new(Https {
            shown: shown.into(),
            target: Arc::new(target),
            in_the_url,
            client,
        })))
    }

    /// The server that `text` names, or what is wrong with it.
    fn server(&self, text: &str) -> Result<Server, String> {
        let plain =
            |text: &str| address(text).ok_or_else(|| format!("`{text}` is not the address of a resolver"));
        match text.split_once("://") {
            None if text == "system" => Ok(Server::System),
            None => Ok(if self.over_tcp { Server::Tcp(plain(text)?) } else { Server::Udp(plain(text)?) }),
            Some(("udp", rest)) => plain(rest).map(Server::Udp),
            Some(("tcp", rest)) => plain(rest).map(Server::Tcp),
            Some(("tls", rest)) => self.secured(text, rest, "dot").map(Server::Tls),
            Some(("https", _)) => self.https(text),
            #[cfg(feature = "doq")]
            Some(("quic", rest)) => self.secured(text, rest, "doq").map(Server::Quic),
            #[cfg(not(feature = "doq"))]
            Some(("quic", _)) => Err("this program was built without DNS over QUIC".to_owned()),
            Some((scheme, _)) => Err(format!("`{scheme}://` is no way to ask a resolver")),
        }
    }
}

fn servers(fields: &mut Fields, common: &Common, report: &mut Report) -> Option<Vec<Server>> {
    let Some(given) = fields.list("resolvers") else {
        return common.is_used(&[], fields.span, report).then(Vec::new);
    };
    let mut servers = Vec::with_capacity(given.value.len());
    for item in &given.value {
        let Bound::Text(text) = &item.value else { continue };
        match common.server(text) {
            Ok(server) => servers.push(server),
            Err(why) => {
                let help = "write an address like 192.0.2.53, \"192.0.2.53:5353\" or \"[2001:db8::53]:53\", \
                            or tls://host, https://host/dns-query, quic://host, or system";
                report.push(Diagnostic::error("E123", item.span, why).help(help));
            }
        }
    }
    if servers.len() < given.value.len() {
        return None;
    }
    common.is_used(&servers, given.span, report).then_some(servers)
}

impl Common {
    /// Whether a certificate is asked for at all, if the file says whose; else the report says so.
    fn is_used(&self, servers: &[Server], span: Span, report: &mut Report) -> bool {
        let plain = |server: &Server| matches!(server, Server::Udp(_) | Server::Tcp(_) | Server::System);
        let idle = servers.iter().all(plain) && (self.name.is_some() || self.roots != Roots::System);
        if idle {
            let message =
                "`trust`, `ca` and `server_name` are for servers over tls, https or quic, and none is named";
            let help = "write such a server as tls://host or https://host/path, or leave the key out";
            report.push(Diagnostic::error("E135", span, message).help(help));
        }
        !idle
    }
}

fn address(text: &str) -> Option<SocketAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = text.parse::<SocketAddr>().ok();
    let address = address.or_else(|| Some(SocketAddr::new(bare.parse::<IpAddr>().ok()?, PORT)));
    address.filter(|address| address.port() != 0)
}

fn words(name: Spanned<Template>, kind: RecordType, manner: &Manner, report: &mut Report) -> Option<Words> {
    let Some(text) = name.value.constant() else { return Some(Words::Later(name.value)) };
    match Question::new(text, kind, manner) {
        Ok(question) => Some(Words::Now(text.into(), question)),
        Err(error) => {
            let diagnostic = Diagnostic::error("E131", name.span, error.to_string());
            report.push(diagnostic.help("write a name like shop.example, without scheme, port and path"));
            None
        }
    }
}
