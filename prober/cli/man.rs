//! `prober man DIR`, hidden: the manual pages, for packages.

use std::fs;

use clap::CommandFactory as _;

use super::args::{Cli, Man};
use super::out::Out;
use crate::exit::{Exit, Stop};

/// Writes a page for the program and one for each command.
pub(crate) fn man(args: &Man, out: &Out) -> Result<Exit, Stop> {
    let cannot = |error: std::io::Error| {
        Stop::environment(format!("manual pages could not be written to {}: {error}", args.dir.display()))
    };
    fs::create_dir_all(&args.dir).map_err(cannot)?;
    clap_mangen::generate_to(Cli::command(), &args.dir).map_err(cannot)?;
    out.note(&format!("wrote the manual pages to {}", args.dir.display()));
    Ok(Exit::Good)
}
