//! The settings of the log.

use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigErrors;
use crate::audit;

/// The settings of the log.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// The file that gets a JSON line for each write, instead of the log: `SIGHUP` opens it again.
    pub audit_file: Option<PathBuf>,
}

impl LogSettings {
    /// Checks the paths of the files without opening them.
    ///
    /// # Errors
    /// A path at which no file can be.
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
