//! The demo project's files: scenarios of every kind that the shop has something to show for.
//!
//! Only `prober.yaml` and the README hold addresses. The scenarios are the files in the folder `project`, to
//! the letter.

use std::net::SocketAddr;

use crate::{Addresses, faults};

/// The root certificate that scenarios trust, in the shop's folder.
pub const ROOT_FILE: &str = "root.pem";

/// The file that is kept fresh, in the shop's folder.
pub const STOCK_FILE: &str = "stock.csv";

/// The files of the demo project, as paths relative to its folder and their texts.
///
/// `folder` is the shop's folder as the running prober sees it: absolute, or relative to its working directory.
pub fn files(addresses: &Addresses, folder: &str) -> Vec<(&'static str, String)> {
    let mut files = vec![("prober.yaml", PROJECT.to_owned()), ("README.md", README.to_owned())];
    for (_, text) in &mut files {
        *text = text.replace("\"@FOLDER@\"", &scalar(folder));
        for (_, mark, value) in values(addresses, folder) {
            *text = text.replace(mark, &value);
        }
        *text = text.replace("@TABLE@", faults::table().trim_end());
    }
    files.extend(SCENARIOS.iter().map(|(path, text)| (*path, (*text).to_owned())));
    files.push(("slos/shop.yaml", SLO.to_owned()));
    files
}

/// The variables of `prober.yaml`, for a shop that listens elsewhere than the written file says.
pub fn vars(addresses: &Addresses, folder: &str) -> Vec<(&'static str, String)> {
    let of = |name, value| match name {
        "shop" => (name, format!("http://{value}")),
        "shop_tls" => (name, format!("https://{value}")),
        _ => (name, value),
    };
    let mut vars: Vec<_> = values(addresses, folder).map(|(name, _, value)| of(name, value)).into();
    vars.push(("tls", addresses.https.to_string()));
    vars
}

fn values(addresses: &Addresses, folder: &str) -> [(&'static str, &'static str, String); 7] {
    let text = |address: SocketAddr| address.to_string();
    [
        ("shop", "@HTTP@", text(addresses.http)),
        ("shop_tls", "@HTTPS@", text(addresses.https)),
        ("tls_soon", "@SOON@", text(addresses.soon)),
        ("tls_expired", "@EXPIRED@", text(addresses.expired)),
        ("dns", "@DNS@", text(addresses.dns)),
        ("mail", "@MAIL@", text(addresses.mail)),
        ("folder", "@FOLDER@", folder.to_owned()),
    ]
}

/// A path as YAML: plain where nobody could misread it, else in double quotes.
fn scalar(path: &str) -> String {
    let plain = path.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && path.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .iter()
            .any(|word| word.eq_ignore_ascii_case(path));
    if plain {
        return path.to_owned();
    }
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

const PROJECT: &str = include_str!("project/prober.yaml");

const README: &str = include_str!("project/README.md");

const SLO: &str = include_str!("project/slos/shop.yaml");

macro_rules! scenarios {
    ($($name:literal),* $(,)?) => {
        &[$((concat!("scenarios/", $name), include_str!(concat!("project/scenarios/", $name)))),*]
    };
}

const SCENARIOS: &[(&str, &str)] = scenarios![
    "cart-api.yaml",
    "checkout.yaml",
    "dns-big.yaml",
    "dns-shop.yaml",
    "dns-stock.yaml",
    "feed-fresh.yaml",
    "mail-greeting.yaml",
    "old-address.yaml",
    "orders-export-fresh.yaml",
    "search.yaml",
    "shop-home.yaml",
    "shop-https.yaml",
    "stock-file-fresh.yaml",
    "tls-expired.yaml",
    "tls-shop.yaml",
    "tls-soon.yaml",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::FAULTS;

    fn addresses() -> Addresses {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Addresses { http: at(1), https: at(2), soon: at(3), expired: at(4), dns: at(5), mail: at(6) }
    }

    #[test]
    fn only_the_project_file_and_the_readme_hold_addresses() {
        let files = files(&addresses(), "demo/\"data\"");
        for (path, text) in &files {
            assert!(!text.contains('@'), "{path} has a mark left");
            let may = matches!(*path, "prober.yaml" | "README.md");
            assert!(may || !text.contains("127.0.0.1:"), "{path}");
        }
        let project = &files[0].1;
        assert!(project.contains("shop: http://127.0.0.1:1 "), "{project}");
        assert!(project.contains(r#"folder: "demo/\"data\"""#), "{project}");
    }

    #[test]
    fn every_scenario_file_is_shipped_and_every_fault_is_seen() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("project/scenarios");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("scenarios/{}", entry.unwrap().file_name().to_string_lossy()))
            .collect();
        names.sort();
        assert_eq!(names, SCENARIOS.iter().map(|(path, _)| *path).collect::<Vec<_>>());
        for fault in FAULTS.iter().filter(|fault| !fault.scenario.is_empty()) {
            let path = format!("scenarios/{}.yaml", fault.scenario);
            assert!(names.contains(&path), "{path}");
        }
    }

    #[test]
    fn vars_are_those_of_the_project_file() {
        let (_, project) = &files(&addresses(), "x")[0];
        let vars = vars(&addresses(), "x");
        for (name, value) in &vars {
            let line =
                project.lines().find(|line| line.trim().starts_with(&format!("{name}: "))).expect(name);
            assert!(line.contains(value.as_str()), "{name} is {value} in {line}");
        }
        let written = project
            .lines()
            .skip_while(|line| *line != "vars:")
            .filter(|line| line.starts_with("  ") && !line.trim_start().starts_with('#'));
        // The password is the same wherever the shop listens.
        assert_eq!(written.count(), vars.len() + 1);
    }
}
