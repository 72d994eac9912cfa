//! Every kind, each spoken in the ways that it has.

use scenario::fields::Bound;
use scenario::kind::Kind;

use crate::net::shared::Net;
use crate::trial::{template, templates, text, texts};
use crate::{dns, grpc, http, icmp, jetstream, s3, smtp, sql, tcp, tls, udp, websocket};

pub(super) type Keys = Vec<(&'static str, Bound)>;

/// One kind of step, spoken in one way.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 in TLS.
    Https,
    /// HTTP/2 without TLS, by prior knowledge.
    H2,
    /// A listing.
    S3,
    /// A call without TLS.
    Grpc,
    /// A call in TLS.
    Grpcs,
    /// A message is waited for.
    WebSocket,
    /// The same in TLS.
    WebSockets,
    /// A handshake.
    Tls,
    /// A handshake after STARTTLS, in the words of this protocol.
    StartTls(&'static str),
    /// A line that the server sends.
    Tcp,
    /// A mail server's greeting, and what it can do.
    Smtp,
    /// The same before and after STARTTLS.
    SmtpStartTls,
    /// The same in TLS from the first byte.
    Smtps,
    /// The state of a stream.
    JetStream,
    /// The same in TLS, which begins after the server's first line.
    JetStreamTls,
    /// A query to PostgreSQL.
    Sql,
    /// The same in TLS, which is asked for.
    SqlTls,
    /// A query to MySQL.
    MySql,
    /// The same in TLS, which begins after the server's greeting.
    MySqlTls,
    /// A question over UDP.
    Dns,
    /// A question over TCP.
    DnsTcp,
    /// A datagram and its reply.
    Udp,
    /// Two pings.
    Icmp,
}

impl Way {
    /// The ways over TCP.
    pub(super) const OVER_TCP: [Self; 22] = [
        Self::Http,
        Self::Https,
        Self::H2,
        Self::S3,
        Self::Grpc,
        Self::Grpcs,
        Self::WebSocket,
        Self::WebSockets,
        Self::Tls,
        Self::StartTls("smtp"),
        Self::StartTls("xmpp"),
        Self::StartTls("ldap"),
        Self::Tcp,
        Self::Smtp,
        Self::SmtpStartTls,
        Self::Smtps,
        Self::JetStream,
        Self::JetStreamTls,
        Self::Sql,
        Self::SqlTls,
        Self::MySql,
        Self::MySqlTls,
    ];

    pub(super) const fn kind(self) -> &'static Kind<Net> {
        match self {
            Self::Http | Self::Https | Self::H2 => &http::KIND,
            Self::S3 => &s3::KIND,
            Self::Grpc | Self::Grpcs => &grpc::KIND,
            Self::WebSocket | Self::WebSockets => &websocket::KIND,
            Self::Tls | Self::StartTls(_) => &tls::KIND,
            Self::Tcp => &tcp::KIND,
            Self::Smtp | Self::SmtpStartTls | Self::Smtps => &smtp::KIND,
            Self::JetStream | Self::JetStreamTls => &jetstream::KIND,
            Self::Sql | Self::SqlTls | Self::MySql | Self::MySqlTls => &sql::KIND,
            Self::Dns | Self::DnsTcp => &dns::KIND,
            Self::Udp => &udp::KIND,
            Self::Icmp => &icmp::KIND,
        }
    }

    /// The keys of a step at `place`, a host and a port.
    pub(super) fn keys(self, place: &str) -> Keys {
        let address = || ("address", template(place));
        let url = |scheme: &str| ("url", template(format!("{scheme}://{place}/")));
        match self {
            Self::Http => vec![url("http")],
            Self::Https => vec![url("https")],
            Self::H2 => vec![url("http"), ("http_version", Bound::Choice("2"))],
            Self::S3 => vec![("endpoint", template(format!("http://{place}"))), ("bucket", template("shop"))],
            Self::Grpc => vec![address(), ("tls", Bound::Bool(false))],
            Self::WebSocket => vec![url("ws"), ("messages", Bound::Int(1))],
            Self::WebSockets => vec![url("wss"), ("messages", Bound::Int(1))],
            Self::Grpcs | Self::Tls | Self::Smtp => vec![address()],
            Self::StartTls(protocol) => vec![address(), ("starttls", Bound::Choice(protocol))],
            Self::Tcp => vec![address(), ("read_until", text("\\n"))],
            Self::SmtpStartTls => vec![address(), ("tls", Bound::Choice("starttls"))],
            Self::Smtps => vec![address(), ("tls", Bound::Choice("implicit"))],
            Self::JetStream => vec![address(), ("stream", template("ORDERS"))],
            Self::JetStreamTls => {
                vec![address(), ("stream", template("ORDERS")), ("tls", Bound::Bool(true))]
            }
            Self::Sql => query(format!("postgresql://probe@{place}/shop?sslmode=disable")),
            Self::SqlTls => query(format!("postgresql://probe@{place}/shop?sslmode=require")),
            Self::MySql => query(format!("mysql://probe@{place}/shop")),
            Self::MySqlTls => query(format!("mysql://probe@{place}/shop?ssl-mode=required")),
            Self::Dns => question(place, "udp"),
            Self::DnsTcp => question(place, "tcp"),
            Self::Udp => vec![address(), ("send", templates(["ping"]))],
            Self::Icmp => {
                let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
                let pause = |ms| Bound::Duration(std::time::Duration::from_millis(ms));
                vec![
                    ("host", template(host)),
                    ("count", Bound::Int(2)),
                    ("interval", pause(20)),
                    ("wait", pause(150)),
                ]
            }
        }
    }
}

fn query(dsn: String) -> Keys {
    vec![("dsn", template(dsn)), ("query", text("select 1"))]
}

fn question(place: &str, transport: &'static str) -> Keys {
    vec![
        ("name", template("shop.test")),
        ("resolvers", texts([place])),
        ("transport", Bound::Choice(transport)),
    ]
}
