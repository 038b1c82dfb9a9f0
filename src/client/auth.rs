//! Puts the credentials on a call. Inside the retry, so that a credential that is renewed serves the
//! next attempt: where the provider refuses a token that comes from a file, the file is read again.

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

/// How long a token that was read again is not looked for once more.
const PAUSE: Duration = Duration::from_secs(5);

/// How long a file may take to be read while calls wait for it.
const READ: Duration = Duration::from_secs(1);

/// Reads a token where it comes from; the error says why it cannot be, and does not show it.
pub type ReadToken = Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync>;

/// Where a token comes from.
#[derive(Clone)]
pub enum TokenSource {
    /// The program that embeds the gateway.
    Program,
    /// An environment variable, which is read at start only.
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

/// An account's token. Clones are the same token.
#[derive(Clone)]
pub struct Credentials(Arc<CredentialsInner>);

struct CredentialsInner {
    account: Account,
    source: TokenSource,
    header: Mutex<HeaderValue>,
    /// When the source was last read again; held while it is.
    read: tokio::sync::Mutex<Option<Instant>>,
}

/// The header of a token; it is never printed.
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
    /// A provider's token, as it was read at start.
    ///
    /// # Errors
    /// `Internal` when the token holds characters that a header cannot carry.
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

    /// Reads the token again because the provider refused it. True when there is another one now.
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
            self.tell(is_new);
        }
        is_new
    }

    /// Reads the token again, whatever the provider says of it.
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
                    self.tell(is_new);
                }
            }
        }
    }

    /// Whether the file holds another token than before; `None` where it cannot be read.
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

    fn tell(&self, is_new: bool) {
        tracing::info!(
            provider.name = self.0.account.provider().name(),
            account.name = self.0.account.name(),
            is_new,
            "the token was read again"
        );
    }
}

/// `Authorization: Bearer …` on every call.
pub struct BearerAuth(Credentials);

impl BearerAuth {
    /// Puts an account's token on its calls.
    #[must_use]
    pub fn of(credentials: Credentials) -> Self {
        Self(credentials)
    }
}

#[async_trait]
impl Layer for BearerAuth {
    async fn call(&self, call: Request, next: NextLayer<'_>) -> Result<Response> {
        let token = self.0.header();
        let answer = next.run(call.header(AUTHORIZATION, token.clone())).await;
        match answer {
            Err(error) if error.kind() == ErrorKind::Denied && self.0.renew(&token).await => {
                Err(error.renewed())
            }
            answer => answer,
        }
    }
}
