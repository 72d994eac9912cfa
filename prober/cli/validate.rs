//! `prober validate`: every mistake of every file, before anything runs.

use std::collections::BTreeSet;

use scenario::diagnostic::Severity;
use scenario::render::{self, Style};

use super::args::{Global, ReportFormat, Validate};
use super::out::Out;
use super::place::{checked, host, options, place};
use crate::agent::load::count;
use crate::exit::{Exit, Stop};

/// Says what is wrong; exit code 2 if anything is.
pub(crate) fn validate(global: &Global, args: &Validate, out: &Out) -> Result<Exit, Stop> {
    let place = place(global, &args.paths)?;
    let checked = checked(&place, &options(&args.vars, &[], host())?)?;
    let compiled = &checked.compiled;
    let (errors, warnings) =
        (count(&compiled.diagnostics, Severity::Error), count(&compiled.diagnostics, Severity::Warning));
    match args.format {
        ReportFormat::Json => {
            let list = render::json(&compiled.diagnostics, &compiled.sources);
            out.line(&serde_json::to_string_pretty(&list).unwrap_or_default());
        }
        ReportFormat::Human => {
            let style = if out.colour { Style::COLOUR } else { Style::PLAIN };
            let text = render::human(&compiled.diagnostics, &compiled.sources, &style);
            if !text.is_empty() {
                out.complain(text.trim_end());
            }
            if errors == 0 && warnings == 0 {
                let scenarios: BTreeSet<_> =
                    compiled.plans.iter().map(|plan| &plan.stream().scenario).collect();
                let regions: BTreeSet<_> = compiled.plans.iter().map(|plan| &plan.stream().region).collect();
                let counted =
                    |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
                out.line(&format!(
                    "no mistakes: {} in {}, {}",
                    counted(scenarios.len(), "scenario"),
                    counted(regions.len(), "region"),
                    counted(compiled.sources.len(), "file"),
                ));
            }
        }
    }
    let wrong = errors > 0 || (args.strict && warnings > 0);
    Ok(if wrong { Exit::File } else { Exit::Good })
}
