//! Passwords that are configured apart from an address: in an environment variable, or in a file.

use std::path::Path;

use secrecy::SecretString;

use super::{accounts::is_variable, text, variable_named};

/// The two settings of a password.
pub(super) struct PasswordSettings<'a> {
    /// The table that holds them.
    pub(super) at: &'a str,
    /// What their names have before `password_env` and `password_file`.
    pub(super) prefix: &'a str,
    pub(super) variable: Option<&'a str>,
    pub(super) file: Option<&'a Path>,
    /// The most bytes that a password may have.
    pub(super) max_bytes: usize,
}

impl PasswordSettings<'_> {
    /// Reads the password; `None` where none is configured. An error does not show it.
    pub(super) fn read(&self) -> Result<Option<SecretString>, String> {
        let Self {
            at,
            prefix,
            max_bytes,
            ..
        } = self;
        let text = match (self.file, self.variable) {
            (Some(_), Some(_)) => {
                return Err(format!(
                    "{at}: `{prefix}password_file` and `{prefix}password_env` exclude each other: drop one"
                ));
            }
            (Some(file), None) => text::read_regular_file(file).map_err(|why| {
                let file = text::shown_path(file);
                format!("{at}.{prefix}password_file: {file}: {why}")
            })?,
            (None, Some(variable)) => self.read_variable(variable)?,
            (None, None) => return Ok(None),
        };
        match text.trim() {
            "" => Err(format!("{at}: the password is empty")),
            password if password.len() > *max_bytes || password.contains(char::is_control) => {
                Err(format!(
                    "{at}: the password is longer than {max_bytes} bytes, or more than one line"
                ))
            }
            password => Ok(Some(password.to_owned().into())),
        }
    }

    fn read_variable(&self, variable: &str) -> Result<String, String> {
        let Self { at, prefix, .. } = self;
        variable_named(variable).ok_or_else(|| match is_variable(variable) {
            true => format!("{at}: no password: set the environment variable {variable}"),
            false => {
                format!("{at}.{prefix}password_env is not the name of an environment variable")
            }
        })
    }
}
