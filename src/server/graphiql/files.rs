//! The third-party files of the page: their names, the check of their bytes, and their addresses.
//!
//! The lock file names them. Their bytes may be in the program, in the user's cache folder, or only
//! on a public CDN; a file with another SHA-256 is never served or run.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use axum::body::Bytes;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// The source of files that this program does not contain.
const CDN: &str = "https://cdn.jsdelivr.net/npm";

/// All files, in the order of the lock file, which is the order in which the page loads them.
pub(super) const FILES: &[PackageFile] = &include!(concat!(env!("OUT_DIR"), "/graphiql_files.rs"));

/// One member of one package, as locked.
pub(super) struct PackageFile {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    pub(super) member: &'static str,
    sha256: [u8; 32],
    embedded: Option<&'static [u8]>,
}

impl PackageFile {
    /// The last part of its path.
    pub(super) fn name(&self) -> &'static str {
        self.member.rsplit('/').next().unwrap_or(self.member)
    }

    /// Its address on this server, relative to the page.
    pub(super) fn address(&self) -> String {
        format!("graphiql/assets/{}/{}", self.digest(), self.name())
    }

    /// Its address on the CDN.
    pub(super) fn cdn_address(&self) -> String {
        format!("{CDN}/{}@{}/{}", self.package, self.version, self.member)
    }

    /// The hash that a browser checks before it runs the file (Subresource Integrity).
    pub(super) fn integrity(&self) -> String {
        format!("sha256-{}", BASE64_STANDARD.encode(self.sha256))
    }

    /// The part of its address that changes with its content.
    pub(super) fn digest(&self) -> String {
        short(&self.sha256)
    }

    /// Its path below a folder of such files, the same for `assets/graphiql` and the cache.
    pub(super) fn path(&self) -> PathBuf {
        Path::new(&self.folder()).join(self.member)
    }

    /// The folder of its package.
    pub(super) fn folder(&self) -> String {
        format!("{}-{}", self.package, self.version)
    }

    fn is(&self, bytes: &[u8]) -> bool {
        Sha256::digest(bytes).as_slice() == self.sha256
    }
}

/// A digest short enough for an address: 72 bits of it.
pub(super) fn short(sha256: &[u8; 32]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&sha256[..9])
}

/// The bytes of all [`FILES`] in their order, once they are available.
#[derive(Default)]
pub(super) struct EmbeddedFiles(OnceLock<Vec<Bytes>>);

impl EmbeddedFiles {
    /// The files that were compiled in, or none.
    pub(super) fn embedded() -> Self {
        let memory = Self::default();
        memory.fill(|file| file.embedded.map(Bytes::from_static));
        memory
    }

    /// The given bytes, right or wrong.
    #[cfg(test)]
    pub(super) fn holding(bytes: Vec<Bytes>) -> Self {
        Self(OnceLock::from(bytes))
    }

    /// Loads the files from a folder if all are there and correct. Returns whether all files are
    /// available now.
    pub(super) fn fill_from(&self, folder: &Path) -> bool {
        self.fill(|file| fs::read(folder.join(file.path())).ok().map(Bytes::from));
        self.is_full()
    }

    /// Whether all files are available.
    pub(super) fn is_full(&self) -> bool {
        self.0.get().is_some()
    }

    /// The files with their bytes, if they are available.
    pub(super) fn files(&self) -> Option<impl Iterator<Item = (&'static PackageFile, &Bytes)>> {
        self.0.get().map(|all| FILES.iter().zip(all))
    }

    fn fill(&self, read: impl Fn(&PackageFile) -> Option<Bytes>) {
        let right = |file: &PackageFile| read(file).filter(|bytes| file.is(bytes));
        if let Some(all) = FILES.iter().map(right).collect() {
            // Another task set the same bytes first.
            let _ = self.0.set(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_names_what_the_page_needs() {
        let names: Vec<&str> = FILES.iter().map(PackageFile::name).collect();
        assert_eq!(
            names,
            [
                "react.production.min.js",
                "LICENSE",
                "react-dom.production.min.js",
                "LICENSE",
                "graphiql.min.css",
                "graphiql.min.js",
                "LICENSE",
            ]
        );
    }

    #[test]
    fn integrity_is_the_locked_hash() {
        assert_eq!(
            FILES[5].integrity(),
            "sha256-hnImuor1znlJkD/FOTL3jayfS/xsyNoP04abi8bFJWs="
        );
        assert_eq!(FILES[5].digest(), "hnImuor1znlJ");
    }

    #[test]
    fn embedded_files_are_all_or_none_and_right() {
        let embedded = FILES.iter().filter(|file| file.embedded.is_some()).count();
        assert!(embedded == 0 || embedded == FILES.len());
        assert_eq!(EmbeddedFiles::embedded().is_full(), embedded > 0);
    }

    #[test]
    fn a_folder_with_one_wrong_file_is_refused() {
        let folder = std::env::temp_dir().join(format!("roster-files-{}", std::process::id()));
        for file in FILES {
            let path = folder.join(file.path());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "alert('not what was locked')").unwrap();
        }

        let memory = EmbeddedFiles::default();
        let is_full = memory.fill_from(&folder);

        assert!(!is_full && memory.files().is_none());
        fs::remove_dir_all(folder).unwrap();
    }
}
