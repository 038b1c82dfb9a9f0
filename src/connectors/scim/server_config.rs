//! What a server says of itself at `/ServiceProviderConfig` (RFC 7643, 5), kept for an hour.

use std::time::Duration;

use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    client::{Client, DecodedBody, Operation, Request, Response},
    connectors::decode,
    context::RequestContext,
    error::{Error, Result},
};

/// How long it is kept.
const KEPT: Duration = Duration::from_secs(3_600);

/// What a server can do. One that does not say so can do none of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct ServerConfig {
    /// Whether it sorts: others ignore an order.
    pub(super) sorts: bool,
    /// Whether it changes parts of a user.
    pub(super) patches: bool,
    /// Whether it compares versions before it writes.
    pub(super) has_versions: bool,
}

impl DecodedBody for ServerConfig {
    fn decode(response: &Response) -> Result<Self> {
        #[derive(Deserialize)]
        struct ConfigFeature {
            #[serde(default, deserialize_with = "decode::flag")]
            supported: Option<bool>,
        }
        #[derive(Deserialize)]
        struct ConfigBody {
            #[serde(default, deserialize_with = "decode::record")]
            patch: Option<ConfigFeature>,
            #[serde(default, deserialize_with = "decode::record")]
            sort: Option<ConfigFeature>,
            #[serde(default, deserialize_with = "decode::record")]
            etag: Option<ConfigFeature>,
        }
        let body: ConfigBody = response.object()?;
        let has =
            |feature: Option<ConfigFeature>| feature.and_then(|of| of.supported) == Some(true);
        Ok(Self {
            sorts: has(body.sort),
            patches: has(body.patch),
            has_versions: has(body.etag),
        })
    }
}

/// The server's word, asked for at first use.
#[derive(Default)]
pub(super) struct KnownConfig(Mutex<Option<(Instant, ServerConfig)>>);

impl KnownConfig {
    /// What the server can do. `operation` is what it is asked for.
    ///
    /// # Errors
    /// The failure of the call, which is not kept.
    pub(super) async fn get(
        &self,
        http: &Client,
        context: &RequestContext,
        operation: Operation,
    ) -> Result<ServerConfig> {
        let mut known = self.0.lock().await;
        if let Some((_, config)) = known.filter(|(read_at, _)| read_at.elapsed() < KEPT) {
            return Ok(config);
        }
        let call = Request::get(operation, &["ServiceProviderConfig"]);
        let config = match http.send::<ServerConfig>(context, call).await {
            Ok(read) => *read.body,
            Err(error) if has_no_config(&error) => ServerConfig::default(),
            Err(error) => return Err(error),
        };
        *known = Some((Instant::now(), config));
        Ok(config)
    }
}

/// Whether a server has no such page, or does not show it.
fn has_no_config(error: &Error) -> bool {
    matches!(error.status(), Some(403 | 404 | 405 | 501))
}
