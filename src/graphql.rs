//! The graph: arguments become domain types here, and domain types answers. No vendor is known here
//! by more than its name.

pub mod connection;
pub mod cost;
pub mod cursor;
pub mod entities;
pub mod error;
pub mod literals;
pub mod merging;
pub mod mutation;
pub mod person;
pub mod query;
pub mod source;
pub mod trace;
pub mod types;
pub mod user;
pub mod variables;

use std::{sync::Arc, time::Duration};

use async_graphql::{Context, EmptySubscription, ID, Json, SDLExportOptions};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::{directory::Directory, http::Scope, loader::Loaders, user::Provider, vendor::Parts};
use entities::Root;
use mutation::Mutation;
use trace::{Audience, Trace};
use types::Types;
use user::Apart;

/// The schema with its resolvers.
pub type Schema = async_graphql::Schema<Root, Mutation, EmptySubscription>;

/// What one request may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The largest `first` and `last`.
    pub page: u32,
    /// The largest number of `ids` in `nodes` and of representations in `_entities`.
    pub keys: usize,
    /// How long a request may take.
    pub deadline: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            page: 500,
            keys: 500,
            deadline: Duration::from_secs(15),
        }
    }
}

/// What the resolvers stand on.
pub struct Graph {
    /// The vendors' users, in the order of [`Provider::ALL`].
    pub directories: Vec<Arc<Directory>>,
    /// What one request may ask for.
    pub bounds: Bounds,
    /// Who is shown the calls that a request made.
    pub audience: Audience,
}

/// The engine's own limits; the costs that it does not count are counted before, in the server.
const DEPTH: usize = 20;
const RECURSION: usize = 64;
const DIRECTIVES: usize = 50;

/// Builds the schema.
#[must_use]
pub fn schema(graph: Graph) -> Schema {
    Schema::build(Root::default(), Mutation, EmptySubscription)
        .enable_federation()
        .limit_depth(DEPTH)
        .limit_recursive_depth(RECURSION)
        .limit_directives(DIRECTIVES)
        .override_output_type_description::<Timestamp>(
            "A moment: ISO 8601 in UTC, such as `2026-02-03T04:05:06Z`.",
        )
        .override_output_type_description::<ID>("An identifier: opaque text.")
        .override_output_type_description::<Json<()>>("Any JSON value.")
        .data(graph)
        .data(Types::default())
        .finish()
}

/// The schema in its own language, as `schema.graphql` holds it: for routers and for reviewers.
#[must_use]
pub fn sdl(schema: &Schema) -> String {
    let options = SDLExportOptions::new()
        .federation()
        .prefer_single_line_descriptions()
        .use_space_ident();
    let text = schema.sdl_with_options(options);
    let lines = text.lines().map(str::trim_end);
    lines
        .fold(String::new(), |all, line| all + line + "\n")
        .trim_start()
        .to_owned()
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
    let scope = Scope::until(Instant::now() + wait.unwrap_or(deadline).min(deadline));
    let scope = scope.with_freshness(trace::freshness(max_age));
    let trace = Trace(Arc::clone(scope.journal()));
    let loaders = Arc::new(Loaders::new(&graph.directories, &scope));
    let parts: Arc<dyn Parts> = Arc::new(Apart(Arc::clone(&loaders)));
    let request = request.data(scope).data(loaders).data(parts);
    (request, trace)
}

/// What the engine lets pass though the specification does not, checked before it sees the request.
/// What a document expands to must have been counted before ([`cost::check`]).
///
/// # Errors
/// The first mistake, as the request's error.
pub fn check(
    request: &mut async_graphql::Request,
    schema: &Schema,
) -> Result<(), async_graphql::ServerError> {
    let Some(types) = schema.data::<Types>() else {
        return Ok(());
    };
    // What cannot be parsed is refused by the engine, with the place of the mistake.
    let document = match request.parsed_query() {
        Ok(document) => {
            literals::check(document, types).and_then(|()| merging::check(document, types))
        }
        Err(_) => return Ok(()),
    };
    document
        .and_then(|()| variables::check(request, types))
        .map_err(error::mistaken)
}

impl Graph {
    fn of<'a>(ctx: &Context<'a>) -> &'a Self {
        ctx.data_unchecked::<Self>()
    }

    fn directory(&self, provider: Provider) -> crate::error::Result<&Arc<Directory>> {
        let found = self
            .directories
            .iter()
            .find(|directory| directory.provider() == provider);
        found.ok_or_else(|| {
            crate::error::Error::new(
                crate::error::Kind::Internal,
                "there is no directory for this vendor",
            )
        })
    }
}
