//! Who may know whom. A request goes down this table and its answer comes back up; an arrow that
//! points up is a mistake of design, and shows here before it is a habit.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Every module with the modules that it may name; the lowest first.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("account", &[]),
    ("error", &["account"]),
    ("metrics", &["account"]),
    ("notice", &[]),
    ("shared", &["metrics"]),
    ("audit", &["account", "metrics"]),
    ("user", &["account", "error"]),
    ("recent_writes", &["account", "shared", "user"]),
    ("pagination", &["account", "notice", "user", "error"]),
    (
        "client",
        &["account", "error", "metrics", "notice", "shared"],
    ),
    (
        "connectors",
        &[
            "account",
            "notice",
            "pagination",
            "client",
            "recent_writes",
            "user",
            "error",
        ],
    ),
    (
        "directory",
        &[
            "account",
            "audit",
            "connectors",
            "pagination",
            "client",
            "metrics",
            "notice",
            "recent_writes",
            "shared",
            "user",
            "error",
        ],
    ),
    (
        "loaders",
        &[
            "account",
            "directory",
            "connectors",
            "client",
            "user",
            "error",
        ],
    ),
    (
        "graphql",
        &[
            "account",
            "audit",
            "loaders",
            "directory",
            "connectors",
            "pagination",
            "client",
            "notice",
            "user",
            "error",
        ],
    ),
    (
        "config",
        &[
            "account",
            "audit",
            "graphql",
            "connectors",
            "client",
            "shared",
            "user",
        ],
    ),
    (
        "app",
        &[
            "account",
            "audit",
            "config",
            "graphql",
            "directory",
            "connectors",
            "client",
            "recent_writes",
            "shared",
            "user",
            "error",
        ],
    ),
    ("demo", &["account", "config", "connectors", "user"]),
    (
        "server",
        &[
            "account", "audit", "graphql", "client", "metrics", "shared", "error",
        ],
    ),
    (
        "cli",
        &[
            "account", "server", "demo", "app", "graphql", "config", "user",
        ],
    ),
];

/// The part of a module's text that is not its tests.
fn source(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .filter(|path| {
            !path.components().any(|part| part.as_os_str() == "tests")
                && !path.ends_with("tests.rs")
        })
        .collect()
}

/// The module of a file: the first name below `src`.
fn module(root: &Path, path: &Path) -> String {
    let first = path
        .strip_prefix(root)
        .expect("below src")
        .components()
        .next()
        .expect("a name");
    Path::new(first.as_os_str())
        .with_extension("")
        .display()
        .to_string()
}

/// The modules of this crate that a text names: `crate::a`, or `a` in a list after `crate::{`.
fn named(text: &str, modules: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for after in ["crate::", "roster::"]
        .iter()
        .flat_map(|root| text.split(root).skip(1))
    {
        let names: Vec<&str> = match after.strip_prefix('{') {
            Some(list) => top_level(list),
            None => vec![after],
        };
        let heads = names.into_iter().map(|name| {
            name.trim()
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        });
        found.extend(
            heads
                .flatten()
                .filter(|name| modules.contains(name))
                .map(str::to_owned),
        );
    }
    found
}

/// The entries of a braced list, without what is nested in them.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut entries) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                entries.push(&list[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                entries.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    entries
}

#[test]
fn modules_name_only_what_lies_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let table: BTreeMap<_, _> = MAY_NAME.iter().copied().collect();
    let modules: BTreeSet<&str> = table.keys().copied().collect();

    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for path in sources(&root) {
        let of = module(&root, &path);
        if matches!(of.as_str(), "lib" | "main") {
            continue;
        }
        let allowed = table
            .get(of.as_str())
            .unwrap_or_else(|| panic!("{of} is not in the table"));
        seen.insert(of.clone());
        for name in named(&source(&path), &modules) {
            if name != of && !allowed.contains(&name.as_str()) {
                wrong.push(format!(
                    "{} names {name}",
                    path.strip_prefix(&root).expect("below src").display()
                ));
            }
        }
    }

    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(seen, modules.iter().map(|&name| name.to_owned()).collect());
}

#[test]
fn a_provider_names_no_other_provider_and_a_layer_no_other_layer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (folder, shared) in [
        ("connectors", &["decode", "json"][..]),
        ("client", &["request", "transport"][..]),
    ] {
        let stem = |path: &Path| module(&root.join(folder), path);
        let files = sources(&root.join(folder));
        let names: BTreeSet<String> = files.iter().map(|path| stem(path)).collect();
        for path in files
            .iter()
            .filter(|path| !shared.contains(&stem(path).as_str()))
        {
            let text = source(path);
            for other in names
                .iter()
                .filter(|name| !shared.contains(&name.as_str()) && **name != stem(path))
            {
                for way in [
                    format!("super::{other}"),
                    format!("crate::{folder}::{other}"),
                ] {
                    assert!(!text.contains(&way), "{} names {way}", path.display());
                }
            }
        }
    }
}
