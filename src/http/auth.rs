//! Puts the credentials on a call. Inside the retry, so that a credential that is renewed serves the
//! next attempt.

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::{Call, Layer, Next, Reply};
use crate::error::{Error, Kind, Result};

/// `Authorization: Bearer …` on every call.
pub struct Bearer(HeaderValue);

impl Bearer {
    /// A token that travels in a header and is never printed.
    ///
    /// # Errors
    /// `Internal` when the token holds characters that a header cannot carry.
    pub fn new(token: &SecretString) -> Result<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
            .map_err(|_| {
                Error::new(
                    Kind::Internal,
                    "the token holds characters that no header can carry",
                )
            })?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

#[async_trait]
impl Layer for Bearer {
    async fn call(&self, call: Call, next: Next<'_>) -> Result<Reply> {
        next.run(call.header(AUTHORIZATION, self.0.clone())).await
    }
}
