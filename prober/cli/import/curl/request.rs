//! The options of one request of a curl command.

use serde_json::{Map, Value};

use super::super::words::literal;
use super::seconds;
use super::shell::Word;

/// One request, as its options say it.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "curl has so many switches")]
pub(super) struct Request {
    pub(super) urls: Vec<Word>,
    pub(super) method: Option<String>,
    pub(super) headers: Vec<(String, Word)>,
    pub(super) data: Vec<String>,
    pub(super) data_is_open: bool,
    pub(super) is_json: bool,
    /// Each with whether `@`, `<` and `;` mean something in it.
    pub(super) form: Vec<(String, bool)>,
    pub(super) user: Option<Word>,
    pub(super) digest: bool,
    /// A way to sign in that is none here.
    pub(super) other_way: Option<String>,
    pub(super) bearer: Option<Word>,
    pub(super) keys: Map<String, Value>,
    pub(super) follows: bool,
    pub(super) follow_max: Option<u32>,
    pub(super) fails: bool,
    pub(super) as_query: bool,
    pub(super) head: bool,
    pub(super) packed: bool,
    pub(super) certificate: (Option<String>, Option<String>),
    pub(super) timeout_ms: Option<u64>,
    pub(super) retries: Option<u32>,
    /// `-g`: brackets and braces in a URL are no pattern.
    pub(super) is_plain: bool,
    pub(super) lost: Vec<String>,
}

/// Long options that take a value (curl 8.16); the short ones are in [`takes_value`].
const TAKE: &str = "abstract-unix-socket alt-svc aws-sigv4 cacert capath cert cert-type ciphers config connect-timeout \
    connect-to continue-at cookie cookie-jar create-file-mode crlfile curves data data-ascii data-binary \
    data-raw data-urlencode delegation dns-interface dns-ipv4-addr dns-ipv6-addr dns-servers doh-url \
    dump-header ech egd-file engine etag-compare etag-save expect100-timeout form form-string \
    ftp-account ftp-alternative-to-user ftp-method ftp-port ftp-ssl-ccc-mode happy-eyeballs-timeout-ms \
    haproxy-clientip header hostpubmd5 hostpubsha256 hsts interface ip-tos ipfs-gateway json \
    keepalive-cnt keepalive-time key key-type knownhosts krb libcurl limit-rate local-port login-options \
    mail-auth mail-from mail-rcpt max-filesize max-redirs max-time netrc-file noproxy oauth2-bearer \
    output output-dir parallel-max parallel-max-host pass pinnedpubkey preproxy proto proto-default \
    proto-redir proxy proxy-cacert proxy-capath proxy-cert proxy-cert-type proxy-ciphers proxy-crlfile \
    proxy-header proxy-key proxy-key-type proxy-pass proxy-pinnedpubkey proxy-service-name \
    proxy-tls13-ciphers proxy-tlsauthtype proxy-tlspassword proxy-tlsuser proxy-user proxy1.0 pubkey \
    quote random-file range rate referer request request-target resolve retry retry-delay retry-max-time \
    sasl-authzid service-name sigalgs socks4 socks4a socks5 socks5-gssapi-service socks5-hostname \
    speed-limit speed-time stderr telnet-option tftp-blksize time-cond tls-max tls13-ciphers tlsauthtype \
    tlspassword tlsuser trace trace-ascii trace-config unix-socket upload-file upload-flags url \
    url-query user user-agent variable vlan-priority write-out";

/// Whether an option takes the next word as its value.
pub(super) fn takes_value(option: &str) -> bool {
    let short = [
        "-X", "-H", "-d", "-F", "-u", "-A", "-e", "-b", "-c", "-m", "-x", "-E", "-T", "-r", "-K", "-U", "-Y",
        "-y", "-z", "-C", "-t", "-P", "-Q", "-D", "-o", "-w",
    ];
    let long = option.strip_prefix("--").map(|name| name.strip_prefix("expand-").unwrap_or(name));
    short.contains(&option) || long.is_some_and(|name| TAKE.split(' ').any(|known| known == name))
}

impl Request {
    pub(super) fn url(&mut self, word: &Word) {
        self.urls.push(word.clone());
    }

    pub(super) fn first_url(&self) -> Option<String> {
        self.urls.first().map(|word| with_scheme(&word.text))
    }

    pub(super) fn timeout_ms(&self) -> Option<u64> {
        self.timeout_ms
    }

    /// Takes an option; what means nothing here is told.
    pub(super) fn option(&mut self, name: &str, value: Option<&Word>) {
        let text = value.map(|word| word.text.clone()).unwrap_or_default();
        match name {
            "-X" | "--request" => self.method = Some(text),
            "-H" | "--header" => self.header(&text, value.is_some_and(|word| word.is_open)),
            "-A" | "--user-agent" => self.header_of("User-Agent", value),
            "-e" | "--referer" => self.header_of("Referer", value),
            "-b" | "--cookie" if text.contains('=') => self.header_of("Cookie", value),
            "-I" | "--head" => self.head = true,
            "-L" | "--location" => self.follows = true,
            "--location-trusted" => {
                self.follows = true;
                self.lose("--location-trusted: who signs in is told to the first host alone here");
            }
            "-r" | "--range" => self.headers.push((
                "Range".to_owned(),
                Word { text: format!("bytes={text}"), is_open: false, is_option: false },
            )),
            "--ntlm" | "--ntlm-wb" | "--negotiate" | "--aws-sigv4" | "--anyauth" => {
                self.other_way = Some(name.to_owned());
            }
            "--max-redirs" => self.follow_max = text.parse().ok(),
            "-f" | "--fail" | "--fail-with-body" => self.fails = true,
            "-G" | "--get" => self.as_query = true,
            "--compressed" => self.packed = true,
            "-k" | "--insecure" => drop(self.keys.insert("insecure".into(), "-k in the curl command".into())),
            "-m" | "--max-time" => self.timeout_ms = seconds(&text),
            "-4" | "--ipv4" => drop(self.keys.insert("ip".into(), "4".into())),
            "-6" | "--ipv6" => drop(self.keys.insert("ip".into(), "6".into())),
            "-0" | "--http1.0" => self.lose("--http1.0: versions are 1.1, 2 and 3 here"),
            "--http1.1" => drop(self.keys.insert("http_version".into(), "1.1".into())),
            // It is what is spoken anyhow where the server offers it; curl falls back as well.
            "--http2" | "--no-http2" | "--basic" | "--no-keepalive" | "--tcp-nodelay" | "-q"
            | "--disable" => {}
            "--http2-prior-knowledge" => drop(self.keys.insert("http_version".into(), "2".into())),
            "--http3-only" => drop(self.keys.insert("http_version".into(), "3".into())),
            "-g" | "--globoff" => self.is_plain = true,
            "--cacert" => drop(self.keys.insert("ca".into(), literal(&text).into())),
            "-E" | "--cert" => self.certificate.0 = Some(text),
            "--key" => self.certificate.1 = Some(text),
            "-u" | "--user" => self.user = value.cloned(),
            "--digest" => self.digest = true,
            "--oauth2-bearer" => self.bearer = value.cloned(),
            "--retry" => self.retries = text.parse().ok(),
            "--url" => value.into_iter().for_each(|word| self.url(word)),
            _ => self.body_option(name, value, text),
        }
    }

    fn body_option(&mut self, name: &str, value: Option<&Word>, text: String) {
        self.data_is_open |=
            value.is_some_and(|word| word.is_open) && (name.starts_with("--data") || name == "-d");
        match name {
            "-d" | "--data" | "--data-ascii" | "--data-binary" if text.starts_with('@') => {
                self.file(&text[1..]);
            }
            "-d" | "--data" | "--data-ascii" => self.data.push(text.replace(['\r', '\n'], "")),
            "--data-raw" | "--data-binary" => self.data.push(text),
            "--data-urlencode" => match encoded_pair(&text) {
                Some(pair) => self.data.push(pair),
                None => self.lose("--data-urlencode: what is encoded stands in a file"),
            },
            "--url-query" => self.lose("--url-query: write it under `query`"),
            "--json" => {
                self.is_json = true;
                match text.strip_prefix('@') {
                    Some(path) => self.file(path),
                    None => self.data.push(text),
                }
            }
            "-F" | "--form" => self.form.push((text, true)),
            "--form-string" => self.form.push((text, false)),
            "-T" | "--upload-file" => {
                self.method.get_or_insert_with(|| "PUT".to_owned());
                self.file(&text);
            }
            "-x" | "--proxy" => {
                let url = if text.contains("://") { text } else { format!("http://{text}") };
                self.keys.insert("proxy".into(), url.into());
            }
            "--interface" if text.parse::<std::net::IpAddr>().is_ok() => {
                drop(self.keys.insert("source_address".into(), text.into()));
            }
            "--connect-to" => self.connect_to(&text),
            "--resolve" => self.resolve(&text),
            // A value may be a secret; the name says enough.
            other => self
                .lose(format!("{}: there is no such setting here", other.split('=').next().unwrap_or(other))),
        }
    }

    fn lose(&mut self, what: impl Into<String>) {
        self.lost.push(what.into());
    }

    fn header_of(&mut self, name: &str, value: Option<&Word>) {
        self.headers.extend(value.map(|word| (name.to_owned(), word.clone())));
    }

    fn header(&mut self, text: &str, is_open: bool) {
        match text.split_once(':') {
            Some((name, value)) if !value.trim().is_empty() => {
                let value = Word { text: value.trim().to_owned(), is_open, is_option: false };
                self.headers.push((name.trim().to_owned(), value));
            }
            None if text.starts_with('@') => self.lose("headers in a file"),
            // `X-Empty;` sends a header without a value, `X-None:` takes one away.
            _ => {
                self.lose(format!("the header {}: it is without a value", text.trim_end_matches([':', ';'])));
            }
        }
    }

    fn file(&mut self, path: &str) {
        if path == "-" {
            return self.lose("a body from standard input");
        }
        if self.keys.insert("file".into(), literal(path).into()).is_some() {
            self.lose("a second file as the body");
        }
    }

    /// `HOST:PORT:TO:TO_PORT`.
    fn connect_to(&mut self, text: &str) {
        let parts: Vec<_> = text.rsplitn(3, ':').collect();
        match parts.as_slice() {
            [port, host, _] if !host.is_empty() && !port.is_empty() => {
                self.keys.insert("connect_to".into(), literal(&format!("{host}:{port}")).into());
            }
            _ => self.lose("--connect-to: it names no host and port to connect to"),
        }
    }

    /// `HOST:PORT:ADDRESS`.
    fn resolve(&mut self, text: &str) {
        let mut parts = text.splitn(3, ':');
        let (port, address) = (parts.nth(1), parts.next().and_then(|all| all.split(',').next()));
        match (port, address) {
            (Some(port), Some(address)) if port.parse::<u16>().is_ok() => {
                self.keys.insert("connect_to".into(), literal(&format!("{address}:{port}")).into());
            }
            _ => self.lose("--resolve: it is not HOST:PORT:ADDRESS"),
        }
    }
}

/// `name=content` with the content encoded for a form; `None` if the content stands in a file.
fn encoded_pair(text: &str) -> Option<String> {
    let at = text.find(['=', '@']);
    if at.is_some_and(|at| text[at..].starts_with('@')) {
        return None;
    }
    let (name, content) = text.split_once('=').map_or(("", text), |(name, content)| (name, content));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let content: String = content
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    Some(if name.is_empty() { content } else { format!("{name}={content}") })
}

/// A URL as curl reads it: plain HTTP where nothing is said.
pub(super) fn with_scheme(url: &str) -> String {
    if url.contains("://") || url.starts_with('$') { url.to_owned() } else { format!("http://{url}") }
}
