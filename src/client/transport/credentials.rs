//! An account's token. When the provider refuses a token that comes from a file, the file is read
//! again, and the next attempt uses the new token.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout},
};

use crate::{
    account::Account,
    error::{Error, ErrorKind, Result},
};

/// The shortest time between two reads of a token file because of refusals.
const MIN_READ_INTERVAL: Duration = Duration::from_secs(5);

/// The longest time that calls wait for a token file to be read.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// Reads a token from its source. The error says why that fails and never contains the token.
pub type ReadToken = Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync>;

/// The source of a token.
#[derive(Clone)]
pub enum TokenSource {
    /// The program that embeds the gateway.
    Program,
    /// An environment variable, read only at start.
    Environment,
    /// A file.
    File(ReadToken),
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Program => "Program",
            Self::Environment => "Environment",
            Self::File(_) => "File",
        })
    }
}

/// How a request carries the token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthScheme {
    /// `Authorization: Bearer TOKEN`.
    Bearer,
    /// The token alone, in a header of this name.
    Header(&'static str),
}

impl AuthScheme {
    fn header_name(self) -> &'static str {
        match self {
            Self::Bearer => AUTHORIZATION.as_str(),
            Self::Header(name) => name,
        }
    }

    /// The token as a header value, marked as sensitive so that it is never printed.
    fn header_value(self, token: &SecretString) -> Result<HeaderValue> {
        let token = token.expose_secret();
        let value = match self {
            Self::Bearer => HeaderValue::from_str(&format!("Bearer {token}")),
            Self::Header(_) => HeaderValue::from_str(token),
        };
        let mut value = value.map_err(|_| {
            let message = "the token holds characters that no header can carry";
            Error::new(ErrorKind::Internal, message)
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The token in a header value.
    pub(super) fn token_of(self, value: &HeaderValue) -> Option<&str> {
        let text = value.to_str().ok()?;
        match self {
            Self::Bearer => text.strip_prefix("Bearer "),
            Self::Header(_) => Some(text),
        }
    }
}

/// An account's token. Clones share it.
#[derive(Clone)]
pub struct Credentials(Arc<CredentialsInner>);

struct CredentialsInner {
    account: Account,
    scheme: AuthScheme,
    source: TokenSource,
    /// The name of the header and its current value.
    name: HeaderName,
    header: Mutex<HeaderValue>,
    /// When the source was last read again; locked during the read.
    read: tokio::sync::Mutex<Option<Instant>>,
}

impl Credentials {
    /// Credentials with the token that was read at start.
    ///
    /// # Errors
    /// `Internal` when a header cannot carry the token's characters, or have the scheme's name.
    pub fn new(
        account: Account,
        scheme: AuthScheme,
        (token, source): (&SecretString, TokenSource),
    ) -> Result<Self> {
        let name = HeaderName::try_from(scheme.header_name());
        Ok(Self(Arc::new(CredentialsInner {
            account,
            scheme,
            source,
            name: name.map_err(|_| Error::internal("no header can have this name"))?,
            header: Mutex::new(scheme.header_value(token)?),
            read: tokio::sync::Mutex::default(),
        })))
    }

    /// The name of the header that carries the token.
    pub(super) fn name(&self) -> &HeaderName {
        &self.0.name
    }

    /// The header value with the current token.
    pub(super) fn header(&self) -> HeaderValue {
        let header = self.0.header.lock();
        header.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the token again after the provider refused it. True when a different token is now in
    /// use.
    pub(super) async fn renew(&self, refused: &HeaderValue) -> bool {
        let TokenSource::File(read) = &self.0.source else {
            return false;
        };
        let mut last = self.0.read.lock().await;
        if self.header() != *refused {
            return true;
        }
        if last.is_some_and(|at| at.elapsed() < MIN_READ_INTERVAL) {
            return false;
        }
        *last = Some(Instant::now());
        let is_new = self.read(read).await == Some(true);
        if is_new {
            self.log_read(is_new);
        }
        is_new
    }

    /// Reads the token again, even if the provider accepts the current one.
    pub async fn reload(&self) {
        match &self.0.source {
            TokenSource::Program => {}
            TokenSource::Environment => tracing::info!(
                provider.name = self.0.account.provider().name(),
                account.name = self.0.account.name(),
                "the token stays: an environment variable is read at start only"
            ),
            TokenSource::File(read) => {
                let mut last = self.0.read.lock().await;
                *last = Some(Instant::now());
                if let Some(is_new) = self.read(read).await {
                    self.log_read(is_new);
                }
            }
        }
    }

    /// Whether the file holds a new token; `None` when it cannot be read.
    async fn read(&self, read: &ReadToken) -> Option<bool> {
        let read = Arc::clone(read);
        let token = match timeout(READ_TIMEOUT, spawn_blocking(move || read())).await {
            Ok(Ok(token)) => token,
            Ok(Err(_)) | Err(_) => Err("it takes too long".to_owned()),
        };
        let header = token.and_then(|token| {
            let header = self.0.scheme.header_value(&token);
            header.map_err(|error| error.to_string())
        });
        match header {
            Ok(header) => Some(self.replace(header)),
            Err(why) => {
                tracing::warn!(
                    provider.name = self.0.account.provider().name(),
                    account.name = self.0.account.name(),
                    why,
                    "the token cannot be read again"
                );
                None
            }
        }
    }

    fn replace(&self, header: HeaderValue) -> bool {
        let mut current = self.0.header.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = *current != header;
        *current = header;
        is_new
    }

    fn log_read(&self, is_new: bool) {
        tracing::info!(
            provider.name = self.0.account.provider().name(),
            account.name = self.0.account.name(),
            is_new,
            "the token was read again"
        );
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::AuthScheme;

    #[test]
    fn each_scheme_carries_the_token_in_its_header_and_finds_it_there() {
        for (scheme, name, value) in [
            (AuthScheme::Bearer, "authorization", "Bearer secret"),
            (AuthScheme::Header("x-api-key"), "x-api-key", "secret"),
        ] {
            let header = scheme.header_value(&"secret".to_owned().into());
            let header = header.expect("a header");
            assert_eq!(
                (scheme.header_name(), header.as_bytes()),
                (name, value.as_bytes())
            );
            assert!(header.is_sensitive());

            assert_eq!(scheme.token_of(&header), Some("secret"));
            let empty = HeaderValue::from_static("");
            assert_ne!(scheme.token_of(&empty), Some("secret"));
        }
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_refused_without_being_shown() {
        for scheme in [AuthScheme::Bearer, AuthScheme::Header("x-api-key")] {
            let refused = scheme.header_value(&"sec\nret".to_owned().into());
            assert!(!refused.expect_err("a line end").to_string().contains("ret"));
        }
    }
}
