//! One side of a comparison: what every scenario does in every region, from files or from a running server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use probe::Net;
use scenario::compile::{Compiled, Options, Sources};
use scenario::plan::Plan;
use scenario::units::show_duration;
use serde_json::Value;

use crate::agent::files::Place;
use crate::agent::load::{Checked, cadence_text};
use crate::agent::sets;
use crate::cli::plain_http;
use crate::cli::promise::{alerts_text, objective_text};
use crate::exit::Stop;

/// Scenario and region.
pub(super) type StreamName = (String, String);

/// What a side has.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// What people call it.
    pub(super) label: String,
    pub(super) streams: BTreeMap<StreamName, Facts>,
    /// What SLO files promise, by their names; `None` if this side does not tell.
    pub(super) joint: Option<BTreeMap<String, String>>,
    /// `None` of a server, which has no files to show.
    pub(super) files: Option<Files>,
}

/// The texts of a side's files.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// By path from the project's folder.
    pub(super) texts: BTreeMap<String, String>,
    /// The project file and the templates: what many scenarios take from.
    pub(super) shared: BTreeSet<String>,
    /// The file of each scenario.
    pub(super) of: BTreeMap<String, String>,
}

/// What is known of one scenario in one region.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) version: String,
    pub(super) was: Vec<String>,
    /// What a person would look at, in the order it is shown; a side may not know all of them.
    pub(super) values: Vec<(&'static str, String)>,
}

impl Facts {
    /// The value of one fact.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(one, _)| *one == name).map(|(_, value)| value.as_str())
    }
}

impl Side {
    /// The side of files on disk; wrong ones are an error.
    pub(super) fn of_checked(label: &str, place: &Place, checked: &Checked) -> Result<Self, Stop> {
        let templates = checked.ground.templates.len();
        let below = |path: &str| sets::below(&checked.root, &place.base, path);
        Self::of(label, &checked.compiled, templates, &below)
    }

    /// The side of texts by their paths from the project's folder; wrong ones are an error.
    pub(super) fn of_files(
        label: &str,
        files: BTreeMap<String, String>,
        options: &Options,
    ) -> Result<Self, Stop> {
        let sources = sets::from_files(files).map_err(|error| Stop::file(format!("{label}: {error}")))?;
        Self::of_sources(label, sources, options)
    }

    /// The side of what the compiler takes; wrong files are an error.
    pub(super) fn of_sources(label: &str, sources: Sources, options: &Options) -> Result<Self, Stop> {
        let templates = sources.templates.len();
        let compiled = scenario::compile::compile(sources, &probe::KINDS, options);
        Self::of(label, &compiled, templates, &ToOwned::to_owned)
    }

    fn of(
        label: &str,
        compiled: &Compiled<Net>,
        templates: usize,
        below: &dyn Fn(&str) -> String,
    ) -> Result<Self, Stop> {
        if compiled.has_errors() {
            let style = &scenario::render::Style::PLAIN;
            let shown = scenario::render::human(&compiled.diagnostics, &compiled.sources, style);
            return Err(Stop::file(format!("the files of `{label}` have mistakes\n{shown}")));
        }
        let mut files = Files::default();
        for (index, source) in compiled.sources.iter().enumerate() {
            let path = below(&source.path);
            if index <= templates {
                files.shared.insert(path.clone());
            }
            files.texts.insert(path, source.text.clone());
        }
        let mut streams = BTreeMap::new();
        for plan in &compiled.plans {
            let name = plan.stream().scenario.to_string();
            files.of.insert(name.clone(), below(&plan.about().path));
            streams.insert((name, plan.stream().region.to_string()), facts(plan));
        }
        let joint = compiled.joint_slos.iter().map(|joint| {
            let alerts = alerts_text(&joint.slo);
            let of: BTreeSet<_> = joint.feeds.iter().map(|feed| &*feed.scenario).collect();
            let of = of.into_iter().collect::<Vec<_>>().join(", ");
            (joint.name.to_string(), format!("{} of {of}; {alerts}", objective_text(&joint.slo)))
        });
        Ok(Self { label: label.to_owned(), streams, joint: Some(joint.collect()), files: Some(files) })
    }
}

fn facts(plan: &Plan<Net>) -> Facts {
    let (about, origin, slo) = (plan.about(), plan.origin(), plan.slo());
    let labels: Vec<_> = origin.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let maintenance: Vec<_> = plan.maintenance().iter().map(|one| one.name.to_string()).collect();
    Facts {
        version: origin.version.to_string(),
        was: about.was.iter().map(ToString::to_string).collect(),
        values: vec![
            ("schedule", cadence_text(plan.cadence())),
            ("timeout", show_duration(plan.timeout())),
            ("targets", plan.targets().join(", ")),
            ("objective", objective_text(slo)),
            ("alerts", alerts_text(slo)),
            ("quorum", slo.quorum.map_or_else(String::new, |quorum| quorum.to_string())),
            ("maintenance", maintenance.join(", ")),
            ("owner", about.owner.to_string()),
            ("labels", labels.join(", ")),
            ("title", about.title.to_string()),
            ("aim", about.aim.to_string()),
            ("runbook", about.runbook.to_string()),
            ("public", about.public.to_string()),
        ],
    }
}

/// The side of the server at `url`, which tells less than files do.
pub(super) fn running(url: &str, token: Option<&str>) -> Result<Side, Stop> {
    let text = plain_http::get(url, "/api/v1/scenarios", token)
        .map_err(|why| Stop::environment(format!("{url}: {why}")))?;
    let wrong = || Stop::environment(format!("{url}: this is no answer of a prober"));
    let answer: Value = serde_json::from_str(&text).map_err(|_| wrong())?;
    let list = answer["scenarios"].as_array().ok_or_else(wrong)?;
    let streams: Option<_> = list.iter().map(of_server).collect();
    Ok(Side { label: url.to_owned(), streams: streams.ok_or_else(wrong)?, joint: None, files: None })
}

fn of_server(entry: &Value) -> Option<(StreamName, Facts)> {
    let text = |name: &str| entry[name].as_str().map(str::to_owned);
    let texts = |name: &str| -> Option<Vec<String>> {
        entry[name].as_array()?.iter().map(|one| one.as_str().map(str::to_owned)).collect()
    };
    let labels = entry["labels"].as_object()?;
    let labels: Vec<_> =
        labels.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
    let timeout = Duration::try_from_secs_f64(entry["timeout"].as_f64()?).ok()?;
    let facts = Facts {
        version: text("version")?,
        was: texts("was")?,
        values: vec![
            ("schedule", text("cadence")?),
            ("timeout", show_duration(timeout)),
            ("targets", texts("targets")?.join(", ")),
            ("owner", text("owner")?),
            ("labels", labels.join(", ")),
            ("title", text("title")?),
            ("aim", text("aim")?),
            ("runbook", text("runbook")?),
        ],
    };
    Some(((text("name")?, text("region")?), facts))
}
