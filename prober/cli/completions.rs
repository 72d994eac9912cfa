//! `prober completions`: a shell's script, and the names of scenarios that it asks for.

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::args::{Cli, Completions, Global};
use super::out::Out;
use super::place::{checked, host, options, place};
use crate::exit::Exit;

/// The commands that take names of scenarios.
const NAMING: [&str; 4] = ["run", "list", "schedule", "explain"];

/// Prints the script; in bash, zsh and fish it also completes the names of scenarios.
pub(crate) fn completions(args: &Completions, out: &Out) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "prober", &mut script);
    let script = String::from_utf8(script).expect("the generator writes text");
    out.raw(with_names(args.shell, script).as_bytes());
    Exit::Good
}

/// Prints the names, one a line; nothing where there is no project, since a shell would show an error as a name.
pub(crate) fn names(global: &Global, out: &Out) -> Exit {
    let checked = place(global, &[]).and_then(|place| checked(&place, &options(&[], &[], host())?));
    if let Ok(checked) = checked {
        let names: BTreeSet<_> = checked.compiled.plans.iter().map(|plan| &*plan.stream().scenario).collect();
        for name in names {
            out.line(name);
        }
    }
    Exit::Good
}

fn with_names(shell: Shell, script: String) -> String {
    let commands = NAMING.join("|");
    match shell {
        Shell::Bash => {
            script
                + &format!(
                    r#"
_prober_with_names() {{
    _prober "$@"
    case "${{COMP_WORDS[1]}}" in
        {commands})
            local word="${{COMP_WORDS[COMP_CWORD]}}"
            [[ "$word" == -* ]] || COMPREPLY+=( $(compgen -W "$(prober names 2>/dev/null)" -- "$word") )
            ;;
    esac
}}
complete -F _prober_with_names -o nosort -o bashdefault -o default prober
"#
                )
        }
        Shell::Fish => {
            script
                + &format!(
                    "complete -c prober -n \"__fish_seen_subcommand_from {}\" -a \"(prober names 2>/dev/null)\"\n",
                    NAMING.join(" ")
                )
        }
        // Only the words that name scenarios; the generated script completes them by this function.
        Shell::Zsh => {
            let named = |line: &str| {
                let names = line.starts_with("'*::which") || line.starts_with("':what");
                let line =
                    if names { line.replace(":_default'", ":_prober_names'") } else { line.to_owned() };
                line + "\n"
            };
            let script: String = script.lines().map(named).collect();
            let helper = "_prober_names() {\n    compadd -- ${(f)\"$(prober names 2>/dev/null)\"}\n    _default\n}\n\n";
            script.replacen("_prober() {", &format!("{helper}_prober() {{"), 1)
        }
        _ => script,
    }
}
