//! `prober fleet init`: the signing key, logins, and the configuration of the servers.
//!
//! What is there stays, and what is missing is made, so that the command can be given again for a region more. The logins
//! are the truth: the servers' file of users is written anew from all of them.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use fleet::access::{self, Login, Node, Part, Tls};
use fleet::manifest::{KEYS_BYTES_MAX, SigningKey};

use crate::cli::args::{FleetInit, Global};
use crate::cli::out::Out;
use crate::cli::place::{checked, host, options, place};
use crate::cli::push::trusted as trusted_keys;
use crate::exit::{Exit, Stop};

/// The file of the key that sets are signed with.
const SET_KEY: &str = "set-key.pem";
/// The file of the keys whose sets are believed.
const TRUSTED_KEYS: &str = "trusted-keys";
/// What must not get into a repository: everything but whose sets are believed, and the servers' own files.
const UNTRACKED: &str =
    "# Secrets, and what servers store.\nset-key.pem\nlogin/\nleaf-*/\nnats/users.conf*\nnats/data/\n";
/// What is said of a file that stays, though the command line asks for another.
const DIFFERS: &str = ", which would be another one now; remove it to have it made anew";
/// Only the owner reads it.
const SECRET_MODE: u32 = 0o600;
/// Everybody may read it.
const OPEN_MODE: u32 = 0o644;

/// Makes what is missing.
pub(super) fn init(global: &Global, args: &FleetInit, out: &Out) -> Result<Exit, Stop> {
    let mut regions = regions(global, args)?;
    let tls = tls(args)?;
    let nodes = nodes(args, tls.as_ref())?;
    let leaves = leaves(args, tls.as_ref())?;
    regions.extend(leaves.iter().map(|leaf| leaf.region.clone()));
    all_are_names(&regions)?;
    let desk = Desk { dir: args.dir.clone(), out };
    desk.folder("login")?;
    desk.folder("nats")?;
    desk.make(".gitignore", OPEN_MODE, UNTRACKED)?;
    desk.keys()?;
    let logins = desk.logins(&regions, &nodes, tls.is_some())?;
    desk.write("nats/users.conf", SECRET_MODE, &access::users(&logins))?;
    for node in &nodes {
        let text = access::server(node, &nodes, tls.as_ref(), !leaves.is_empty());
        desk.make(&format!("nats/{}.conf", node.name), OPEN_MODE, &text)?;
    }
    for leaf in &leaves {
        desk.leaf(leaf, &logins, &nodes, tls.as_ref())?;
    }
    next(&desk, &nodes, &leaves);
    Ok(Exit::Good)
}

/// A server beside the probers of a region.
struct Leaf {
    region: String,
    /// Host and port.
    listen: String,
}

/// What to type next.
fn next(desk: &Desk<'_>, nodes: &[Node], leaves: &[Leaf]) {
    let dir = desk.dir.display();
    let configs: Vec<_> = nodes.iter().map(|node| format!("nats-server -c {}.conf", node.name)).collect();
    desk.out.note(&format!("next, in {dir}/nats: {}", configs.join(", and on the others: ")));
    for Leaf { region, .. } in leaves {
        desk.out.note(&format!(
            "beside the probers of {region}, in {dir}/leaf-{region}: nats-server -c leaf.conf"
        ));
    }
    desk.out.note(&format!("keep {dir}/{SET_KEY} where you push from, and {dir}/login/ as secrets"));
}

/// The regions that were named, or those of the project.
fn regions(global: &Global, args: &FleetInit) -> Result<Vec<String>, Stop> {
    if !args.regions.is_empty() {
        return Ok(args.regions.clone());
    }
    let compiled = checked(&place(global, &[])?, &options(&[], &[], host())?)?.compiled;
    Ok(compiled.project.regions().iter().map(ToString::to_string).collect())
}

fn all_are_names(regions: &[String]) -> Result<(), Stop> {
    // What begins otherwise is not a region's, such as the set of all of them.
    let fine = |region: &String| {
        fleet::is_key_part(region) && region.starts_with(|letter: char| letter.is_ascii_alphanumeric())
    };
    match regions.iter().find(|region| !fine(region)) {
        None => Ok(()),
        Some(region) => Err(Stop::file(format!(
            "region `{region}` cannot be in a fleet: the names of its regions have letters, digits, `-` and `_` only"
        ))),
    }
}

fn tls(args: &FleetInit) -> Result<Option<Tls>, Stop> {
    let (Some(cert), Some(key), Some(ca)) = (&args.tls_cert, &args.tls_key, &args.tls_ca) else {
        return Ok(None);
    };
    for path in [cert, key, ca] {
        if path.contains(['"', '\\', '\n']) {
            return Err(Stop::file(format!("the path {path} cannot stand in a server's configuration")));
        }
    }
    Ok(Some(Tls { cert: cert.clone(), key: key.clone(), ca: ca.clone() }))
}

fn nodes(args: &FleetInit, tls: Option<&Tls>) -> Result<Vec<Node>, Stop> {
    if ![1, 3, 5].contains(&args.hosts.len()) {
        return Err(Stop::file(format!(
            "{} servers cannot outvote each other: name one, three or five with --host",
            args.hosts.len()
        )));
    }
    args.hosts.iter().try_for_each(|host| reachable("--host", host, tls))?;
    Ok(Node::all(&args.hosts))
}

fn leaves(args: &FleetInit, tls: Option<&Tls>) -> Result<Vec<Leaf>, Stop> {
    let leaf = |text: &String| {
        let (region, host) = text.split_once('=').unwrap_or((text, "127.0.0.1"));
        reachable("--leaf", host, tls)?;
        let listen = Node::all(&[host.to_owned()]).remove(0).listen;
        Ok(Leaf { region: region.to_owned(), listen })
    };
    args.leaves.iter().map(leaf).collect()
}

/// Refuses what is no host, and a host elsewhere that would speak in the clear.
fn reachable(flag: &str, host: &str, tls: Option<&Tls>) -> Result<(), Stop> {
    let fine = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | ':' | '[' | ']');
    if host.is_empty() || !host.chars().all(fine) {
        return Err(Stop::file(format!("{flag} {host}: write HOST or HOST:PORT")));
    }
    if tls.is_none() && !is_loopback(host) {
        return Err(Stop::file(format!(
            "{flag} {host}: a server that others can reach speaks TLS; name --tls-cert, --tls-key and --tls-ca"
        )));
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let bare =
        host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(bare, _)| bare);
    bare == "localhost" || bare.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The folder that is filled.
struct Desk<'a> {
    dir: PathBuf,
    out: &'a Out,
}

impl Desk<'_> {
    fn folder(&self, name: &str) -> Result<(), Stop> {
        let path = self.dir.join(name);
        fs::create_dir_all(&path).map_err(|error| cannot(&path, &error))
    }

    /// The signing key, and its public half among those that are trusted.
    fn keys(&self) -> Result<(), Stop> {
        let path = self.dir.join(SET_KEY);
        let key = if path.exists() {
            let text = read(&path)?;
            self.out.note(&format!("kept {}", path.display()));
            SigningKey::from_pem(&text).map_err(|error| Stop::file(format!("{}: {error}", path.display())))?
        } else {
            let (key, pem) = SigningKey::generate().map_err(|error| Stop::environment(error.to_string()))?;
            self.make(SET_KEY, SECRET_MODE, &pem)?;
            key
        };
        let line = key.public().line("made by prober fleet init");
        let trusted = self.dir.join(TRUSTED_KEYS);
        if trusted.exists() && !trusted_keys(&trusted)?.has(&key.public()) {
            return Err(Stop::file(format!(
                "{}: probers would not believe {}; add the line\n  {line}",
                trusted.display(),
                path.display()
            )));
        }
        let text = format!("# Whose scenario sets are believed; a key a line.\n{line}\n");
        self.make(TRUSTED_KEYS, OPEN_MODE, &text)
    }

    /// The logins that are there and those of `regions`, which are made if they are missing.
    fn logins(&self, regions: &[String], nodes: &[Node], is_tls: bool) -> Result<Vec<Login>, Stop> {
        let mut parts: Vec<_> =
            regions.iter().cloned().map(Part::Agent).chain([Part::Hub, Part::Push]).collect();
        let folder = self.dir.join("login");
        for entry in fs::read_dir(&folder).map_err(|error| cannot(&folder, &error))? {
            let name = entry.map_err(|error| cannot(&folder, &error))?.file_name();
            parts.extend(name.to_str().and_then(Part::of_user));
        }
        parts.sort();
        parts.dedup();
        parts.into_iter().map(|part| self.login(part, nodes, is_tls)).collect()
    }

    fn login(&self, part: Part, nodes: &[Node], is_tls: bool) -> Result<Login, Stop> {
        let name = format!("login/{}", part.user());
        let path = self.dir.join(&name);
        let password = if path.exists() {
            password(&path, &part.user(), &read(&path)?)?
        } else {
            fleet::manifest::password().map_err(|error| Stop::environment(error.to_string()))?
        };
        let login = Login { part, password };
        let hosts: Vec<_> = nodes.iter().map(|node| node.listen.as_str()).collect();
        self.make(&name, SECRET_MODE, &urls(&login, &hosts, is_tls))?;
        Ok(login)
    }

    /// A leaf's configuration, and the login of its region that leads to it.
    fn leaf(&self, leaf: &Leaf, logins: &[Login], nodes: &[Node], tls: Option<&Tls>) -> Result<(), Stop> {
        let Leaf { region, listen } = leaf;
        let of_region = |login: &&Login| login.part == Part::Agent(region.clone());
        let login = logins.iter().find(of_region).expect("every region has a login");
        let folder = format!("leaf-{region}");
        self.folder(&folder)?;
        let text = access::leaf(login, listen, nodes, tls);
        self.make(&format!("{folder}/leaf.conf"), SECRET_MODE, &text)?;
        self.make(&format!("{folder}/login"), SECRET_MODE, &urls(login, &[listen], tls.is_some()))
    }

    /// Writes a file that is not there yet.
    fn make(&self, name: &str, mode: u32, text: &str) -> Result<(), Stop> {
        let path = self.dir.join(name);
        match OpenOptions::new().write(true).create_new(true).mode(mode).open(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).map_err(|error| cannot(&path, &error))?;
                self.out.note(&format!("made {}", path.display()));
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // Keys of others may have been added to those that are trusted.
                let is_ours = name != TRUSTED_KEYS && name != SET_KEY;
                let more = if is_ours && read(&path)? != text { DIFFERS } else { "" };
                self.out.note(&format!("kept {}{more}", path.display()));
                Ok(())
            }
            Err(error) => Err(cannot(&path, &error)),
        }
    }

    /// Writes a file whether it is there or not: beside its place first, so that it is never half there.
    fn write(&self, name: &str, mode: u32, text: &str) -> Result<(), Stop> {
        let path = self.dir.join(name);
        let new = self.dir.join(format!("{name}.new"));
        let written = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new);
        written
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|error| cannot(&path, &error))?;
        self.out.note(&format!("wrote {}", path.display()));
        Ok(())
    }
}

/// The password of a login's file.
fn password(path: &Path, user: &str, text: &str) -> Result<String, Stop> {
    let password = text.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
    let password = password.and_then(|(login, _)| login.strip_prefix(&format!("{user}:")));
    let fine = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let password = password.filter(|password| !password.is_empty() && password.chars().all(fine));
    let wrong =
        || Stop::file(format!("{} is no login of `{user}`; remove it to get a new one", path.display()));
    password.map(ToOwned::to_owned).ok_or_else(wrong)
}

/// The text of a login: a URL for each server.
fn urls(login: &Login, hosts: &[&str], is_tls: bool) -> String {
    let (scheme, user) = (if is_tls { "tls" } else { "nats" }, login.part.user());
    let url = |host: &&str| format!("{scheme}://{user}:{}@{host}", login.password);
    format!("{}\n", hosts.iter().map(url).collect::<Vec<_>>().join(","))
}

fn read(path: &Path) -> Result<String, Stop> {
    let size = fs::metadata(path).map_err(|error| cannot(path, &error))?.len();
    if size > KEYS_BYTES_MAX as u64 {
        return Err(Stop::file(format!("{} is too long", path.display())));
    }
    fs::read_to_string(path).map_err(|error| cannot(path, &error))
}

fn cannot(path: &Path, error: &std::io::Error) -> Stop {
    Stop::environment(format!("{}: {error}", path.display()))
}
