//! What is logged, and where.

use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigErrors;
use crate::audit;

/// What is logged, and where.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The file that gets a line of JSON for each write, instead of the log: `SIGHUP` opens it again.
    pub audit_file: Option<PathBuf>,
}

impl Log {
    /// Checks where the files are to be. They are not opened.
    ///
    /// # Errors
    /// A file that cannot be there.
    pub fn check(&self) -> Result<(), ConfigErrors> {
        let Some(file) = &self.audit_file else {
            return Ok(());
        };
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let error = if file.as_os_str().is_empty() {
            "is empty: name a file, or drop it".to_owned()
        } else if file.is_dir() {
            format!("is {}, which is a folder: name a file", file.display())
        } else if !audit::is_appendable(file) {
            format!("is {}, which is no regular file: name one", file.display())
        } else if folder.is_some_and(|folder| !folder.is_dir()) {
            format!(
                "is {}, whose folder is not there: make the folder",
                file.display()
            )
        } else {
            return Ok(());
        };
        Err(ConfigErrors(vec![format!("log.audit_file {error}")]))
    }
}
