//! `prober explain vars NAME`: what every variable of a scenario is, and which file says so.

use std::fmt::Write as _;

use scenario::lint::is_secret_variable;
use scenario::scope::{Binding, Layer, Scope};

use super::args::Global;
use super::out::Out;
use super::place::{host, options, place};
use crate::agent::load::scopes;
use crate::exit::{Exit, Stop};

/// Shows the variables of a scenario; of the first instance, if the name is shared by several.
pub(crate) fn vars(global: &Global, (name, vars): (&str, &[String]), out: &Out) -> Result<Exit, Stop> {
    let place = place(global, &[])?;
    let found =
        scopes(&place, &options(vars, &[], host())?, name).map_err(|error| Stop::file(error.to_string()))?;
    let Some(first) = found.first() else {
        return Err(Stop::file(format!("there is no scenario `{name}`; `prober list` shows all")));
    };
    out.raw(shown(first).as_bytes());
    if found.len() > 1 {
        out.note(&format!(
            "{} more instances of `{name}`; they differ in `matrix`, and in what is made from it",
            found.len() - 1
        ));
    }
    Ok(Exit::Good)
}

/// The scope as text: one block a region, the winner first, what it hides below it.
fn shown(scope: &Scope) -> String {
    let mut text = String::new();
    for region in &scope.regions {
        writeln!(text, "{} in {}", scope.name, region.region).expect("a String takes every character");
        if region.bindings.is_empty() {
            text.push_str("  no variables\n");
        }
        let widths = widths(&region.bindings);
        for binding in &region.bindings {
            row(&mut text, (&binding.name, &binding.name), &binding.winner, widths);
            for hidden in &binding.hidden {
                row(&mut text, ("  hides", &binding.name), hidden, widths);
            }
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The widest name and value, as far as columns make sense.
fn widths(bindings: &[Binding]) -> [usize; 2] {
    let names = bindings.iter().map(|binding| binding.name.chars().count());
    let layers = bindings.iter().flat_map(|binding| {
        std::iter::once(&binding.winner).chain(&binding.hidden).map(|layer| told(layer, &binding.name))
    });
    let values = layers.map(|value| value.chars().count());
    [names.max().unwrap_or(0).min(40), values.max().unwrap_or(0).min(60)]
}

fn row(
    text: &mut String,
    (name, binding): (&str, &str),
    layer: &Layer,
    [name_width, value_width]: [usize; 2],
) {
    let place =
        layer.place.as_ref().map_or_else(String::new, |(path, line)| format!("{}:{line}", visible(path)));
    let value = told(layer, binding);
    let line = format!("  {name:name_width$}  {value:value_width$}  {:8}  {place}", layer.origin);
    text.push_str(line.trim_end());
    text.push('\n');
}

/// The value; what should have been a secret is not shown.
fn told(layer: &Layer, binding: &str) -> String {
    match binding.strip_prefix("vars.") {
        Some(name) if is_secret_variable(name, &layer.value) => "•••".to_owned(),
        _ => visible(&layer.value),
    }
}

/// The text with control characters spelled out: a file cannot write to the terminal.
fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|letter| {
            let hidden = letter.is_control().then(|| letter.escape_default().collect::<String>());
            hidden.unwrap_or_else(|| letter.to_string()).chars().collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use scenario::scope::RegionScope;

    use super::*;

    #[test]
    fn the_winner_stands_over_what_it_hides() {
        let layer = |value: &str, origin: &'static str, place: Option<(&str, usize)>| Layer {
            value: value.to_owned(),
            origin,
            place: place.map(|(path, line)| (path.to_owned(), line)),
        };
        let shop = Binding {
            name: "vars.shop".to_owned(),
            winner: layer("https://preview.example", "--var", None),
            hidden: vec![layer("https://eu.example", "region", Some(("prober.yaml", 4)))],
        };
        let secret = Binding {
            name: "secrets.token".to_owned(),
            winner: layer("env TO\u{1b}KEN", "project", Some(("prober.yaml", 2))),
            hidden: Vec::new(),
        };
        let region = |name: &str, bindings: Vec<Binding>| RegionScope { region: name.to_owned(), bindings };
        let scope = Scope {
            name: "checkout".to_owned(),
            regions: vec![region("eu", vec![shop, secret]), region("us", Vec::new())],
        };
        let expected = "\
checkout in eu
  vars.shop      https://preview.example  --var
    hides        https://eu.example       region    prober.yaml:4
  secrets.token  env TO\\u{1b}KEN          project   prober.yaml:2

checkout in us
  no variables
";
        assert_eq!(shown(&scope), expected);
    }
}
