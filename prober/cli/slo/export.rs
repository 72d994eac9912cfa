//! `prober slo export`: the objectives for another tool, and what it loses of them.

use std::collections::BTreeSet;

use slo::rules::{FORMATS, Subject};

use super::super::args::{Global, SloExport};
use super::super::out::Out;
use super::{named, promised};
use crate::exit::{Exit, Stop};

/// Writes the file to stdout; exit code 2 if something is lost and nobody said that this is all right.
pub(super) fn export(global: &Global, args: &SloExport, out: &Out) -> Result<Exit, Stop> {
    let (_, promises) = promised(global)?;
    let promises = named(promises, &args.names)?;
    let format = FORMATS.iter().find(|format| format.name == args.tool);
    let format = format.expect("the parser lets only names of the table through");
    let subjects: Vec<Subject> = promises.iter().map(Subject::from).collect();
    let exported = (format.write)(&subjects);
    out.raw(exported.text.as_bytes());
    let lost: BTreeSet<&String> = exported.lost.iter().collect();
    if lost.is_empty() {
        return Ok(Exit::Good);
    }
    out.note(&format!("{} cannot hold:", format.name));
    for sentence in lost {
        out.note(&format!("  {sentence}"));
    }
    if args.lossy {
        return Ok(Exit::Good);
    }
    out.complain("that is lost; --lossy says that this is all right");
    Ok(Exit::File)
}
