//! The rules of the code's structure: which module may name which, sizes of files, and names. A request
//! goes down the table of modules and its answer comes back up; an arrow that points up is an error of
//! design.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The largest number of lines of a file. Clippy's `too-many-lines-threshold` limits functions.
const MAX_LINES: usize = 450;

/// The word that no name and no text may use, and the quotations that may: a file, and what a line of it
/// quotes. An empty quotation allows the whole file.
const FORBIDDEN: &str = concat!("ven", "dor");
const QUOTATIONS: &[(&str, &str)] = &[
    ("src/config/text/messages.rs", concat!("[ven", "dor.NAME]")),
    (
        "src/config/text/messages.rs",
        concat!("unknown field `ven", "dor`"),
    ),
    ("tests/gateway/accounts/written.rs", concat!("[ven", "dor.")),
    ("tests/e2e/schema-baseline.graphql", ""),
];

/// Every module with the modules that it may name; the lowest first.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("account", &[]),
    ("error", &["account"]),
    ("metrics", &["account"]),
    ("notice", &[]),
    ("context", &["account", "error", "notice"]),
    ("shared", &["context", "metrics"]),
    ("audit", &["account", "metrics"]),
    ("user", &["account", "error"]),
    ("recent_writes", &["account", "shared", "user"]),
    ("pagination", &["notice", "error"]),
    (
        "client",
        &["account", "context", "error", "metrics", "notice", "shared"],
    ),
    (
        "connectors",
        &[
            "account",
            "context",
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
            "context",
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
            "context",
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
            "context",
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
            "context",
            "audit",
            "graphql",
            "connectors",
            "client",
            "shared",
            "user",
            "error",
        ],
    ),
    (
        "app",
        &[
            "account",
            "context",
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
            "context", "account", "audit", "graphql", "client", "metrics", "shared", "error",
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

/// All files of a folder and below it, without build output.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| {
            !["target", "node_modules"]
                .iter()
                .any(|name| path.ends_with(name))
        })
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// All files of some folders or files of the repository, with their paths from its root.
fn files_of(roots: &[&str]) -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = roots.iter().map(|name| root.join(name));
    let paths = paths.flat_map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    });
    let named = paths.map(|path| {
        let name = path.strip_prefix(root).expect("below the root");
        (name.display().to_string(), path.clone())
    });
    named.collect()
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "rs")
}

/// The Rust files of a folder, without tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    files(folder)
        .into_iter()
        .filter(|path| is_rust(path))
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
        ("connectors", &["decode", "int", "json"][..]),
        ("client", &["attempt", "operation", "request"][..]),
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

/// The name of the type that a line defines, if it defines one.
fn defined_type(line: &str) -> Option<&str> {
    let item = match line.trim_start().strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.trim_start(),
        None => line.trim_start(),
    };
    // An indented `type` is an associated type.
    let kinds: &[&str] = match line.starts_with(' ') {
        true => &["struct ", "enum ", "trait "],
        false => &["struct ", "enum ", "trait ", "type "],
    };
    let name = kinds.iter().find_map(|kind| item.strip_prefix(kind))?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

#[test]
fn every_type_name_in_src_is_defined_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, path) in files_of(&["src"]).iter().filter(|(_, path)| is_rust(path)) {
        let text = fs::read_to_string(path).expect("a source file");
        for defined in text.lines().filter_map(defined_type) {
            places
                .entry(defined.to_owned())
                .or_default()
                .push(name.clone());
        }
    }

    assert!(places.len() > 100, "{} types were found", places.len());
    places.retain(|_, places| places.len() > 1);
    assert_eq!(places, BTreeMap::new());
}

#[test]
fn files_are_short() {
    let mut wrong = Vec::new();
    for (name, path) in files_of(&["src", "sandbox", "tests", "benches"]) {
        if !is_rust(&path) {
            continue;
        }
        let text = fs::read_to_string(path).expect("a source file");
        let lines = text.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{name}: {lines} lines"));
        }
    }

    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_company_is_called_provider_everywhere() {
    let roots = [
        "src",
        "sandbox",
        "tests",
        "benches",
        "schema.graphql",
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs",
    ];
    let mut wrong = Vec::new();
    let mut unused: BTreeSet<_> = QUOTATIONS.iter().copied().collect();
    for (name, path) in files_of(&roots) {
        if name.to_lowercase().contains(FORBIDDEN) {
            wrong.push(name.clone());
        }
        let text = fs::read(path).expect("a file");
        let text = String::from_utf8_lossy(&text);
        for (at, line) in text.lines().enumerate() {
            if !line.to_lowercase().contains(FORBIDDEN) {
                continue;
            }
            let allowed = QUOTATIONS
                .iter()
                .find(|(file, quoted)| *file == name && line.contains(quoted));
            match allowed {
                Some(allowed) => drop(unused.remove(allowed)),
                None => wrong.push(format!("{name}:{}", at + 1)),
            }
        }
    }

    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(unused, BTreeSet::new(), "quotations that are not there");
}
