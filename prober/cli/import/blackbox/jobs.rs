//! Jobs of Prometheus' settings that ask the exporter: a scenario for each target.

use serde_json::{Value, json};

use super::super::draft::{Imported, Shape, host_of};
use super::super::words::{at, list, literal, millis, name, pairs, said, text};

/// Adds the scenarios of all jobs that ask for modules of the exporter's file.
pub(super) fn read(settings: &Value, exporter: &Value, imported: &mut Imported) {
    let every = text(settings, &["global", "scrape_interval"]).and_then(|text| millis(&text, None));
    for job in list(settings, &["scrape_configs"]) {
        let shown = text(job, &["job_name"]).unwrap_or_else(|| "job".to_owned());
        let module = list(job, &["params", "module"]).into_iter().find_map(said);
        match module {
            Some(module) => of_job(&shown, &module, job, (exporter, every), imported),
            // Without a module it asks something else than the exporter.
            None if text(job, &["metrics_path"]).is_some_and(|path| path.ends_with("/probe")) => {
                imported.lose(format!("the job {shown}: its module comes out of its relabelling"));
            }
            None => {}
        }
    }
}

fn of_job(
    shown: &str,
    module: &str,
    job: &Value,
    (exporter, every): (&Value, Option<u64>),
    imported: &mut Imported,
) {
    let Some(prober) = text(exporter, &["modules", module, "prober"]) else {
        return imported.lose(format!("the job {shown}: the exporter's file has no module {module}"));
    };
    let template = name(module, "module");
    if !imported.drafts.iter().any(|draft| draft.shape != Shape::Scenario && draft.name == template) {
        return imported.lose(format!("the job {shown}: its module {module} is not imported"));
    }
    let every = text(job, &["scrape_interval"]).and_then(|text| millis(&text, None)).or(every);
    for (key, _) in pairs(job, &[]).into_iter().filter(|(key, _)| key.ends_with("_sd_configs")) {
        imported.lose(format!("the job {shown}: {key}; targets are written down here"));
    }
    for group in list(job, &["static_configs"]) {
        for target in list(group, &["targets"]).into_iter().filter_map(said) {
            let only = list(group, &["targets"]).len() == 1 && list(job, &["static_configs"]).len() == 1;
            let label = if only { shown.to_owned() } else { format!("{shown} {}", host_of(&target)) };
            let Some(mut draft) = imported.scenario(&label, "target") else { return };
            let http = prober == "http" && !target.contains("://");
            let target = if http { format!("http://{target}") } else { target };
            let (target, user) = imported.secrets.url(&label, &target);
            if user.is_some() {
                draft.lose("the user in the target: sign in with `auth`");
            }
            let host = literal(host_of(&target));
            draft.key("aim", format!("{host} answers as the module {} wants it.", literal(module)));
            imported.target(host_of(&target));
            let labels: serde_json::Map<String, Value> = pairs(group, &["labels"])
                .into_iter()
                .filter_map(|(name, value)| Some((name.clone(), literal(&said(value)?).into())))
                .take(10)
                .collect();
            if !labels.is_empty() {
                draft.key("labels", Value::Object(labels));
            }
            draft.key("every", super::super::words::duration(every.unwrap_or(60_000).max(1_000)));
            draft.key("use", template.clone());
            draft.key("with", json!({ "target": target }));
            imported.drafts.push(draft);
        }
    }
    if at(job, &["scrape_timeout"]).is_some() {
        imported.lose(format!("the job {shown}: scrape_timeout; the module's timeout holds"));
    }
}
