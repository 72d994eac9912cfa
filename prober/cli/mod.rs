//! The command line: one file a command. Only this module reads the environment and writes to the terminal.

mod alert_tests;
mod alerts;
mod args;
mod completions;
mod config;
mod demo;
mod diff;
mod doctor;
mod engine;
mod events;
mod explain;
mod fleet;
mod fmt;
mod formats;
mod import;
mod init;
mod kept;
mod list;
mod man;
mod out;
mod outbox;
mod pages;
mod place;
mod plain_http;
mod promise;
mod push;
mod replace;
mod replay;
mod report;
mod reports;
mod roles;
mod run;
mod schedule;
mod schema;
mod serve;
mod show;
mod slo;
mod validate;
mod vars;
mod version;

use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};

use crate::exit::{Exit, Stop};
use args::{AlertsCommand, Cli, Command};
use out::Out;

/// Parses the arguments and calls the command.
pub(crate) fn main() -> ExitCode {
    let parsed = empty_is_unset(Cli::command())
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches).map(|cli| (cli, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(mut error) => {
            conditions_have_no_dashes(&mut error);
            formats_have_one_flag(&mut error);
            // Help and version are no mistakes.
            let exit = if error.use_stderr() { Exit::File } else { Exit::Good };
            drop(error.print());
            return ExitCode::from(exit as u8);
        }
    };
    let out = Out::new(&cli.global);
    let exit = call(&cli, &matches, &out).unwrap_or_else(|stop| {
        out.complain(stop.message.trim_end());
        stop.exit
    });
    let exit = match out.lost() {
        Some(error) if exit == Exit::Good => {
            out.complain(&format!("not all of it could be written to standard output: {error}"));
            Exit::Environment
        }
        _ => exit,
    };
    ExitCode::from(exit as u8)
}

/// The command without the variables of the environment that are set and empty, as `PROBER_DATA=${DATA:-}` of a compose
/// file makes them: whoever typed no `--data` is not told that it wants a value.
fn empty_is_unset(command: clap::Command) -> clap::Command {
    let without = |argument: clap::Arg| {
        let empty = argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        if empty { argument.env(None) } else { argument }
    };
    command.mut_args(without).mut_subcommands(empty_is_unset)
}

/// Whoever gives `events` a condition as a flag is told how it is written.
fn conditions_have_no_dashes(error: &mut clap::Error) {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return };
    let Some(field) = flag.strip_prefix("--") else { return };
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    if error.kind() == ErrorKind::UnknownArgument && usage.contains(" events ") {
        let example = if matches!(field, "since" | "until") { "5m" } else { "VALUE" };
        let tip = format!("conditions have no dashes: {field}={example}, such as since=5m verdict=bad");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}

/// Whoever writes `--json` where a format has a flag of its own is told which.
fn formats_have_one_flag(error: &mut clap::Error) {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return };
    let Some(wanted) = flag.strip_prefix("--") else { return };
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    let program = Cli::command();
    let mut named = usage.split_whitespace().skip_while(|word| *word != "prober").skip(1);
    let command = named.try_fold(&program, |at, word| match at.find_subcommand(word) {
        Some(below) => ControlFlow::Continue(below),
        None => ControlFlow::Break(at),
    });
    let (ControlFlow::Continue(command) | ControlFlow::Break(command)) = command;
    let knows = command
        .get_arguments()
        .filter(|argument| argument.get_long() == Some("format"))
        .any(|argument| argument.get_possible_values().iter().any(|value| value.matches(wanted, false)));
    if error.kind() == ErrorKind::UnknownArgument && knows {
        let tip = format!("write it as --format {wanted}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}

fn call(cli: &Cli, matches: &ArgMatches, out: &Out) -> Result<Exit, Stop> {
    let global = &cli.global;
    match &cli.command {
        Command::Init(args) => init::init(&args.dir, out),
        Command::Demo(args) => demo::demo(args, out),
        Command::Validate(args) => validate::validate(global, args, out),
        Command::Run(args) => run::run(global, args, out),
        Command::Serve(args) => serve::serve(global, args, out),
        Command::Agent(args) => roles::agent(args, out),
        Command::Hub(args) => roles::hub(args, out),
        Command::List(args) => list::list(global, args, out),
        Command::Diff(args) => diff::diff(global, args, out),
        Command::Import(args) => import::import(args, out),
        Command::Fmt(args) => fmt::fmt(global, args, out),
        Command::Alerts(args) => match &args.what {
            AlertsCommand::Test(args) => alert_tests::test(global, args, out),
            AlertsCommand::Send(args) => alerts::send(global, args, out),
            AlertsCommand::Outbox(args) => outbox::outbox(global, args, out),
        },
        Command::Replay(args) => replay::replay_events(global, args, out),
        Command::Events(args) => events::events(global, args, out),
        Command::Explain(args) => explain::explain(global, args, out),
        Command::Push(args) => push::push(global, args, out),
        Command::Schedule(args) => schedule::schedule(global, args, out),
        Command::Slo(args) => slo::slo(global, args, out),
        Command::Report(args) => report::report(global, args, out),
        Command::Fleet(args) => fleet::fleet(global, args, out),
        Command::Doctor(args) => doctor::doctor(global, args, out),
        Command::Config(args) => config::config(global, args, matches, out),
        Command::Completions(args) => Ok(completions::completions(args, out)),
        Command::Names => Ok(completions::names(global, out)),
        Command::Version(args) => Ok(version::version(args, out)),
        Command::Man(args) => man::man(args, out),
        Command::Schema(args) => Ok(schema::schema(args.of, out)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_as_a_flag_is_told_how_it_is_written() {
        let told = |words: &[&str]| {
            let mut error = Cli::command().try_get_matches_from(words).unwrap_err();
            conditions_have_no_dashes(&mut error);
            error.to_string()
        };
        let said = told(&["prober", "events", "--since", "5m"]);
        assert!(
            said.contains("tip: conditions have no dashes: since=5m") && !said.contains("-- --"),
            "{said}"
        );
        let said = told(&["prober", "list", "--since", "5m"]);
        assert!(!said.contains("conditions"), "{said}");
    }

    #[test]
    fn a_format_as_a_flag_is_told_how_it_is_written() {
        let told = |words: &[&str]| {
            let mut error = Cli::command().try_get_matches_from(words).unwrap_err();
            conditions_have_no_dashes(&mut error);
            formats_have_one_flag(&mut error);
            error.to_string()
        };
        for words in [
            &["prober", "events", "verdict=bad", "--json"][..],
            &["prober", "run", "--json"],
            &["prober", "validate", "--json"],
            &["prober", "slo", "--json"],
        ] {
            let said = told(words);
            assert!(said.contains("tip: write it as --format json\n"), "{words:?}: {said}");
        }
        let said = told(&["prober", "init", "--json"]);
        assert!(!said.contains("--format"), "{said}");
    }
}
