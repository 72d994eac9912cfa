//! Who may do what at the servers of NATS, as the text of their configuration.
//!
//! A server has one account for the fleet and a user for each part of it. A user of a region may publish events of its region
//! only and read its region's sets only; whoever publishes sets may not publish events; whoever keeps the account publishes no
//! events either, and writes sets only to put back what servers lost: it has no key to sign one of its own.
//! Answers come to inboxes that are each user's own, so that nobody hears what another one is told.
//!
//! Pure: passwords are handed in. Deliberately absent: the signing key of sets, which is no credential of a server.

use std::fmt::Write as _;

/// The account of the fleet at its servers.
pub const ACCOUNT: &str = "FLEET";

/// The name under which leaves reach what the servers store.
const DOMAIN: &str = "fleet";

/// The oldest version of the server that a fleet is built on.
pub const SERVER_MIN: [u64; 3] = [2, 12, 8];

/// Whether a server of this version is one that a fleet is built on.
pub fn is_new_enough(version: &str) -> bool {
    let parts: Vec<u64> = version.split(['.', '-']).map_while(|part| part.parse().ok()).collect();
    parts.as_slice() >= SERVER_MIN.as_slice()
}

/// The buckets whose keys begin with a region, and the keys of one region in them that a prober there writes.
const BUCKETS: [(&str, &[&str]); 4] =
    [("cfg", &[]), ("members", &["members.{region}.*"]), ("own", &["own.{region}.>"]), ("conf", &[])];

/// A part of the fleet that has a login of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The probers of a region.
    Agent(String),
    /// Whoever keeps the account.
    Hub,
    /// Whoever publishes scenario sets.
    Push,
}

/// A part and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Whose.
    pub part: Part,
    /// Letters, digits, `-` and `_`; never shown.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Login({})", self.part.user())
    }
}

impl Part {
    /// The name of its user: `agent-eu`, `hub` or `push`.
    pub fn user(&self) -> String {
        match self {
            Self::Agent(region) => format!("agent-{region}"),
            Self::Hub => "hub".to_owned(),
            Self::Push => "push".to_owned(),
        }
    }

    /// The part whose user has this name.
    pub fn of_user(user: &str) -> Option<Self> {
        match (user, user.strip_prefix("agent-")) {
            ("hub", _) => Some(Self::Hub),
            ("push", _) => Some(Self::Push),
            (_, Some(region)) if crate::is_key_part(region) => Some(Self::Agent(region.to_owned())),
            _ => None,
        }
    }

    /// The subjects that its user may publish to.
    pub fn publishes(&self) -> Vec<String> {
        // What this login may do, and how the streams are: `prober doctor --fleet` asks.
        let mut subjects =
            ["$SYS.REQ.USER.INFO", "$JS.API.INFO", "$JS.API.STREAM.INFO.*"].map(str::to_owned).to_vec();
        match self {
            Self::Agent(region) => {
                for (bucket, written) in BUCKETS {
                    subjects.extend(read(bucket, &format!("{region}.>")));
                    subjects.extend(
                        written.iter().map(|keys| format!("$KV.{}", keys.replace("{region}", region))),
                    );
                }
                // Through a leaf the servers know the same under the name of their domain.
                let through: Vec<_> = subjects.iter().filter_map(|subject| in_domain(subject)).collect();
                subjects.extend(through);
                subjects.extend([format!("sli.{region}.>"), format!("beat.{region}")]);
            }
            Self::Hub => {
                subjects.extend(prepare());
                for (bucket, _) in BUCKETS {
                    subjects.extend(read(bucket, ">"));
                }
                let more = [
                    "$JS.API.CONSUMER.*.SLI.>",
                    "$JS.API.CONSUMER.CREATE.SLI",
                    "$JS.API.CONSUMER.MSG.NEXT.SLI.>",
                    "$JS.API.DIRECT.GET.SLI",
                    "$JS.ACK.SLI.>",
                    "$JS.FC.SLI.>",
                    // What servers lost is put back; the signatures say whose it is.
                    "$KV.cfg.>",
                    "$KV.conf.>",
                    "$KV.members.>",
                    "$KV.own.>",
                    "beat.*",
                ];
                subjects.extend(more.map(str::to_owned));
            }
            Self::Push => {
                subjects.extend(prepare());
                subjects.extend(read("cfg", ">"));
                // Which version members apply, where the servers have lost theirs.
                subjects.extend(read("members", ">"));
                subjects.push("$KV.cfg.>".to_owned());
            }
        }
        subjects
    }

    /// The subjects that its user may hear.
    pub fn hears(&self) -> Vec<String> {
        let mut subjects = vec![format!("{}.>", inbox(&self.user()))];
        match self {
            Self::Agent(region) => subjects.push(format!("beat.{region}")),
            Self::Hub => subjects.push("beat.*".to_owned()),
            Self::Push => {}
        }
        subjects
    }
}

/// Whether whoever may use `pattern` may use `subject`: `*` stands for one part, `>` for one or more at the end.
pub fn covers(pattern: &str, subject: &str) -> bool {
    let mut parts = subject.split('.');
    for wanted in pattern.split('.') {
        match (wanted, parts.next()) {
            (">", Some(_)) => return true,
            ("*", Some(part)) if part != ">" => {}
            (wanted, Some(part)) if wanted == part => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

/// Where answers to `user` go.
pub fn inbox(user: &str) -> String {
    format!("_INBOX_{user}")
}

/// What a leaf makes of a subject that servers do not take from leaves as it stands.
fn in_domain(subject: &str) -> Option<String> {
    let prefix = format!("$JS.{DOMAIN}.API.");
    match subject.strip_prefix("$JS.API.") {
        Some(rest) => Some(prefix + rest),
        None => subject.starts_with("$KV.").then(|| prefix + subject),
    }
}

/// What reads keys of a bucket: single ones, and watches. The server sees to it that a watch is of the keys in its subject.
fn read(bucket: &str, keys: &str) -> [String; 5] {
    [
        format!("$JS.API.DIRECT.GET.KV_{bucket}.$KV.{bucket}.{keys}"),
        format!("$JS.API.CONSUMER.CREATE.KV_{bucket}.*.$KV.{bucket}.{keys}"),
        format!("$JS.API.CONSUMER.INFO.KV_{bucket}.*"),
        format!("$JS.API.CONSUMER.DELETE.KV_{bucket}.*"),
        format!("$JS.FC.KV_{bucket}.>"),
    ]
}

/// What makes the buckets and the stream, or brings them up to a newer version; nobody may delete them.
fn prepare() -> impl Iterator<Item = String> {
    let streams = BUCKETS.iter().map(|(bucket, _)| format!("KV_{bucket}")).chain(["SLI".to_owned()]);
    streams.flat_map(|stream| ["CREATE", "UPDATE"].map(|action| format!("$JS.API.STREAM.{action}.{stream}")))
}

/// The file of the users, which the server's own file includes. It has passwords: nobody else may read it.
pub fn users(logins: &[Login]) -> String {
    let mut out = String::from(
        "# Written by `prober fleet init`, which adds what is missing. Whoever reads this can log in.\n",
    );
    writeln!(out, "accounts {{\n  {ACCOUNT} {{\n    jetstream: enabled\n    users: [")
        .expect("a text takes more");
    for login in logins {
        out.push_str(&user(login));
    }
    out.push_str("    ]\n  }\n}\n");
    out
}

/// One user of an account.
fn user(Login { part, password }: &Login) -> String {
    let list = |subjects: Vec<String>| {
        let quoted: Vec<_> = subjects.iter().map(|subject| format!("          \"{subject}\"\n")).collect();
        quoted.concat()
    };
    let (publishes, hears) = (list(part.publishes()), list(part.hears()));
    format!(
        "      {{ user: \"{}\", password: \"{password}\", permissions: {{\n        publish: {{ allow: [\n{publishes}        ] }}\n        subscribe: {{ allow: [\n{hears}        ] }}\n      }} }}\n",
        part.user()
    )
}

/// A certificate, its key, and who signed it, as paths in the server's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The chain.
    pub cert: String,
    /// Its key.
    pub key: String,
    /// Who signed the certificates of the other servers.
    pub ca: String,
}

impl Tls {
    fn block(&self, verify: bool) -> String {
        let verify = if verify { ", verify: true" } else { "" };
        format!(
            "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\"{verify}, timeout: 5 }}",
            self.cert, self.key, self.ca
        )
    }
}

/// One of the servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name in the cluster.
    pub name: String,
    /// Host and port for clients.
    pub listen: String,
    /// Host and port for the other servers; `None` if it is alone.
    pub cluster: Option<String>,
    /// Host and port for leaves.
    pub leaves: String,
}

/// The port of a server for the others of its cluster.
const CLUSTER_PORT: u16 = 6222;
/// The port of a server for leaves.
const LEAF_PORT: u16 = 7422;

impl Node {
    /// The servers at these hosts, each with or without a port: one, or those of a cluster.
    pub fn all(hosts: &[String]) -> Vec<Self> {
        let port = |host: &str| host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let node = |(index, host): (usize, &String)| {
            let bare =
                if port(host) { host.rsplit_once(':').map_or(host.as_str(), |(bare, _)| bare) } else { host };
            let listen = if port(host) { host.clone() } else { format!("{host}:4222") };
            // On one machine the servers of a cluster need different ports.
            let shared = hosts.iter().filter(|other| other.split(':').next() == Some(bare)).count() > 1;
            let offset = if shared { u16::try_from(index).unwrap_or_default() } else { 0 };
            let cluster = (hosts.len() > 1).then(|| format!("{bare}:{}", CLUSTER_PORT + offset));
            let leaves = format!("{bare}:{}", LEAF_PORT + offset);
            Self { name: format!("n{}", index + 1), listen, cluster, leaves }
        };
        hosts.iter().enumerate().map(node).collect()
    }
}

/// What a server's configuration has so that leaves find it.
pub fn leaf_listener(node: &Node, tls: Option<&Tls>) -> String {
    let tls = tls.map_or_else(String::new, |tls| format!(", {}", tls.block(false)));
    format!("leafnodes {{ listen: \"{}\"{tls} }}", node.leaves)
}

/// The configuration of `node`, one of `nodes`, with or without a door for leaves; events are on the disk before the
/// server says so.
pub fn server(node: &Node, nodes: &[Node], tls: Option<&Tls>, with_leaves: bool) -> String {
    let Node { name, listen, cluster, .. } = node;
    let monitor = 8222 + nodes.iter().position(|one| one == node).unwrap_or_default();
    let mut out = format!(
        "# A server of the fleet, written by `prober fleet init`. Needs nats-server 2.12.8 or newer; try it with `nats-server -t -c FILE`.\n\
         server_name: \"{name}\"\nlisten: \"{listen}\"\n\
         # What `prober doctor --fleet` reads: only from this machine, and without a password.\n\
         http: \"127.0.0.1:{monitor}\"\n\
         max_payload: 1MB\n\
         jetstream {{\n  domain: {DOMAIN}\n  store_dir: \"data/{name}\"\n  max_memory_store: 64MB\n  max_file_store: 20GB\n\
         \x20 # What the server has acknowledged outlives a power cut.\n  sync_interval: always\n}}\n"
    );
    if let Some(tls) = tls {
        writeln!(out, "{}", tls.block(false)).expect("a text takes more");
    }
    if let Some(cluster) = cluster {
        let others = nodes.iter().filter(|one| *one != node).filter_map(|one| one.cluster.as_ref());
        let others: Vec<_> = others.map(|route| format!("    \"nats://{route}\"\n")).collect();
        let others = others.concat();
        write!(out, "cluster {{\n  name: fleet\n  listen: \"{cluster}\"\n  routes: [\n{others}  ]\n")
            .expect("a text takes more");
        if let Some(tls) = tls {
            // Between servers both sides show who they are: there is no password to know.
            writeln!(out, "  {}", tls.block(true)).expect("a text takes more");
        }
        out.push_str("}\n");
    }
    if with_leaves {
        writeln!(out, "{}", leaf_listener(node, tls)).expect("a text takes more");
    }
    out.push_str("include \"users.conf\"\n");
    out
}

/// The configuration of a leaf: a server for the probers of `login`'s region that listens on `listen`, passes on what they
/// say, and keeps nothing.
pub fn leaf(login: &Login, listen: &str, nodes: &[Node], tls: Option<&Tls>) -> String {
    let (name, password) = (login.part.user(), &login.password);
    let (scheme, ca) = match tls {
        Some(tls) => ("tls", format!(", tls: {{ ca_file: \"{}\" }}", tls.ca)),
        None => ("nats", String::new()),
    };
    let remotes = nodes.iter().map(|node| format!("\"{scheme}://{name}:{password}@{}\"", node.leaves));
    let remotes: Vec<_> = remotes.collect();
    let door = tls.map_or_else(String::new, |tls| format!("{}\n", tls.block(false)));
    format!(
        "# A leaf of the fleet: the probers beside it reach the fleet's servers through it. Written by `prober fleet init`.\n\
         # Its own login at the fleet is that of their region, so what it passes on is what they may do.\n\
         server_name: \"leaf-{name}\"\nlisten: \"{listen}\"\nmax_payload: 1MB\n{door}\
         accounts {{\n  {ACCOUNT} {{\n\
         \x20   # What the servers store has another name here.\n\
         \x20   mappings: {{ \"$JS.API.>\": \"$JS.{DOMAIN}.API.>\", \"$KV.>\": \"$JS.{DOMAIN}.API.$KV.>\" }}\n\
         \x20   users: [\n{}    ]\n  }}\n}}\n\
         leafnodes {{ remotes: [ {{ urls: [{}], account: {ACCOUNT}{ca} }} ] }}\n",
        user(login),
        remotes.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_its_own_subjects_and_no_others() {
        let part = Part::Agent("eu".into());
        let fixed = [
            "$SYS.REQ.USER.INFO",
            "$JS.API.INFO",
            "$JS.API.STREAM.INFO.*",
            "$JS.fleet.API.INFO",
            "$JS.fleet.API.STREAM.INFO.*",
        ];
        for subject in part.publishes() {
            let own = subject.contains(".eu") || fixed.contains(&subject.as_str());
            // Of a consumer only its random name is told, and flow control says nothing.
            let consumer = subject.contains("CONSUMER.INFO")
                || subject.contains("CONSUMER.DELETE")
                || subject.starts_with("$JS.FC");
            assert!(own || consumer, "{subject}");
        }
        assert!(part.publishes().contains(&"sli.eu.>".to_owned()));
        assert_eq!(part.hears(), ["_INBOX_agent-eu.>", "beat.eu"]);
    }

    #[test]
    fn nobody_does_what_is_another_ones_work() {
        let may = |part: &Part, subject: &str| part.publishes().iter().any(|one| one.starts_with(subject));
        assert!(!may(&Part::Hub, "sli."));
        assert!(!may(&Part::Push, "sli.") && !may(&Part::Push, "$KV.own") && !may(&Part::Push, "$KV.conf"));
        assert!(!may(&Part::Push, "$KV.members"));
        assert!(!may(&Part::Agent("eu".into()), "$KV.cfg") && !may(&Part::Agent("eu".into()), "$KV.conf"));
        for part in [Part::Hub, Part::Push, Part::Agent("eu".into())] {
            let deletes =
                ["$JS.API.STREAM.DELETE", "$JS.API.STREAM.PURGE", "$JS.API.STREAM.MSG.DELETE", "$JS.API.>"];
            assert!(deletes.iter().all(|subject| !may(&part, subject)), "{part:?}");
        }
    }

    #[test]
    fn old_servers_are_known() {
        for (version, expected) in [
            ("2.12.8", true),
            ("2.15.1", true),
            ("3.0.0", true),
            ("2.13.0-preview.1", true),
            ("2.12.7", false),
            ("2.9.10", false),
            ("2.12", false),
            ("", false),
            ("next", false),
        ] {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }

    #[test]
    fn patterns_cover_subjects() {
        for (pattern, subject, expected) in [
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("a.b.c", "a.b", false),
            ("a.*", "a.b", true),
            ("a.*", "a.b.c", false),
            ("a.*.c", "a.b.c", true),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            (">", "a", true),
            ("a.*", "a.>", false),
            ("a.>", "a.>", true),
            ("a.b", "a.*", false),
        ] {
            assert_eq!(covers(pattern, subject), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn users_have_their_parts() {
        for part in [Part::Agent("eu-west_1".into()), Part::Hub, Part::Push] {
            assert_eq!(Part::of_user(&part.user()), Some(part));
        }
        for user in ["", "agent-", "agent-e.u", "root"] {
            assert_eq!(Part::of_user(user), None);
        }
        let login = Login { part: Part::Hub, password: "very-secret".into() };
        assert!(!format!("{login:?}").contains("secret"));
        assert!(users(&[login]).contains("user: \"hub\", password: \"very-secret\""));
    }

    #[test]
    fn servers_of_one_machine_have_ports_of_their_own() {
        let hosts: Vec<_> = ["127.0.0.1:4222", "127.0.0.1:4223", "127.0.0.1:4224"].map(str::to_owned).into();
        let nodes = Node::all(&hosts);
        let clusters: Vec<_> = nodes.iter().filter_map(|node| node.cluster.as_deref()).collect();
        assert_eq!(clusters, ["127.0.0.1:6222", "127.0.0.1:6223", "127.0.0.1:6224"]);
        let hosts: Vec<_> = ["a.example", "b.example", "c.example"].map(str::to_owned).into();
        let nodes = Node::all(&hosts);
        assert_eq!(
            (nodes[1].listen.as_str(), nodes[1].cluster.as_deref()),
            ("b.example:4222", Some("b.example:6222"))
        );
        let alone = Node::all(&hosts[..1]);
        assert_eq!(alone[0].cluster, None);
        assert!(!server(&alone[0], &alone, None, false).contains("cluster"));
        let text = server(&nodes[0], &nodes, None, true);
        assert!(text.contains("leafnodes { listen: \"a.example:7422\" }"), "{text}");
        assert!(text.contains("nats://b.example:6222") && !text.contains("nats://a.example:6222"), "{text}");
    }
}
