//! The house's rules that the compiler does not know: who may use whom, and where a kind's name may stand.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our crates each crate may use: the table of the layering.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("scenario", &["model"]),
    ("slo", &["model"]),
    ("store", &["model"]),
    ("probe", &["model", "scenario"]),
    ("schedule", &["model", "scenario"]),
    ("fleet", &["model", "scenario"]),
    ("post", &[]),
    ("export", &["model", "store", "slo", "post"]),
    ("alert", &["model", "store", "slo", "post"]),
    ("dashboard", &["model", "store", "slo"]),
    ("demo", &["model"]),
    ("testkit", &["model"]),
];

/// Crates that a pure crate must not use: no I/O, no async runtime.
const IMPURE: &[&str] = &["tokio", "hyper", "rusqlite", "rustls", "socket2", "axum"];
const PURE: &[&str] = &["model", "scenario", "slo"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The crates named in one section of a crate's manifest.
fn uses(folder: &Path, section: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let after = text.split(&format!("[{section}]\n")).nth(1).unwrap_or_default();
    let lines = after.lines().take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn crates() -> Vec<(String, PathBuf)> {
    let folders = fs::read_dir(root().join("prober")).unwrap().map(|entry| entry.unwrap().path());
    folders
        .filter(|folder| folder.join("Cargo.toml").exists())
        .map(|folder| (folder.file_name().unwrap().to_string_lossy().into_owned(), folder))
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn crates_use_only_what_their_layer_allows() {
    let ours: BTreeSet<_> = crates().into_iter().map(|(name, _)| name).collect();
    for (name, folder) in crates() {
        let (_, allowed) =
            MAY_USE.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} has no layer"));
        for used in uses(&folder, "dependencies") {
            assert!(!ours.contains(&used) || allowed.contains(&used.as_str()), "{name} may not use {used}");
        }
    }
}

#[test]
fn pure_crates_do_no_io() {
    for (name, folder) in crates().iter().filter(|(name, _)| PURE.contains(&name.as_str())) {
        let used = uses(folder, "dependencies");
        assert!(IMPURE.iter().all(|crate_name| !used.contains(*crate_name)), "{name} is pure: {used:?}");
        let mut files = Vec::new();
        sources(folder, &mut files);
        for file in files.iter().filter(|file| !file.to_string_lossy().contains("test")) {
            let text = fs::read_to_string(file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in ["std::fs", "std::net::Tcp", "std::net::Udp", "std::process", "std::thread"] {
                assert!(!code.contains(word), "{} is in a pure crate and uses {word}", file.display());
            }
        }
    }
}

/// The kinds are the folders below `prober/probe` whose module has a `KIND`.
fn kinds() -> Vec<String> {
    let folders = fs::read_dir(root().join("prober/probe")).unwrap().map(|entry| entry.unwrap().path());
    let is_kind = |folder: &PathBuf| {
        fs::read_to_string(folder.join("mod.rs")).is_ok_and(|text| text.contains("KIND: Kind<"))
    };
    folders.filter(is_kind).map(|folder| folder.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_kind_is_one_folder_and_one_line() {
    let table = fs::read_to_string(root().join("prober/probe/lib.rs")).unwrap();
    let kinds = kinds();
    assert!(kinds.len() >= 6, "{kinds:?}");
    for kind in &kinds {
        let lines = table.matches(&format!("{kind}::KIND")).count();
        assert_eq!(lines, 1, "{kind} stands {lines} times in KINDS");
    }
    // Nowhere else does the language, the runner or the root ask for a kind by its name.
    let mut files = Vec::new();
    for folder in ["prober/scenario", "prober/schedule", "prober/probe/flow", "prober/agent"] {
        sources(&root().join(folder), &mut files);
    }
    for file in files.iter().filter(|file| !file.to_string_lossy().contains("test")) {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in
            code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            let asks = kinds.iter().any(|kind| {
                line.contains(&format!("== \"{kind}\"")) || line.contains(&format!("\"{kind}\" =>"))
            });
            assert!(!asks, "{}:{} asks for a kind by name: {line}", file.display(), number + 1);
        }
    }
}

#[test]
fn every_kind_has_a_shipped_scenario() {
    let mut texts = String::new();
    let mut folders = vec![root().join("scenarios")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                // One file shows what is no UTF-8.
                texts += &String::from_utf8_lossy(&fs::read(path).unwrap());
            }
        }
    }
    for kind in kinds() {
        let used = texts
            .lines()
            .any(|line| line.trim_start().trim_start_matches("- ").starts_with(&format!("{kind}:")));
        assert!(used, "no scenario in scenarios/ uses {kind}");
    }
}
