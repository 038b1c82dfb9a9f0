//! The outbound HTTP client: a [`Request`] passes through the layers to the transport, and a
//! [`Response`] comes back.
//!
//! Everything here needs only a request and its response; nothing here knows about users.

pub mod attempt;
pub mod auth;
pub mod breaker;
pub mod budget;
pub mod cache;
pub mod concurrency;
pub mod hedge;
mod http_spec;
pub mod json;
pub mod metrics_layer;
pub mod quota;
pub mod request;
pub mod retry;
mod sanitize;
pub mod timeout;
pub mod transport;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;

pub use auth::AuthScheme;
pub use cache::{ResponseCache, Snapshots};
pub use http_spec::{BodyKind, BodyMembers, ClassifyBodyFn, HttpSpec};
pub use quota::{QuotaHeaders, ResetKind};
pub use request::{Operation, Request, Response};
pub use transport::{ErrorDetails, Transport};

use crate::{
    account::Account,
    context::RequestContext,
    error::{ErrorKind, Result},
};

/// The parts of an account's client that report its status.
#[derive(Clone, Default)]
pub struct AccountStatus {
    /// The results of its calls.
    pub health: metrics_layer::HealthRecorder,
    /// Logs its failures; `None` where the account is disabled.
    pub log: Option<Arc<metrics_layer::ProviderLog>>,
    /// Its token; `None` where it is disabled.
    pub credentials: Option<auth::Credentials>,
    /// Its circuit breaker; `None` when calls always go through.
    pub circuit_breaker: Option<breaker::CircuitBreaker>,
    /// Its rate budget; `None` when no limit is known.
    pub budget: Option<budget::RateLimitLayer>,
}

/// One step that every call passes through.
#[async_trait]
pub trait Layer: Send + Sync {
    /// Handles a call, with or without `next.run`.
    async fn call(&self, request: Request, next: NextLayer<'_>) -> Result<Response>;
}

/// The remaining layers and the transport. It is `Copy`, so that a layer may run it several times.
#[derive(Clone, Copy)]
pub struct NextLayer<'a> {
    layers: &'a [Box<dyn Layer>],
    transport: &'a Transport,
}

impl NextLayer<'_> {
    /// Sends the request through the remaining layers.
    ///
    /// # Errors
    /// The error of a layer or of the transport.
    pub async fn run(self, request: Request) -> Result<Response> {
        match self.layers.split_first() {
            Some((layer, layers)) => {
                layer
                    .call(
                        request,
                        NextLayer {
                            layers,
                            transport: self.transport,
                        },
                    )
                    .await
            }
            None => self.transport.send(request).await,
        }
    }
}

/// A provider's API behind its layers.
#[derive(Clone)]
pub struct Client {
    transport: Arc<Transport>,
    cache: Arc<ResponseCache>,
    /// Runs the layers and the transport.
    fetch: cache::FetchFn,
}

impl Client {
    /// The account that is called.
    #[must_use]
    pub fn account(&self) -> Account {
        self.transport.account()
    }

    /// Builds a client over `transport` and `layers`, the outermost layer first, with `cache`
    /// before them.
    #[must_use]
    pub fn new(transport: Transport, layers: Vec<Box<dyn Layer>>, cache: ResponseCache) -> Self {
        let transport = Arc::new(transport);
        let (layers, last): (Arc<[_]>, _) = (layers.into(), Arc::clone(&transport));
        let onward = move |request: Request| {
            let (layers, transport) = (Arc::clone(&layers), Arc::clone(&last));
            let answer = async move {
                let next = NextLayer {
                    layers: &layers,
                    transport: &transport,
                };
                next.run(request).await
            };
            answer.boxed()
        };
        Self {
            transport,
            cache: Arc::new(cache),
            fetch: Arc::new(onward),
        }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// Any failure, with the account and the operation; a 404 is [`ErrorKind::Missing`].
    pub async fn send(&self, context: &RequestContext, request: Request) -> Result<Response> {
        let operation = request.operation;
        let context = match request.since {
            Some(since) => context.no_older_than(since),
            None => context.clone(),
        };
        let request = request.with_context(context);
        let answer = self.cache.serve(request, Arc::clone(&self.fetch)).await;
        answer.map_err(|error| error.with_operation(self.transport.account(), operation.name()))
    }

    /// Returns the path of a link that the provider sent if it leads to the provider's own host.
    /// Follow a link only by this path.
    #[must_use]
    pub fn own_path(&self, link: &str) -> Option<String> {
        self.transport.own_path(link)
    }

    /// Sends a request for which a 404 means that the record does not exist.
    ///
    /// # Errors
    /// As [`Client::send`], but for 404.
    pub async fn find(
        &self,
        context: &RequestContext,
        request: Request,
    ) -> Result<Option<Response>> {
        let request = Request {
            may_be_missing: true,
            ..request
        };
        let is_read = request.is_read;
        match self.send(context, request).await {
            Ok(response) => Ok(Some(response)),
            // An earlier attempt may have carried out this write, so a 404 proves nothing.
            Err(error)
                if error.kind() == ErrorKind::Missing && (is_read || !error.is_unsettled()) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
