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
pub mod executor;
pub mod filter;
pub mod mutation;
pub mod outcomes;
pub mod person;
mod prepare;
pub mod query;
pub mod row;
pub mod source;
pub mod sources_last;
pub mod subresources;
pub mod subscription;
pub mod timestamps;
pub mod trace;
pub mod user;
pub mod variables;

use std::{sync::Arc, time::Duration};

use async_graphql::{Context, ID, Json, SDLExportOptions, SchemaBuilder, ValidationMode};
use jiff::Timestamp;
use tokio_util::task::TaskTracker;

use crate::{audit::AuditLog, client::cache::MemoryCache, context::MemoryPool};
pub use accounts::Accounts;
pub use client_schema::client_sdl;
use document::SchemaRules;
use entities::QueryRoot;
pub use executor::Executor;
use mutation::Mutation;
use subscription::Subscription;
use trace::TraceAccess;

/// The schema with its resolvers.
pub type Schema = async_graphql::Schema<QueryRoot, Mutation, Subscription>;

/// The limits of one request.
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

/// The parts that the resolvers use.
pub struct Graph {
    /// The users of all accounts.
    pub accounts: Accounts,
    /// The writes under way: they are finished before the gateway stops.
    pub writes: TaskTracker,
    /// The limits of one request.
    pub limits: RequestLimits,
    /// The clients that see the calls of their requests.
    pub trace_access: TraceAccess,
    /// The bytes that all requests may hold together.
    pub memory: MemoryPool,
    /// The answers that are kept.
    pub cache: MemoryCache,
    /// Where writes are noted.
    pub audit: AuditLog,
}

/// Builds the schema. The engine validates nothing by itself: a request comes through an [`Executor`].
fn schema(graph: Arc<Graph>) -> Schema {
    builder().data(graph).finish()
}

/// The schema as documents are checked against it.
fn schema_rules(graph: &Graph) -> SchemaRules {
    let accounts = graph.accounts.all().count();
    let rules = SchemaRules::new(&builder().finish().sdl(), accounts);
    rules.expect("the engine prints a valid schema")
}

fn builder() -> SchemaBuilder<QueryRoot, Mutation, Subscription> {
    Schema::build(QueryRoot::default(), Mutation, Subscription)
        .enable_federation()
        .enable_subscription_in_federation()
        .validation_mode(ValidationMode::Fast)
        .limit_recursive_depth(cost::LEVELS)
        .override_output_type_description::<Timestamp>(
            "A moment: ISO 8601 in UTC, such as `2026-02-03T04:05:06Z`. As an argument a date is one, too: the start of that day.",
        )
        .override_output_type_description::<ID>("An identifier: opaque text.")
        .override_output_type_description::<Json<()>>("Any JSON value.")
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

impl Graph {
    /// Reads again what may have changed since the start.
    pub async fn reload(&self) {
        self.audit.reopen();
        for directory in self.accounts.configured() {
            directory.reload_token().await;
        }
    }

    fn from_context<'a>(ctx: &Context<'a>) -> &'a Self {
        ctx.data_unchecked::<Arc<Self>>()
    }
}
