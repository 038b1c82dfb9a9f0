//! The graph: arguments become domain types here, and domain types answers. No provider is known here
//! by more than its name.

mod accounts;
mod client_schema;
pub mod connection;
pub mod cost;
pub mod cursor;
pub mod description;
pub mod document;
pub mod entities;
pub mod error;
pub mod filter;
pub mod moments;
pub mod mutation;
pub mod outcomes;
pub mod person;
pub mod prepare;
pub mod query;
pub mod row;
pub mod source;
pub mod sources_last;
pub mod subresources;
pub mod trace;
pub mod user;
pub mod variables;

use std::{sync::Arc, time::Duration};

use async_graphql::{
    Context, EmptySubscription, ID, Json, SDLExportOptions, SchemaBuilder, ValidationMode,
};
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::{
    audit::AuditLog,
    client::{MemoryPool, Meter, RequestContext, cache::MemoryCache},
    connectors::SubresourceLoader,
    loaders::Loaders,
};
pub use accounts::Accounts;
pub use client_schema::client_sdl;
use document::SchemaRules;
use entities::{EntityIndexes, QueryRoot};
use mutation::Mutation;
use outcomes::RequestOutcomes;
use row::YieldBudget;
use subresources::SubresourceFields;
use trace::{Trace, TraceAccess};

/// The schema with its resolvers.
pub type Schema = async_graphql::Schema<QueryRoot, Mutation, EmptySubscription>;

/// What one request may ask for.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// The largest `first` and `last`.
    pub page: u32,
    /// The largest number of `ids` in `nodes` and of representations in `_entities`.
    pub keys: usize,
    /// How long a request may take.
    pub deadline: Duration,
    /// How many bytes a request may hold: of providers' answers, and of its own.
    pub request_bytes: u64,
    /// How many calls a request may make at each account.
    pub calls: u32,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            page: 500,
            keys: 500,
            deadline: Duration::from_secs(15),
            request_bytes: 64 * 1024 * 1024,
            calls: 100,
        }
    }
}

/// What the resolvers stand on.
pub struct Graph {
    /// The users of all accounts.
    pub accounts: Accounts,
    /// The writes under way: they are finished before the gateway stops.
    pub writes: TaskTracker,
    /// What one request may ask for.
    pub bounds: RequestLimits,
    /// Who is shown the calls that a request made.
    pub audience: TraceAccess,
    /// The bytes that all requests may hold together.
    pub memory: MemoryPool,
    /// The answers that are kept.
    pub cache: MemoryCache,
    /// Where writes are noted.
    pub audit: AuditLog,
}

/// Builds the schema. The engine validates nothing by itself: a request comes through
/// [`prepare::prepare`].
///
/// # Panics
/// When the engine prints a schema that is not valid, which a test would have shown.
#[must_use]
pub fn schema(graph: Graph) -> Schema {
    let accounts = graph.accounts.all().count();
    let rules = SchemaRules::new(&builder().finish().sdl(), accounts);
    let rules = rules.expect("the engine prints a valid schema");
    builder().data(graph).data(rules).finish()
}

fn builder() -> SchemaBuilder<QueryRoot, Mutation, EmptySubscription> {
    Schema::build(QueryRoot::default(), Mutation, EmptySubscription)
        .enable_federation()
        .validation_mode(ValidationMode::Fast)
        .limit_recursive_depth(cost::LEVELS)
        .override_output_type_description::<Timestamp>(
            "A moment: ISO 8601 in UTC, such as `2026-02-03T04:05:06Z`. As an argument a date is one, too: the start of that day.",
        )
        .override_output_type_description::<ID>("An identifier: opaque text.")
        .override_output_type_description::<Json<()>>("Any JSON value.")
}

/// The writes under way: they are finished before the gateway stops.
#[must_use]
pub fn writes(schema: &Schema) -> TaskTracker {
    let graph = schema.data::<Graph>();
    graph.map(|graph| graph.writes.clone()).unwrap_or_default()
}

/// The schema in its own language, as `schema.graphql` holds it: for routers and for reviewers.
#[must_use]
pub fn sdl(schema: &Schema) -> String {
    let options = SDLExportOptions::new()
        .federation()
        .include_specified_by()
        .prefer_single_line_descriptions()
        .use_space_ident();
    let text = schema.sdl_with_options(options);
    let lines = text.lines().map(str::trim_end);
    let types = lines.fold(String::new(), |all, line| all + line + "\n");
    description::definition() + types.trim_start()
}

/// What a request carries beside its query: its deadline, which is sooner where the client does not wait
/// that long, how old an answer will do (`None` is as old as answers are kept), and loaders that nobody else shares. With it comes what will become of its calls.
#[must_use]
pub fn with_loaders(
    request: async_graphql::Request,
    schema: &Schema,
    wait: Option<Duration>,
    max_age: Option<Duration>,
) -> (async_graphql::Request, Trace) {
    let Some(graph) = schema.data::<Graph>() else {
        return (request, Trace::default());
    };
    let deadline = graph.bounds.deadline;
    let context = RequestContext::until(Instant::now() + wait.unwrap_or(deadline).min(deadline));
    let meter = Arc::new(Meter::new(graph.memory.clone(), graph.bounds.request_bytes));
    let context = context
        .with_freshness(trace::freshness(max_age))
        .with_meter(Arc::clone(&meter))
        .with_call_limit(graph.bounds.calls);
    let call_log = Arc::clone(context.call_log());
    let fates = Arc::<RequestOutcomes>::default();
    let trace = Trace {
        call_log,
        meter,
        fates: Arc::clone(&fates),
    };
    let loaders = Arc::new(Loaders::new(graph.accounts.all(), &context));
    let parts: Arc<dyn SubresourceLoader> = Arc::new(SubresourceFields(Arc::clone(&loaders)));
    let request = request.data(context).data(loaders).data(parts).data(fates);
    let request = request
        .data(YieldBudget::default())
        .data(EntityIndexes::default());
    (request, trace)
}

impl Graph {
    /// Reads again what may have changed since the start.
    pub async fn reload(&self) {
        self.audit.reopen();
        for directory in self.accounts.configured() {
            directory.reload_token().await;
        }
    }

    fn of<'a>(ctx: &Context<'a>) -> &'a Self {
        ctx.data_unchecked::<Self>()
    }
}
