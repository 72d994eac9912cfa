//! `prober config`: every setting, its value, and where that comes from.

use std::collections::BTreeMap;

use clap::ArgMatches;
use clap::parser::ValueSource;
use scenario::compile::Compiled;
use scenario::diagnostic::Report;
use scenario::file::TIMEOUT_DEFAULT;
use scenario::lint::is_secret_variable;
use scenario::project::SecretSource;
use scenario::render::locate;
use scenario::source::Source;
use scenario::tree::{self, Node, NodeValue};
use scenario::units::show_duration;
use serde_json::json;

use super::args::{Config, FactsFormat, Global, Serve};
use super::out::Out;
use super::place::{checked, env, host, options, pairs, place};
use super::show::{SettingRow, settings_table};
use crate::agent::files::PROJECT_FILE;
use crate::agent::serve::{LISTEN, in_flight_max};
use crate::exit::{Exit, Stop};

/// What is set nowhere.
const BUILT_IN: &str = "built-in";

/// Shows the settings that `prober serve` would have with these flags.
pub(crate) fn config(global: &Global, args: &Config, matches: &ArgMatches, out: &Out) -> Result<Exit, Stop> {
    let place = place(global, &[])?;
    let root = place.project_root().map_err(|error| Stop::file(error.to_string()))?;
    let serve = &args.serve;
    let checked = checked(
        &place,
        &options(&serve.vars, &serve.regions, serve.lasting.id.clone().unwrap_or_else(host))?,
    )?;
    let file = ProjectFile::of(&checked.compiled);
    let flags = Flags(matches.subcommand_matches("config").unwrap_or(matches));
    let mut rows = Rows::default();
    rows.add(
        "project",
        root.join(PROJECT_FILE).display(),
        flags.source("project", "PROBER_PROJECT", || "found"),
    );
    serving(&mut rows, serve, (&flags, &file), &root);
    storing(&mut rows, &checked.compiled, &file);
    defaults(&mut rows, &checked.compiled, &file);
    names(&mut rows, &checked.compiled, &file, serve)?;
    environment(&mut rows, global, (&flags, out));
    if args.format == FactsFormat::Json {
        let row = |row: &SettingRow| json!({ "name": row.name, "value": row.value, "from": row.source });
        out.json(&rows.0.iter().map(row).collect());
    } else {
        out.raw(settings_table(&rows.0, out.look()).as_bytes());
    }
    if checked.compiled.has_errors() {
        out.complain("the files have mistakes, so some settings may be missing: prober validate");
        return Ok(Exit::File);
    }
    Ok(Exit::Good)
}

#[derive(Default)]
struct Rows(Vec<SettingRow>);

impl Rows {
    fn add(&mut self, name: &str, value: impl std::fmt::Display, source: impl Into<String>) {
        self.0.push(SettingRow { name: name.to_owned(), value: value.to_string(), source: source.into() });
    }
}

impl Rows {
    /// A variable; what should have been a secret is not shown.
    fn var(&mut self, name: &str, place: &str, value: &str, source: String) {
        let value = if is_secret_variable(name, value) { "•••" } else { value };
        self.add(&format!("vars.{name}{place}"), value, source);
    }
}

/// Which flags were given, and which came from the environment.
struct Flags<'a>(&'a ArgMatches);

impl Flags<'_> {
    /// `--data`, `PROBER_DATA`, or what `weaker` says.
    fn source<T: Into<String>>(&self, id: &str, variable: &str, weaker: impl FnOnce() -> T) -> String {
        // The one flag that has a short form only in people's fingers.
        let flag = if id == "project" { "-C".to_owned() } else { format!("--{}", id.replace('_', "-")) };
        match self.0.try_contains_id(id).ok().and_then(|_| self.0.value_source(id)) {
            Some(ValueSource::CommandLine) => flag,
            Some(ValueSource::EnvVariable) => variable.to_owned(),
            _ => weaker().into(),
        }
    }
}

/// The project file as a tree, for places.
struct ProjectFile<'a> {
    sources: &'a [Source],
    root: Option<Node>,
}

impl<'a> ProjectFile<'a> {
    fn of(compiled: &'a Compiled<probe::Net>) -> Self {
        let sources = &compiled.sources;
        let named = |source: &Source| {
            std::path::Path::new(&source.path).file_name().is_some_and(|name| name == PROJECT_FILE)
        };
        let found = sources.iter().position(named);
        let root = found.and_then(|index| {
            tree::parse(u32::try_from(index).ok()?, &sources[index].text, &mut Report::default())
        });
        Self { sources, root }
    }

    fn node(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self.root.as_ref()?, |node, key| node.get(key))
    }

    /// `prober.yaml:7`, if the file has a value there.
    fn source(&self, path: &[&str]) -> Option<String> {
        self.node(path).map(|node| self.place(node))
    }

    fn place(&self, node: &Node) -> String {
        let (path, at) = locate(node.span, self.sources);
        format!("{path}:{}", at.line)
    }

    fn or_built_in(&self, path: &[&str]) -> String {
        self.source(path).unwrap_or_else(|| BUILT_IN.to_owned())
    }

    /// The names below a map, with their values.
    fn entries(&self, path: &[&str]) -> Vec<(String, &Node)> {
        let entries = self.node(path).and_then(Node::map).unwrap_or_default();
        entries.iter().map(|(name, node)| (name.value.clone(), node)).collect()
    }
}

fn serving(
    rows: &mut Rows,
    serve: &Serve,
    (flags, file): (&Flags<'_>, &ProjectFile<'_>),
    root: &std::path::Path,
) {
    let data = serve.lasting.data.clone().unwrap_or_else(|| root.join("prober-data"));
    rows.add("data", data.display(), flags.source("data", "PROBER_DATA", || BUILT_IN));
    let in_file =
        file.node(&["serve", "listen"]).and_then(Node::scalar).map(|scalar| scalar.text.to_string());
    let listen = serve.lasting.listen.map(|address| address.to_string()).or(in_file);
    let source = flags.source("listen", "PROBER_LISTEN", || file.or_built_in(&["serve", "listen"]));
    rows.add("serve.listen", listen.unwrap_or_else(|| LISTEN.to_owned()), source);
    rows.add(
        "id",
        serve.lasting.id.clone().unwrap_or_else(host),
        flags.source("id", "PROBER_ID", || "the host's name"),
    );
    let in_flight = flags.source("in_flight", "", || "from the limit on open files");
    rows.add("in_flight", in_flight_max(serve.in_flight), in_flight);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = serve.lasting.threads.unwrap_or_else(|| (cores / 2).clamp(1, 8)).max(1);
    rows.add("threads", threads, flags.source("threads", "", || "half of the cores"));
}

fn storing(rows: &mut Rows, compiled: &Compiled<probe::Net>, file: &ProjectFile<'_>) {
    let (wanted, built_in) = (&compiled.project.store, store::Config::new(""));
    let bytes = wanted.bytes_max.unwrap_or(built_in.bytes_max);
    rows.add("store.max_bytes", bytes, file.or_built_in(&["store", "max_bytes"]));
    let keep = wanted.keep.unwrap_or(built_in.age_max);
    rows.add("store.keep", show_duration(keep), file.or_built_in(&["store", "keep"]));
    for exporter in &compiled.project.exporters {
        let (path, at) = locate(exporter.name.span, &compiled.sources);
        rows.add("exporter", &exporter.name.value, format!("{path}:{}", at.line));
    }
}

fn defaults(rows: &mut Rows, compiled: &Compiled<probe::Net>, file: &ProjectFile<'_>) {
    let defaults = &compiled.project.defaults;
    let timeout = defaults.timeout.unwrap_or(TIMEOUT_DEFAULT);
    rows.add("defaults.timeout", show_duration(timeout), file.or_built_in(&["defaults", "timeout"]));
    if let Some(every) = defaults.every {
        rows.add("defaults.every", show_duration(every), file.or_built_in(&["defaults", "every"]));
    }
    if let Some(owner) = &defaults.owner {
        rows.add("defaults.owner", owner, file.or_built_in(&["defaults", "owner"]));
    }
    for (name, value) in &defaults.labels {
        let source = file.source(&["defaults", "labels", name]).or_else(|| file.source(&["labels", name]));
        rows.add(&format!("labels.{name}"), value, source.unwrap_or_else(|| BUILT_IN.to_owned()));
    }
    let patterns = &compiled.project.scenarios;
    let shown: Vec<_> = patterns.iter().map(|pattern| pattern.value.as_str()).collect();
    let shown = if shown.is_empty() { "scenarios/**/*.yaml".to_owned() } else { shown.join(", ") };
    rows.add("scenarios", shown, file.or_built_in(&["scenarios"]));
}

/// Regions with their variables, and where secrets come from; never a secret's value.
fn names(
    rows: &mut Rows,
    compiled: &Compiled<probe::Net>,
    file: &ProjectFile<'_>,
    serve: &Serve,
) -> Result<(), Stop> {
    let given: BTreeMap<_, _> = pairs("var", &serve.vars)?.into_iter().collect();
    for (name, node) in file.entries(&["vars"]) {
        if !given.contains_key(&name) {
            rows.var(&name, "", &plain(node), file.place(node));
        }
    }
    for (name, value) in &given {
        rows.var(name, "", value, "--var".to_owned());
    }
    for region in compiled.project.regions() {
        let source = file.or_built_in(&["regions", region]);
        rows.add("region", region, source);
        for (name, node) in file.entries(&["regions", region, "vars"]) {
            if !given.contains_key(&name) {
                rows.var(&name, &format!(" in {region}"), &plain(node), file.place(node));
            }
        }
        secrets(rows, compiled, file, region);
    }
    Ok(())
}

fn secrets(rows: &mut Rows, compiled: &Compiled<probe::Net>, file: &ProjectFile<'_>, region: &str) {
    let own = ["regions", region, "secrets"];
    let mut all: BTreeMap<String, String> =
        file.entries(&["secrets"]).into_iter().map(|(name, node)| (name, file.place(node))).collect();
    all.extend(file.entries(&own).into_iter().map(|(name, node)| (name, file.place(node))));
    for (name, source) in all {
        let from = match compiled.project.secret_source(region, &name) {
            Some(SecretSource::Env(variable)) => format!("environment variable {variable}"),
            Some(SecretSource::File(path)) => format!("file {path}"),
            _ => continue,
        };
        rows.add(&format!("secrets.{name} in {region}"), from, source);
    }
}

fn environment(rows: &mut Rows, global: &Global, (flags, out): (&Flags<'_>, &Out)) {
    let credentials = env("CREDENTIALS_DIRECTORY");
    let source = if credentials.is_some() { "CREDENTIALS_DIRECTORY" } else { BUILT_IN };
    rows.add("credentials", credentials.unwrap_or_else(|| "the project's folder".to_owned()), source);
    let log = env("PROBER_LOG");
    let source = if log.is_some() { "PROBER_LOG" } else { BUILT_IN };
    rows.add("log", log.unwrap_or_else(|| "info".to_owned()), source);
    let colour = if out.colour { "on" } else { "off" };
    let named = ["NO_COLOR", "CLICOLOR_FORCE"]
        .into_iter()
        .find(|name| env(name).is_some_and(|value| !value.is_empty()));
    let source = flags.source("color", "", || named.unwrap_or("the terminal"));
    rows.add("color", format!("{} ({colour})", format!("{:?}", global.color).to_lowercase()), source);
}

fn plain(node: &Node) -> String {
    match &node.value {
        NodeValue::Scalar(scalar) => scalar.text.to_string(),
        _ => node.describe(),
    }
}
