//! `prober push`: validates the project, cuts it into the sets of its regions, signs and publishes them as one version.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use fleet::manifest::{KEYS_BYTES_MAX, SigningKey, Trust};
use fleet::nats::Nats;
use fleet::publish::{Edition, Outcome, PublishError, Publisher, first, publish, restore};
use fleet::set::ALL_REGIONS;
use fleet::{ConfigSource as _, SetVersion};
use model::time::{Clock as _, SystemClock};
use scenario::diagnostic::{Diagnostic, Severity};
use serde_json::json;

use super::args::{FactsFormat, Global, Push};
use super::engine;
use super::out::Out;
use super::place::{checked, env, host, options, place, runtime};
use crate::agent::fleet::shown::newest_applied;
use crate::agent::load::count;
use crate::agent::sets::{self, Cut};
use crate::exit::{Exit, Stop};

/// How long members of a fleet whose servers lost their data may take to say which version they apply: a call
/// that the servers never answered (5 s), the way back to them (1.6 s at most), a pause, and some room.
const LISTEN: Duration = Duration::from_secs(10);

/// Bits of a file's mode that let others than its owner at it.
const OTHERS: u32 = 0o077;

/// Publishes, or says what would be published.
pub(crate) fn push(global: &Global, args: &Push, out: &Out) -> Result<Exit, Stop> {
    let key = signing_key(&args.key)?;
    let trust = trust(&key, args)?;
    let (now, applied) = (SystemClock.now(), SetVersion::default());
    let publisher = Publisher { key: &key, trust: &trust, now, author: author(args), applied };
    engine::place(&args.engine)?;
    // A mistake in the files is found before anybody is asked.
    let editions = if args.rollback.is_none() { editions(global, out)? } else { Vec::new() };
    let outcome = runtime(Some(1))?.block_on(published((args, out), publisher, editions))?;
    match args.format {
        FactsFormat::Json => out.json(&shown(&outcome, args)),
        FactsFormat::Human => out.raw(told(&outcome, args).as_bytes()),
    }
    Ok(Exit::Good)
}

async fn published(
    (args, out): (&Push, &Out),
    mut publisher: Publisher<'_>,
    editions: Vec<Edition>,
) -> Result<Outcome, Stop> {
    let source = engine::connect(&args.engine).await?;
    engine::allowed(&source, "$KV.cfg._all.manifest", "publish scenario sets", "push").await?;
    let is_made = engine::is_made(&source).await?;
    if !is_made && !args.dry_run {
        engine::make(&source, &args.engine).await?;
    }
    if is_made || !args.dry_run {
        publisher.applied = applied(&source, args, out).await?;
    }
    let publisher = &publisher;
    let outcome = match args.rollback.map(SetVersion) {
        Some(version) if args.dry_run && !is_made => Err(PublishError::NoVersion(version, "none".to_owned())),
        Some(version) => restore(&source, publisher, version, args.dry_run).await,
        // To look is not to make anything.
        None if args.dry_run && !is_made => first(publisher, &editions),
        None => publish(&source, publisher, editions, args.dry_run).await,
    };
    outcome.map_err(|error| stop(&error))
}

/// The newest version that a member applies. Servers that have no set may have lost it: then members are waited for.
async fn applied(source: &Nats, args: &Push, out: &Out) -> Result<SetVersion, Stop> {
    let stop = |fault: fleet::Fault| Stop::environment(fault.to_string());
    let is_new = source.manifest(ALL_REGIONS).await.map_err(stop)?.is_none();
    if let Err(user) = engine::may(source, "$JS.API.CONSUMER.CREATE.KV_members.x.$KV.members.x.x").await {
        let remedy = "write its permissions anew: prober fleet init, then nats-server --signal reload";
        let why = format!("the login `{user}` may not see which version members apply; {remedy}");
        if is_new {
            return Err(Stop::environment(format!("{why}. The servers have no set, and may have lost one")));
        }
        out.note(&why);
        return Ok(SetVersion(0));
    }
    if is_new && !args.dry_run {
        out.note(&format!(
            "these servers have no set: waiting {} s for members that may apply one",
            LISTEN.as_secs()
        ));
    }
    let mut end = Instant::now() + if is_new && !args.dry_run { LISTEN } else { Duration::ZERO };
    let mut newest = None;
    loop {
        let found = newest_applied(source).await.map_err(stop)?;
        if found > newest {
            // Others, who may apply a newer one, come at the same time.
            end = end.min(Instant::now() + LISTEN / 10);
            newest = found;
        }
        if Instant::now() >= end {
            break;
        }
        tokio::time::sleep(LISTEN / 100).await;
    }
    Ok(newest.map_or(SetVersion(0), |(version, _)| version))
}

/// The sets of files without a mistake.
fn editions(global: &Global, out: &Out) -> Result<Vec<Edition>, Stop> {
    let place = place(global, &[])?;
    let checked = checked(&place, &options(&[], &[], host())?)?;
    let compiled = &checked.compiled;
    let errors = count(&compiled.diagnostics, Severity::Error);
    let warnings = count(&compiled.diagnostics, Severity::Warning);
    if errors > 0 {
        // What hides a secret in a line goes along, whatever it is.
        let is_wanted = |one: &&Diagnostic| one.severity == Severity::Error || one.masked;
        let wrong: Vec<_> = compiled.diagnostics.iter().filter(is_wanted).cloned().collect();
        let style = &scenario::render::Style::PLAIN;
        out.note_warnings(&scenario::render::human(&wrong, &compiled.sources, style));
        let plural = if errors == 1 { "" } else { "s" };
        return Err(Stop::file(format!(
            "nothing is pushed: the files have {errors} mistake{plural}; prober validate shows them"
        )));
    }
    if warnings > 0 {
        let plural = if warnings == 1 { "" } else { "s" };
        out.note(&format!("the files have {warnings} warning{plural}; prober validate shows them"));
    }
    let cuts = sets::cut(&place, &checked).map_err(|error| Stop::file(error.to_string()))?;
    Ok(cuts.into_iter().map(|Cut { region, set, plans }| Edition { region, set, plans }).collect())
}

fn signing_key(path: &Path) -> Result<SigningKey, Stop> {
    let text = read(path, "make one with `prober fleet init`, or name it with --key")?;
    let mode = fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
    if mode & OTHERS != 0 {
        return Err(Stop::environment(format!(
            "{}: others can read the key; type chmod 600 {0}",
            path.display()
        )));
    }
    SigningKey::from_pem(&text).map_err(|error| Stop::file(format!("{}: {error}", path.display())))
}

/// Whose earlier versions are believed: the named file's keys, or the own one alone.
fn trust(key: &SigningKey, args: &Push) -> Result<Trust, Stop> {
    let beside = args.key.with_file_name("trusted-keys");
    let path = match &args.trust {
        Some(path) => path,
        None if beside.exists() => &beside,
        None => return Ok(Trust::of([key.public()])),
    };
    let trust = trusted(path)?;
    if trust.has(&key.public()) {
        return Ok(trust);
    }
    Err(Stop::file(format!(
        "{}: probers would not believe this key; add the line\n  {}",
        path.display(),
        key.public().line("of the key that pushes")
    )))
}

/// The keys of a file.
pub(crate) fn trusted(path: &Path) -> Result<Trust, Stop> {
    let text = read(path, "it is what `prober fleet init` wrote as trusted-keys")?;
    Trust::read(&text).map_err(|error| Stop::file(format!("{}: {error}", path.display())))
}

fn read(path: &Path, remedy: &str) -> Result<String, Stop> {
    let cannot = |error: std::io::Error| Stop::environment(format!("{}: {error}; {remedy}", path.display()));
    let size = fs::metadata(path).map_err(cannot)?.len();
    if size > KEYS_BYTES_MAX as u64 {
        return Err(Stop::file(format!("{}: this is too long for keys", path.display())));
    }
    fs::read_to_string(path).map_err(cannot)
}

/// Who publishes, as others will see it.
fn author(args: &Push) -> String {
    let name = args.author.clone().or_else(|| env("USER")).unwrap_or_else(|| "somebody".to_owned());
    let text = if args.author.is_some() { name } else { format!("{name}@{}", host()) };
    model::outcome::cut(text, fleet::manifest::WORDS_BYTES_MAX)
}

fn stop(error: &PublishError) -> Stop {
    match error {
        PublishError::NoVersion(..) | PublishError::Unfinished { .. } | PublishError::Set { .. } => {
            Stop::file(error.to_string())
        }
        _ => Stop::environment(error.to_string()),
    }
}

fn told(outcome: &Outcome, args: &Push) -> String {
    let Outcome { version, continues, regions } = outcome;
    let would = if args.dry_run { "would be " } else { "" };
    if regions.is_empty() {
        return format!("nothing has changed since version {version}\n");
    }
    let mut text = match args.rollback {
        Some(old) => format!("version {version} {would}published: version {old} again\n"),
        None => format!("version {version} {would}published\n"),
    };
    if let Some(applied) = continues {
        writeln!(
            text,
            "  the servers had lost version {applied}, which members apply: it goes on from there"
        )
        .expect("a text takes more");
    }
    for one in regions {
        let name = if one.region == ALL_REGIONS { "all regions" } else { &one.region };
        let before = one.before.map_or_else(|| "new".to_owned(), |before| format!("was version {before}"));
        let plans = if one.plans == 1 { "1 plan".to_owned() } else { format!("{} plans", one.plans) };
        let sent = match one.bytes.div_ceil(1024) {
            0 => "all files were there already".to_owned(),
            size if args.dry_run => format!("{size} KiB to send"),
            size => format!("{size} KiB sent"),
        };
        writeln!(text, "  {name:<16} {plans}, {before}, {sent}").expect("a text takes more");
    }
    if !args.dry_run {
        writeln!(text, "it holds in {} s", fleet::publish::EFFECTIVE_AFTER.as_secs())
            .expect("a text takes more");
    }
    text
}

fn shown(outcome: &Outcome, args: &Push) -> serde_json::Value {
    let regions = outcome.regions.iter().map(|one| {
        json!({
            "region": one.region, "plans": one.plans, "before": one.before.map(|before| before.0),
            "packs": one.packs, "bytes": one.bytes,
        })
    });
    json!({
        "version": outcome.version.0, "continues": outcome.continues.map(|version| version.0), "dry_run": args.dry_run, "changed": !outcome.regions.is_empty(),
        "restores": args.rollback, "regions": regions.collect::<serde_json::Value>(),
    })
}
