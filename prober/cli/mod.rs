//! The command line: one file a command. Only this module reads the environment and writes to the terminal.

mod args;
mod conditions;
mod demo;
mod events;
mod explain;
mod init;
mod list;
mod out;
mod place;
mod run;
mod serve;
mod show;
mod validate;

use std::process::ExitCode;

use clap::Parser as _;

use crate::exit::{Exit, Stop};
use args::{Cli, Command};
use out::Out;

/// Parses the arguments and calls the command.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no mistakes.
            let exit = if error.use_stderr() { Exit::File } else { Exit::Good };
            drop(error.print());
            return ExitCode::from(exit as u8);
        }
    };
    let out = Out::new(&cli.global);
    let exit = call(&cli, &out).unwrap_or_else(|stop| {
        out.complain(stop.message.trim_end());
        stop.exit
    });
    ExitCode::from(exit as u8)
}

fn call(cli: &Cli, out: &Out) -> Result<Exit, Stop> {
    let global = &cli.global;
    match &cli.command {
        Command::Init(args) => init::init(&args.dir, out),
        Command::Demo(args) => demo::demo(args, out),
        Command::Validate(args) => validate::validate(global, args, out),
        Command::Run(args) => run::run(global, args, out),
        Command::Serve(args) => serve::serve(global, args, out),
        Command::List(args) => list::list(global, args, out),
        Command::Events(args) => events::events(global, args, out),
        Command::Explain(args) => explain::explain(global, args, out),
    }
}
