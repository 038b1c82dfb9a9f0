//! Embeds the files of `/graphiql` that are not ours, where `scripts/graphiql` has put them.
//!
//! It writes the lock file as a table for `src/server/graphiql/files.rs`, each file with its bytes when
//! all of them are in `assets/graphiql`. It only looks: no network, and a build without them is a good
//! build. Whether the bytes are the right ones is checked at run time.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

const LOCK: &str = "src/server/graphiql/files.lock";
const ASSETS: &str = "assets";

struct File {
    package: String,
    version: String,
    member: String,
    sha256: [u8; 32],
}

fn main() {
    // The folder above is watched because cargo takes a missing one for a changed one.
    println!("cargo::rerun-if-changed={LOCK}");
    println!("cargo::rerun-if-changed={ASSETS}");

    let lock = fs::read_to_string(LOCK).unwrap_or_else(|why| panic!("{LOCK}: {why}"));
    let files = parse(&lock);
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let folder = root.join(ASSETS).join("graphiql");
    let is_complete = files.iter().all(|file| file.path(&folder).is_file());

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let table = table(&files, is_complete.then_some(&folder));
    fs::write(out.join("graphiql_files.rs"), table).expect("OUT_DIR can be written");
}

fn parse(lock: &str) -> Vec<File> {
    let mut package = None;
    let mut files = Vec::new();
    for (number, line) in (1..).zip(lock.lines()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (words.as_slice(), package) {
            ([], _) | (["#", ..], _) => {}
            (["package", name, version, _integrity], _) => package = Some((*name, *version)),
            (["file", sha256, member], Some((package, version))) => files.push(File {
                package: package.to_owned(),
                version: version.to_owned(),
                member: (*member).to_owned(),
                sha256: bytes(sha256).unwrap_or_else(|| panic!("{LOCK}:{number}: not a SHA-256")),
            }),
            _ => panic!("{LOCK}:{number}: cannot read \"{line}\""),
        }
    }
    files
}

fn bytes(hex: &str) -> Option<[u8; 32]> {
    let pairs: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
        .collect::<Option<_>>()?;
    pairs.try_into().ok()
}

impl File {
    fn path(&self, folder: &Path) -> PathBuf {
        folder
            .join(format!("{}-{}", self.package, self.version))
            .join(&self.member)
    }
}

/// The source text of an array of `PackageFile`s, which `files.rs` includes.
fn table(files: &[File], folder: Option<&PathBuf>) -> String {
    let mut table = "[\n".to_owned();
    for file in files {
        let File {
            package,
            version,
            member,
            sha256,
        } = file;
        let embedded = match folder {
            Some(folder) => format!("Some(include_bytes!({:?}))", file.path(folder)),
            None => "None".to_owned(),
        };
        writeln!(
            table,
            "    PackageFile {{ package: {package:?}, version: {version:?}, member: {member:?}, \
             sha256: {sha256:?}, embedded: {embedded} }},"
        )
        .expect("a String takes all");
    }
    table + "]\n"
}
