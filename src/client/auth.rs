//! Adds the credentials to a request. It sits inside the retry, so that the next attempt uses a
//! renewed token: when the provider refuses a token that comes from a file, the file is read again.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::{Layer, NextLayer, Request, Response};
use crate::{
    account::Account,
    error::{Error, ErrorKind, Result},
};

/// The shortest time between two reads of a token file because of refusals.
const PAUSE: Duration = Duration::from_secs(5);

/// The longest time that calls wait for a token file to be read.
const READ: Duration = Duration::from_secs(1);

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

/// An account's token. Clones share it.
#[derive(Clone)]
pub struct Credentials(Arc<CredentialsInner>);

struct CredentialsInner {
    account: Account,
    source: TokenSource,
    header: Mutex<HeaderValue>,
    /// When the source was last read again; locked during the read.
    read: tokio::sync::Mutex<Option<Instant>>,
}

/// The token as a header value, marked as sensitive so that it is never printed.
fn header(token: &SecretString) -> Result<HeaderValue> {
    let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
    let mut value = value.map_err(|_| {
        let message = "the token holds characters that no header can carry";
        Error::new(ErrorKind::Internal, message)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl Credentials {
    /// Credentials with the token that was read at start.
    ///
    /// # Errors
    /// `Internal` when a header cannot carry the token's characters.
    pub fn new(account: Account, token: &SecretString, source: TokenSource) -> Result<Self> {
        Ok(Self(Arc::new(CredentialsInner {
            account,
            source,
            header: Mutex::new(header(token)?),
            read: tokio::sync::Mutex::default(),
        })))
    }

    fn header(&self) -> HeaderValue {
        let header = self.0.header.lock();
        header.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the token again after the provider refused it. True when a different token is now in
    /// use.
    async fn renew(&self, refused: &HeaderValue) -> bool {
        let TokenSource::File(read) = &self.0.source else {
            return false;
        };
        let mut last = self.0.read.lock().await;
        if self.header() != *refused {
            return true;
        }
        if last.is_some_and(|at| at.elapsed() < PAUSE) {
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
        let token = match timeout(READ, spawn_blocking(move || read())).await {
            Ok(Ok(token)) => token,
            Ok(Err(_)) | Err(_) => Err("it takes too long".to_owned()),
        };
        let header = token.and_then(|token| header(&token).map_err(|error| error.to_string()));
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

/// Sends `Authorization: Bearer …` with every call.
pub struct BearerAuth(Credentials);

impl BearerAuth {
    /// Adds an account's token to its calls.
    #[must_use]
    pub fn of(credentials: Credentials) -> Self {
        Self(credentials)
    }
}

#[async_trait]
impl Layer for BearerAuth {
    async fn call(&self, request: Request, next: NextLayer<'_>) -> Result<Response> {
        let token = self.0.header();
        let answer = next.run(request.header(AUTHORIZATION, token.clone())).await;
        match answer {
            Err(error) if error.kind() == ErrorKind::Denied && self.0.renew(&token).await => {
                Err(error.renewed())
            }
            answer => answer,
        }
    }
}
