//! `prober fleet`: what a fleet needs before it runs, and how it is while it does.

mod init;
mod status;

use super::args::{Fleet, FleetCommand, Global};
use super::out::Out;
use crate::exit::{Exit, Stop};

/// Calls the command below `fleet`.
pub(crate) fn fleet(global: &Global, args: &Fleet, out: &Out) -> Result<Exit, Stop> {
    match &args.what {
        FleetCommand::Init(args) => init::init(global, args, out),
        FleetCommand::Status(args) => status::status(args, out),
    }
}
