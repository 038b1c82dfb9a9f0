//! The way to a provider: a [`Request`] travels through the layers to the wire, a [`Response`] comes back.
//! What only needs a request and its answer is a layer here; what needs to know users is not here.

pub mod attempt;
pub mod auth;
pub mod breaker;
pub mod budget;
pub mod cache;
pub mod concurrency;
pub mod hedge;
pub mod json;
pub mod meter;
pub mod metrics_layer;
pub mod request;
pub mod retry;
mod sanitize;
pub mod scope;
pub mod timeout;
pub mod transport;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;

pub use cache::{ResponseCache, Snapshots};
pub use meter::{MemoryPool, Meter};
pub use request::{Operation, Request, Response};
pub use scope::{Freshness, Priority, RequestContext, WriteProgress};
pub use transport::{ErrorDetails, Transport};

use crate::{
    account::Account,
    error::{ErrorKind, Result},
};

/// What shows how a provider fares.
#[derive(Clone, Default)]
pub struct AccountStatus {
    /// How its calls went.
    pub pulse: metrics_layer::HealthRecorder,
    /// What the log says of it; `None` where it is disabled.
    pub log: Option<Arc<metrics_layer::ProviderLog>>,
    /// Its token; `None` where it is disabled.
    pub credentials: Option<auth::Credentials>,
    /// Whether it is asked; `None` when it always is.
    pub switch: Option<breaker::CircuitBreaker>,
    /// What the provider may be asked, and what of it is spent; `None` where nothing is bounded.
    pub budget: Option<budget::Budget>,
}

/// One thing done to every call of a provider.
#[async_trait]
pub trait Layer: Send + Sync {
    /// Handles a call, by `next.run` or without it.
    async fn call(&self, call: Request, next: NextLayer<'_>) -> Result<Response>;
}

/// The rest of the way to the provider. It is `Copy`: a layer may go it several times.
#[derive(Clone, Copy)]
pub struct NextLayer<'a> {
    layers: &'a [Box<dyn Layer>],
    wire: &'a Transport,
}

impl NextLayer<'_> {
    /// Sends the call on its way.
    ///
    /// # Errors
    /// What the layers and the wire answer.
    pub async fn run(self, call: Request) -> Result<Response> {
        match self.layers.split_first() {
            Some((layer, layers)) => {
                layer
                    .call(
                        call,
                        NextLayer {
                            layers,
                            wire: self.wire,
                        },
                    )
                    .await
            }
            None => self.wire.send(call).await,
        }
    }
}

/// A provider's API behind its layers.
#[derive(Clone)]
pub struct Client {
    wire: Arc<Transport>,
    cache: Arc<ResponseCache>,
    /// Through the layers to the provider.
    onward: cache::FetchFn,
}

impl Client {
    /// The account that is called.
    #[must_use]
    pub fn account(&self) -> Account {
        self.wire.account()
    }

    /// A provider's API, reached over `wire` through `layers`, the outermost first, where no answer is
    /// kept.
    #[must_use]
    pub fn new(wire: Transport, layers: Vec<Box<dyn Layer>>, cache: ResponseCache) -> Self {
        let wire = Arc::new(wire);
        let (layers, last): (Arc<[_]>, _) = (layers.into(), Arc::clone(&wire));
        let onward = move |call: Request| {
            let (layers, wire) = (Arc::clone(&layers), Arc::clone(&last));
            let answer = async move {
                let next = NextLayer {
                    layers: &layers,
                    wire: &wire,
                };
                next.run(call).await
            };
            answer.boxed()
        };
        Self {
            wire,
            cache: Arc::new(cache),
            onward: Arc::new(onward),
        }
    }

    /// Sends a call.
    ///
    /// # Errors
    /// Whatever went wrong, named by provider and operation; 404 is [`ErrorKind::Missing`].
    pub async fn send(&self, scope: &RequestContext, call: Request) -> Result<Response> {
        let operation = call.operation;
        let scope = match call.since {
            Some(since) => scope.no_older_than(since),
            None => scope.clone(),
        };
        let call = call.within(scope);
        let answer = self.cache.serve(call, Arc::clone(&self.onward)).await;
        answer.map_err(|error| error.at(self.wire.account(), operation.name()))
    }

    /// The path of a link that the provider sent, when it leads to the provider's own host: whatever
    /// follows a link follows such a path.
    #[must_use]
    pub fn own_path(&self, link: &str) -> Option<String> {
        self.wire.own_path(link)
    }

    /// Sends a call whose answer 404 means that there is no such thing.
    ///
    /// # Errors
    /// As [`Client::send`], but for 404.
    pub async fn find(&self, scope: &RequestContext, call: Request) -> Result<Option<Response>> {
        let call = Request {
            may_be_missing: true,
            ..call
        };
        let is_read = call.is_read;
        match self.send(scope, call).await {
            Ok(reply) => Ok(Some(reply)),
            // A write that may have been carried out before says nothing by a 404.
            Err(error)
                if error.kind() == ErrorKind::Missing && (is_read || !error.is_unsettled()) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
