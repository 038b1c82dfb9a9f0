//! The outbound HTTP client. A call passes these steps, in this order:
//!
//! | step | what it does |
//! |---|---|
//! | [`cache`] | returns a cached response, or joins an equal read in flight |
//! | [`retry`] | makes attempts until one succeeds or another is pointless |
//! | [`breaker`] | refuses an attempt at once while the provider keeps failing |
//! | [`admission`] | waits until the provider can take the attempt, within its rate limits |
//! | [`transport`] | sends it with the account's credentials, within its time |
//!
//! [`Client::send`] and [`Upstream`] are the only places that know the order: no step names another.
//! Everything here needs only a request and its response; nothing here knows about users.

pub mod admission;
mod attempt;
pub mod breaker;
pub mod cache;
mod http_spec;
pub mod json;
pub mod observer;
mod operation;
pub mod request;
pub mod retry;
pub mod transport;

use std::sync::Arc;

use tokio::time::Instant;
use tracing::Instrument;

use admission::{Admission, WindowStatus};
use attempt::Attempt;
use breaker::{CircuitBreaker, CircuitState};
use cache::Fetch;
pub use cache::{ResponseCache, Snapshots};
pub use http_spec::HttpSpec;
use observer::{AccountHealth, CallObserver};
pub use operation::Operation;
pub use request::{Decoded, DecodedBody, Request, Response};
use retry::RetryPolicy;
pub use transport::{
    ConnectionOptions, EgressProxy, ErrorDetails, ProxyChoice, Transport,
    credentials::AuthScheme,
    quota::{QuotaHeaders, ResetKind},
    read_certificates,
};

use crate::{
    account::Account,
    context::RequestContext,
    error::{ErrorKind, Result},
};

/// A client of one account. Clones share everything.
#[derive(Clone)]
pub struct Client {
    cache: Arc<ResponseCache>,
    upstream: Arc<Upstream>,
}

/// The steps from a request that no cache answers to the provider.
pub struct Upstream {
    /// Records the calls and their attempts.
    pub observer: CallObserver,
    /// When an attempt is repeated.
    pub retry: RetryPolicy,
    /// The circuit breaker; `None` when calls always go through.
    pub breaker: Option<CircuitBreaker>,
    /// The rate limits and the limit on calls in flight.
    pub admission: Admission,
    /// The connection to the provider.
    pub transport: Transport,
}

impl Fetch for Arc<Upstream> {
    fn fetch(&self, request: Request) -> impl Future<Output = Result<Response>> + Send + 'static {
        Self::clone(self).call(request)
    }
}

impl Upstream {
    /// Makes a call, in as many attempts as it takes, and decodes the response.
    async fn call(self: Arc<Self>, request: Request) -> Result<Response> {
        let started = Instant::now();
        let attempts = self
            .retry
            .run(&request, |number| self.attempt(&request, number));
        let answer = attempts.await;
        let answer = answer.and_then(|response| request.decode(response));
        self.observer.record(&request, &answer, started.elapsed());
        answer
    }

    /// Makes one attempt, and records it.
    async fn attempt(&self, request: &Request, number: u32) -> Result<Response> {
        let attempt = Attempt::new(request, number);
        let record = self.observer.begin_attempt(&attempt);
        let answer = self.exchange(&attempt).instrument(record.span()).await;
        record.end(&answer);
        answer
    }

    /// Sends an attempt when it may be sent. Dropping a permit without an end means that the
    /// attempt was refused further on, or cancelled.
    async fn exchange(&self, attempt: &Attempt<'_>) -> Result<Response> {
        let breaker = self.breaker.as_ref();
        breaker.map_or(Ok(()), CircuitBreaker::check)?;
        let admitted = self.admission.admit(attempt).await?;
        // The circuit may have opened while the attempt waited.
        let circuit = breaker.map(CircuitBreaker::try_acquire).transpose()?;
        let answer = self.transport.send(attempt).await;
        admitted.end(&answer);
        if let Some(circuit) = circuit {
            circuit.end(attempt.request, &answer);
        }
        answer
    }
}

impl Client {
    /// A client with a cache before the other steps.
    #[must_use]
    pub fn new(cache: ResponseCache, upstream: Upstream) -> Self {
        Self {
            cache: Arc::new(cache),
            upstream: Arc::new(upstream),
        }
    }

    /// The account that is called.
    #[must_use]
    pub fn account(&self) -> Account {
        self.upstream.transport.account()
    }

    /// Sends a request and decodes the response.
    ///
    /// # Errors
    /// Any failure, with the account and the operation; a 404 is [`ErrorKind::Missing`].
    pub async fn send<T: DecodedBody>(
        &self,
        context: &RequestContext,
        request: Request,
    ) -> Result<Decoded<T>> {
        let operation = request.operation;
        let context = match request.since {
            Some(since) => context.no_older_than(since),
            None => context.clone(),
        };
        let request = request.decode_as::<T>().with_context(context);
        let answer = self.cache.serve(request, &self.upstream).await;
        let answer = answer.and_then(Decoded::new);
        answer.map_err(|error| error.with_operation(self.account(), operation.name()))
    }

    /// Sends a write, whose response the caller reads.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn write(&self, context: &RequestContext, request: Request) -> Result<Response> {
        let written = self.send::<()>(context, request).await?;
        Ok(written.response)
    }

    /// Sends a request for which a 404 means that the record does not exist.
    ///
    /// # Errors
    /// As [`Client::send`], but for 404.
    pub async fn find<T: DecodedBody>(
        &self,
        context: &RequestContext,
        request: Request,
    ) -> Result<Option<Decoded<T>>> {
        let is_read = request.is_read;
        match self.send(context, request.may_be_missing(true)).await {
            Ok(read) => Ok(Some(read)),
            // An earlier attempt may have carried out this write, so a 404 proves nothing.
            Err(error)
                if error.kind() == ErrorKind::Missing && (is_read || !error.is_unsettled()) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the path of a link that the provider sent if it leads to the provider's own host.
    /// Follow a link only by this path.
    #[must_use]
    pub fn own_path(&self, link: &str) -> Option<String> {
        self.upstream.transport.own_path(link)
    }

    /// The health of the account, from its calls so far.
    #[must_use]
    pub fn health(&self) -> AccountHealth {
        self.upstream.observer.health()
    }

    /// The state of the circuit; `None` without a circuit breaker.
    #[must_use]
    pub fn circuit_state(&self) -> Option<CircuitState> {
        self.upstream.breaker.as_ref().map(CircuitBreaker::state)
    }

    /// The windows of the account's budget; none when none is known.
    #[must_use]
    pub fn budget(&self) -> Vec<WindowStatus> {
        self.upstream.admission.windows()
    }

    /// The number of calls that may be in flight now, and of those that are.
    #[must_use]
    pub fn concurrency(&self) -> (u32, u32) {
        self.upstream.admission.concurrency()
    }

    /// Reads the account's token again if it comes from a file.
    pub async fn reload_token(&self) {
        self.upstream.transport.credentials().reload().await;
    }

    /// Notes whether a connector could read a response: here an unreadable one is a success.
    pub fn note_reading<T>(&self, operation: &'static str, reading: &Result<T>) {
        let log = self.upstream.observer.log();
        match reading {
            Ok(_) => log.readable(),
            Err(error) if error.kind() == ErrorKind::Malformed => {
                log.failed(error.operation().unwrap_or(operation), error);
            }
            Err(_) => {}
        }
    }
}
