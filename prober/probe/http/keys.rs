//! The keys and subjects of an `http` step, as tables.

use scenario::fields::{Key, KeyType, Need};
use scenario::kind::{Shape, Subject, Wants};
use scenario::value::SubjectType;

use crate::net::keys;

use super::auth::file as auth;
use super::{cache, page, shape};
use crate::net::each;

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key::new("method", KeyType::Text, Need::Default("GET"), "The method.", "POST"),
    Key::new(
        "url",
        KeyType::Template,
        Need::Required,
        "What is asked, with its scheme.",
        "https://shop.example/",
    ),
    Key::new(
        "headers",
        KeyType::Map(&KeyType::Template),
        Need::Optional,
        "Headers of the request; they take the place of a default of the same name.",
        "{ Accept: application/json }",
    ),
    Key::new(
        "query",
        KeyType::Map(&KeyType::Template),
        Need::Optional,
        "Parameters added to the URL, encoded as they must be.",
        "{ q: blue shoes }",
    ),
    Key::new("json", KeyType::Json, Need::Optional, "The body, sent as JSON.", "{ sku: TEST-SKU }"),
    Key::new(
        "form",
        KeyType::Map(&KeyType::Template),
        Need::Optional,
        "The body, sent as the fields of a form.",
        "{ user: probe }",
    ),
    Key::new("body", KeyType::Template, Need::Optional, "The body, sent as it is.", "ping"),
    Key::new(
        "multipart",
        KeyType::OneOrMany(&KeyType::Record(PART)),
        Need::Optional,
        "The body, sent as the parts of a form: texts and files.",
        "[{ name: title, value: Test }, { name: scan, file: fixtures/scan.png, content_type: image/png }]",
    ),
    Key::new(
        "file",
        KeyType::Template,
        Need::Optional,
        "A file of at most 16 MiB that is sent as the body; read at the start of each run, relative to the project.",
        "fixtures/order.xml",
    ),
    Key::new("content_type", KeyType::Template, Need::Optional, "What the body is.", "application/xml"),
    Key::new(
        "compression",
        KeyType::Bool,
        Need::Default("true"),
        "Whether a packed answer is asked for (gzip, br, zstd, deflate); one that comes is unpacked in either case.",
        "false",
    ),
    Key::new(
        "auth",
        KeyType::Record(auth::KEYS),
        Need::Optional,
        "How the step signs in; nothing of it goes to another origin.",
        "{ bearer: \"${secrets.token}\" }",
    ),
    Key::new(
        "follow",
        KeyType::Int(0, 20),
        Need::Default("5"),
        "How many redirects are followed; one more is a failure, and 0 looks at the redirect itself.",
        "0",
    ),
    Key::new(
        "http_version",
        KeyType::Choice(&["auto", "1.1", "2", "3"]),
        Need::Default("auto"),
        "Which version is spoken; auto takes HTTP/2 if the server offers it in TLS; 3 is spoken only where it is asked for.",
        "\"1.1\"",
    ),
    keys::TRUST,
    keys::CA,
    keys::INSECURE,
    keys::IP,
    Key::new(
        "host",
        KeyType::Text,
        Need::Optional,
        "The name to ask for at the URL's address: in the header Host, in TLS and in the certificate.",
        "shop.example",
    ),
    Key::new(
        "sni",
        KeyType::Text,
        Need::Optional,
        "The name for TLS alone: told to the server, and to be proved by it. The header Host stays.",
        "shop.example",
    ),
    Key::new(
        "connect_to",
        KeyType::Text,
        Need::Optional,
        "The host and port to connect to in place of the URL's; names in the request and in TLS stay.",
        "\"192.0.2.10:443\"",
    ),
    Key::new(
        "source_address",
        KeyType::Text,
        Need::Optional,
        "The address of the prober's machine that connections come from.",
        "192.0.2.7",
    ),
    Key::new(
        "proxy",
        KeyType::Template,
        Need::Optional,
        "Who passes connections on: http://, socks5:// (names looked up here) or socks5h:// (by the proxy).",
        "http://proxy.example:3128",
    ),
    Key::new(
        "client_certificate",
        KeyType::Record(IDENTITY),
        Need::Optional,
        "What is shown to a server that asks who the client is; not to another origin.",
        "{ cert: certs/probe.pem, key: \"${secrets.probe_key}\" }",
    ),
    each::KEY,
    Key::new(
        "body_limit",
        KeyType::Size,
        Need::Default("1MiB"),
        "How much of the body is read, packed; four times that once unpacked. Beyond it the body cannot be looked at.",
        "4MiB",
    ),
];

/// The keys of `client_certificate`.
pub(crate) const IDENTITY: &[Key] = &[
    Key::new(
        "cert",
        KeyType::Template,
        Need::Required,
        "A PEM file, or a secret with PEM in it.",
        "certs/probe.pem",
    ),
    Key::new(
        "key",
        KeyType::Template,
        Need::Required,
        "A PEM file, or a secret with PEM in it.",
        "${secrets.probe_key}",
    ),
];

/// The keys of one part of `multipart`.
const PART: &[Key] = &[
    Key::new("name", KeyType::Text, Need::Required, "The field's name.", "title"),
    Key::new("value", KeyType::Template, Need::Optional, "A text.", "Test"),
    Key::new("file", KeyType::Template, Need::Optional, "The path of a file.", "fixtures/scan.png"),
    Key::new("filename", KeyType::Text, Need::Optional, "The name that the server is told.", "scan.png"),
    Key::new("content_type", KeyType::Text, Need::Optional, "What the part is.", "image/png"),
];

/// The versions of HTTP from least to most.
const VERSIONS: &[&str] = &["0.9", "1.0", "1.1", "2", "3"];

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject::new(
        "status",
        Shape::One(SubjectType::Status),
        "The status code, after redirects.",
        "[200, 204]",
    ),
    Subject::new("headers", Shape::Header, "Headers of the answer.", "{ Content-Type: { contains: json } }"),
    Subject::new("json", Shape::JsonPath, "Values in a JSON body.", "{ $.status: UP }"),
    Subject::new(
        "xml",
        Shape::XmlPath,
        "Texts and attributes in an XML body; a name without a prefix fits every prefix, [1] is the first.",
        "{ /feed/updated: { newer_than: 24h }, \"/feed/entry[1]/@id\": { exists: true } }",
    ),
    Subject::new(
        "css",
        Shape::Own(&page::CHOOSER),
        "Texts of elements of an HTML body, or their attributes: a.next @href.",
        "{ h1.title: Shop, \"a[rel=next] @href\": { starts_with: / } }",
    ),
    Subject::new(
        "json_schema",
        Shape::Rule(&shape::RULE),
        "The JSON Schema that a JSON body must fit; what it refers to must stand in itself.",
        "{ type: object, required: [status], properties: { status: { enum: [UP] } } }",
    ),
    Subject::new("body", Shape::One(SubjectType::Any), "The body as a text.", "{ contains: Welcome }"),
    Subject::new(
        "regex",
        Shape::Pattern,
        "What regular expressions match in the body: the first group, or all of it.",
        "{ 'generated at (\\S+)': { newer_than: 24h } }",
    ),
    Subject::new(
        "size",
        Shape::One(SubjectType::Size),
        "The length of the body, unpacked.",
        "{ lte: 100kB }",
    ),
    Subject::new(
        "http_version",
        Shape::One(SubjectType::Ordered(VERSIONS)),
        "The version of HTTP that the server spoke.",
        "{ gte: \"1.1\" }",
    ),
    Subject::new(
        "cache",
        Shape::One(SubjectType::Choice(cache::WORDS)),
        "What caches on the way did, as Cache-Status, X-Cache and Age tell; unknown if none of them tells.",
        "{ in: [hit, stale] }",
    ),
    Subject::new(
        "age",
        Shape::One(SubjectType::Duration),
        "How long ago the answer was made, as the header Age says.",
        "{ lte: 5m }",
    )
    .wanting(Wants::AtMost),
    Subject::new(
        "clock_offset",
        Shape::One(SubjectType::Duration),
        "By how much the target's clock differs at least from the prober's, by the header Date; nothing for \
         an answer out of a cache.",
        "{ lt: 5s }",
    )
    .wanting(Wants::AtMost),
    Subject::new(
        "redirects",
        Shape::One(SubjectType::Int),
        "How many redirects were followed.",
        "{ lte: 1 }",
    ),
    Subject::new("url", Shape::One(SubjectType::Text), "The URL after redirects.", "{ ends_with: /home }"),
    Subject::new(
        "expires_in",
        Shape::One(SubjectType::Duration),
        "How long the server's certificate is still valid.",
        "{ gte: 14d }",
    )
    .wanting(Wants::AtLeast),
];
