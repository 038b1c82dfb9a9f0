//! The executor: every transport hands its requests to it and gets responses back. Whatever bounds a
//! request happens here, so no transport can leave it out.

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_graphql::{
    Data, Name, Request, Response, ServerError, Value, futures_util::stream::BoxStream,
    parser::types::OperationType,
};
use futures_util::{StreamExt, stream};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::{
    Graph, Schema,
    description::describe,
    document::cache::DocumentCache,
    entities::EntityIndexes,
    error::{add_missing_codes, refusal, seconds, to_graphql_error, without_what_is_too_large},
    outcomes::RequestOutcomes,
    prepare::{Preparation, PreparedRequest},
    row::YieldBudget,
    schema_rules,
    subresources::SubresourceFields,
    trace::{self, RequestTrace},
};
use crate::{
    audit::RequestId,
    connectors::SubresourceLoader,
    context::{MemoryMeter, RequestContext},
    error::{Error, ErrorCode, ErrorKind},
    loaders::Loaders,
};

/// The options of a request beside its document, from its transport.
#[derive(Clone, Debug, Default)]
pub struct RequestOptions {
    /// How long the client waits, if it says so; never longer than the gateway's own deadline.
    pub wait: Option<Duration>,
    /// How old the data may be, if the client says so.
    pub max_age: Option<Duration>,
    /// The id of the request, for the audit log.
    pub request_id: String,
    /// The address of the client's connection, if it is known.
    pub client: Option<IpAddr>,
    /// The secret that the client sent to see the calls of its request.
    pub trace_token: Option<Vec<u8>>,
    /// Which operations the transport can carry beside queries.
    pub allowed: AllowedOperations,
}

/// Which operations a transport can carry beside queries.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowedOperations {
    /// Whether it takes mutations: a GET does not.
    pub mutations: bool,
    /// Whether it takes subscriptions: a transport that sends one response does not.
    pub subscriptions: bool,
}

/// Why a request did not run, or why its answer is withheld.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The request itself: its document, its variables, its cost.
    Request(ErrorCode),
    /// A mutation over a transport that takes none.
    MutationNotAllowed,
    /// A subscription over a transport that takes none.
    SubscriptionNotAllowed,
    /// The gateway has no room for the request now.
    Overloaded {
        /// After how many seconds another attempt makes sense.
        retry_after: i32,
    },
}

impl Refusal {
    /// The code of the refusal.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::Request(code) => code,
            Self::MutationNotAllowed | Self::SubscriptionNotAllowed => ErrorCode::BadUserInput,
            Self::Overloaded { .. } => ErrorCode::Overloaded,
        }
    }
}

/// A response, with what a transport and the log need to know of it.
pub struct Execution {
    /// The kind of the operation; `None` when it cannot be determined.
    pub kind: Option<OperationType>,
    /// The name of the operation, if it has one.
    pub name: Option<Name>,
    /// The response.
    pub response: Response,
    /// Why there is no data at all, not even null; `None` when the operation ran.
    pub refusal: Option<Refusal>,
    /// How long the client may keep the response.
    pub fresh_for: Duration,
    /// The calls and the memory of the request.
    pub trace: RequestTrace,
}

impl Execution {
    fn refused(refusal: Refusal, errors: Vec<ServerError>) -> Self {
        Self {
            kind: None,
            name: None,
            response: Response::from_errors(errors),
            refusal: Some(refusal),
            fresh_for: Duration::ZERO,
            trace: RequestTrace::default(),
        }
    }

    /// A request that is refused for a fault of the gateway, or for lack of memory.
    #[must_use]
    pub fn failed(error: &Error) -> Self {
        let refusal = match error.kind() {
            ErrorKind::Overloaded => Refusal::Overloaded {
                retry_after: error.retry_after().map_or(1, seconds),
            },
            kind => Refusal::Request(kind.code()),
        };
        let mut failed = to_graphql_error(error).into_server_error(Default::default());
        failed.locations.clear();
        Self::refused(refusal, vec![failed])
    }

    /// A request that a transport refuses with an error of its own, which has a code.
    #[must_use]
    pub fn refused_with(error: ServerError) -> Self {
        let code = code_of(&error).unwrap_or(ErrorCode::Internal);
        Self::refused(Refusal::Request(code), vec![error])
    }

    /// Whether the request itself is wrong: its document, its variables, its cost.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        matches!(self.refusal, Some(Refusal::Request(code)) if code != ErrorCode::Internal)
    }

    fn of_operation(self, operation: &RunningOperation) -> Self {
        Self {
            kind: Some(operation.kind),
            name: operation.name.clone(),
            ..self
        }
    }
}

/// The responses of an operation that runs.
pub struct ExecutionStream {
    /// The kind of the operation.
    pub kind: OperationType,
    /// The name of the operation, if it has one.
    pub name: Option<Name>,
    /// The responses: one, or for a subscription one for each event.
    pub executions: BoxStream<'static, Execution>,
}

/// Runs requests. Clones share everything.
#[derive(Clone)]
pub struct Executor {
    schema: Schema,
    preparation: Preparation,
}

/// An operation that runs.
#[derive(Clone)]
struct RunningOperation {
    kind: OperationType,
    name: Option<Name>,
    schema_keys: Vec<Name>,
    is_traced: bool,
    trace: RequestTrace,
}

impl Executor {
    /// The executor over a graph.
    ///
    /// # Panics
    /// When the engine prints a schema that is not valid, which a test would have shown.
    #[must_use]
    pub fn new(graph: Graph) -> Self {
        let graph = Arc::new(graph);
        let rules = Arc::new(schema_rules(&graph));
        Self {
            schema: super::schema(Arc::clone(&graph)),
            preparation: Preparation {
                graph,
                rules,
                documents: DocumentCache::default(),
            },
        }
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.preparation.graph
    }

    /// The writes under way: they are finished before the gateway stops.
    #[must_use]
    pub fn writes(&self) -> TaskTracker {
        self.graph().writes.clone()
    }

    /// Runs a query or a mutation.
    pub async fn run(&self, request: Request, options: &RequestOptions) -> Execution {
        match self.start(request, options) {
            Ok((request, operation)) => {
                let response = self.schema.execute(request).await;
                operation.finish(response)
            }
            Err(refused) => *refused,
        }
    }

    /// Runs an operation of any kind: a query or a mutation has one response, a subscription one for each
    /// event. The work ends when the stream is dropped; a write that was sent is finished.
    ///
    /// # Errors
    /// The refusal of the request, before anything has run.
    pub fn stream(
        &self,
        request: Request,
        options: &RequestOptions,
    ) -> Result<ExecutionStream, Box<Execution>> {
        let (request, operation) = self.start(request, options)?;
        let (kind, name) = (operation.kind, operation.name.clone());
        let executions = if kind == OperationType::Subscription {
            let responses = self.schema.execute_stream(request);
            let executions = responses.map(move |response| operation.clone().finish(response));
            executions.boxed()
        } else {
            let schema = self.schema.clone();
            let execution = async move { operation.finish(schema.execute(request).await) };
            stream::once(execution).boxed()
        };
        Ok(ExecutionStream {
            kind,
            name,
            executions,
        })
    }

    /// Prepares a request and gives it its context.
    fn start(
        &self,
        request: Request,
        options: &RequestOptions,
    ) -> Result<(Request, RunningOperation), Box<Execution>> {
        let prepared = self
            .preparation
            .prepare(request, options.client)
            .map_err(|errors| {
                let code = errors.first().and_then(code_of);
                let refusal = Refusal::Request(code.unwrap_or(ErrorCode::Internal));
                Box::new(Execution::refused(refusal, errors))
            })?;
        let PreparedRequest {
            request,
            kind,
            name,
            uncounted,
            schema_keys,
        } = prepared;
        let refused = refused_by_transport(kind, options.allowed);
        let (request, trace) = match refused {
            Some(_) => (request, RequestTrace::default()),
            None => self.with_context(request, options),
        };
        let token = options.trace_token.as_deref();
        let operation = RunningOperation {
            kind,
            name,
            schema_keys,
            is_traced: self.graph().trace_access.admits(token),
            trace,
        };
        if let Some(refused) = refused {
            return Err(Box::new(refused.of_operation(&operation)));
        }
        let charged = operation.trace.charge(uncounted);
        charged.map_err(|error| Box::new(Execution::failed(&error).of_operation(&operation)))?;
        Ok((request, operation))
    }

    /// Adds what the resolvers of one request share: its context, its loaders and its records.
    fn with_context(&self, request: Request, options: &RequestOptions) -> (Request, RequestTrace) {
        let graph = self.graph();
        let deadline = graph.limits.deadline;
        let wait = options.wait.unwrap_or(deadline).min(deadline);
        let meter = Arc::new(MemoryMeter::new(
            graph.memory.clone(),
            graph.limits.request_bytes,
        ));
        let context = RequestContext::until(Instant::now() + wait)
            .with_max_age(trace::freshness(options.max_age))
            .with_meter(Arc::clone(&meter))
            .with_call_limit(graph.limits.calls);
        let outcomes = Arc::<RequestOutcomes>::default();
        let trace = RequestTrace {
            call_log: Arc::clone(context.call_log()),
            meter,
            outcomes: Arc::clone(&outcomes),
        };
        let loaders = Arc::new(Loaders::new(graph.accounts.all(), &context));
        let parts: Arc<dyn SubresourceLoader> = Arc::new(SubresourceFields(Arc::clone(&loaders)));
        let request = request
            .data(context)
            .data(loaders)
            .data(parts)
            .data(outcomes)
            .data(YieldBudget::default())
            .data(EntityIndexes::default())
            .data(RequestId(options.request_id.clone()));
        (request, trace)
    }
}

/// The refusal of an operation that the transport cannot carry.
fn refused_by_transport(kind: OperationType, allowed: AllowedOperations) -> Option<Execution> {
    let (refusal, message) = match kind {
        OperationType::Mutation if !allowed.mutations => (
            Refusal::MutationNotAllowed,
            "a mutation must be sent by POST",
        ),
        OperationType::Subscription if !allowed.subscriptions => (
            Refusal::SubscriptionNotAllowed,
            "a subscription is answered over a WebSocket, or as a stream: send `Accept: text/event-stream`",
        ),
        _ => return None,
    };
    let error = self::refusal(refusal.code(), message, None);
    Some(Execution::refused(refusal, vec![error]))
}

impl RunningOperation {
    /// Completes a response of the engine.
    fn finish(self, mut response: Response) -> Execution {
        let is_query = self.kind == OperationType::Query;
        // The outcome of a mutation must be returned, or the client repeats it.
        if self.trace.is_overloaded() && is_query {
            return Execution::failed(&Error::overloaded()).of_operation(&self);
        }
        describe(&mut response, &self.schema_keys);
        add_missing_codes(&mut response.errors);
        if self.kind != OperationType::Mutation {
            without_what_is_too_large(&mut response);
        }
        if self.is_traced {
            let calls = self.trace.to_json();
            response.extensions.insert("roster".to_owned(), calls);
        }
        let fresh_for = match is_query && response.errors.is_empty() {
            true => self.trace.fresh_for(),
            false => Duration::ZERO,
        };
        Execution {
            refusal: refusal_of(&response),
            kind: Some(self.kind),
            name: self.name,
            response,
            fresh_for,
            trace: self.trace,
        }
    }
}

/// The refusal that the engine itself made: no data, and no error that belongs to a field.
fn refusal_of(response: &Response) -> Option<Refusal> {
    let first = response.errors.first()?;
    let is_of_request =
        response.data == Value::Null && response.errors.iter().all(|error| error.path.is_empty());
    is_of_request.then(|| Refusal::Request(code_of(first).unwrap_or(ErrorCode::Internal)))
}

/// The code of an error.
#[must_use]
pub fn code_of(error: &ServerError) -> Option<ErrorCode> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => ErrorCode::named(code),
        _ => None,
    }
}

impl async_graphql::Executor for Executor {
    async fn execute(&self, request: Request) -> Response {
        let options = options_of(&request.data);
        self.run(request, &options).await.response
    }

    fn execute_stream(
        &self,
        request: Request,
        session: Option<Arc<Data>>,
    ) -> BoxStream<'static, Response> {
        let options = session.map_or_else(RequestOptions::default, |session| options_of(&session));
        match self.stream(request, &options) {
            Ok(operation) => {
                let executions = operation.executions;
                executions.map(|execution| execution.response).boxed()
            }
            Err(refused) => stream::once(async move { refused.response }).boxed(),
        }
    }
}

/// The options that a transport put into the data of a request or of its session.
fn options_of(data: &Data) -> RequestOptions {
    let options = data.get(&std::any::TypeId::of::<RequestOptions>());
    let options = options.and_then(|options| options.downcast_ref::<RequestOptions>());
    options.cloned().unwrap_or_default()
}
