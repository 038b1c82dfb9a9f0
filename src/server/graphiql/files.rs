//! The third-party files of the page, as the lock file names them. The program contains their bytes if
//! `scripts/graphiql` ran before the build; a file with another SHA-256 is never served or run.

use std::sync::Arc;

use axum::body::Bytes;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// The source of the files where the program does not contain them.
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
        short_digest(&self.sha256)
    }

    /// Its bytes, if they are embedded and are the locked ones.
    fn bytes(&self) -> Option<Bytes> {
        let is_locked = |bytes: &&[u8]| Sha256::digest(bytes).as_slice() == self.sha256;
        self.embedded.filter(is_locked).map(Bytes::from_static)
    }
}

/// A digest short enough for an address: 72 bits of it.
pub(super) fn short_digest(sha256: &[u8; 32]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&sha256[..9])
}

/// The bytes of all [`FILES`] in their order, or none.
#[derive(Clone, Default)]
pub(super) struct EmbeddedFiles(Option<Arc<[Bytes]>>);

impl EmbeddedFiles {
    /// The files that this program contains.
    pub(super) fn of_program() -> Self {
        Self(FILES.iter().map(PackageFile::bytes).collect())
    }

    /// The given bytes, right or wrong.
    #[cfg(test)]
    pub(super) fn holding(bytes: Vec<Bytes>) -> Self {
        Self(Some(bytes.into()))
    }

    /// Whether the program contains the files.
    pub(super) fn exist(&self) -> bool {
        self.0.is_some()
    }

    /// The files with their bytes, if the program contains them.
    pub(super) fn files(&self) -> Option<impl Iterator<Item = (&'static PackageFile, &Bytes)>> {
        let all = self.0.as_deref()?;
        Some(FILES.iter().zip(all))
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
        assert_eq!(EmbeddedFiles::of_program().exist(), embedded > 0);
    }

    #[test]
    fn a_file_with_other_bytes_than_the_locked_ones_is_not_used() {
        let file = PackageFile {
            package: "graphiql",
            version: "4.1.2",
            member: "graphiql.min.js",
            sha256: FILES[5].sha256,
            embedded: Some(b"alert('not what was locked')"),
        };

        assert_eq!(file.bytes(), None);
    }
}
