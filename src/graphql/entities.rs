//! Apollo Federation: the entities that other subgraphs hang their fields on.
//!
//! The engine resolves the representations of `_entities` side by side, but lets one bad
//! representation fail them all. [`QueryRoot`] stands before [`Query`]: for a bad representation it answers
//! null and an error of that one's own, for an unknown one null.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use async_graphql::{
    ContainerType, Context, ContextSelectionSet, ObjectType, OutputType, Pos, Positioned,
    ServerError, ServerResult, Value,
    parser::types::Field,
    registry::{MetaType, Registry},
    resolver_utils::resolve_container,
};

use super::query::Query;

/// The root of queries.
#[derive(Default)]
pub struct QueryRoot(Query);

impl ContainerType for QueryRoot {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        self.0.resolve_field(ctx).await
    }

    async fn find_entity(
        &self,
        ctx: &Context<'_>,
        representation: &Value,
    ) -> ServerResult<Option<Value>> {
        let index = ctx.data_unchecked::<EntityIndexes>().next(ctx.item.pos);
        let ctx = &ctx.with_index(index);
        let error = match self.0.find_entity(ctx, representation).await {
            Ok(Some(entity)) => return Ok(Some(entity)),
            Ok(None) => ServerError::new(NO_ENTITY, Some(ctx.item.pos)),
            Err(error) => error,
        };
        let of = named(representation);
        let message = format!("{of}: {}", error.message);
        let error = if error.path.is_empty() {
            ctx.set_error_path(error)
        } else {
            error
        };
        ctx.add_error(ServerError { message, ..error });
        Ok(Some(Value::Null))
    }
}

/// Counts the representations of each `_entities` field of a request: the engine asks for them in their
/// order, but does not say which one it asks for.
#[derive(Default)]
pub struct EntityIndexes(Mutex<HashMap<(usize, usize), usize>>);

impl EntityIndexes {
    /// The place of the representation that is asked for next.
    fn next(&self, field: Pos) -> usize {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = places.entry((field.line, field.column)).or_default();
        *next += 1;
        *next - 1
    }
}

/// Where the format of the scalar `JSON` is specified: the engine does not say.
const JSON: &str = "https://datatracker.ietf.org/doc/html/rfc8259";

/// The type is unknown, or its keys are absent or of another type.
const NO_ENTITY: &str = "there is no such entity: a `User` is named by `id`, or by `account` and `remoteId` or `externalId`, a `Person` by `email` or `id`";

/// Names a representation in an error.
fn named(representation: &Value) -> String {
    let Value::Object(fields) = representation else {
        return "a representation that is no object".to_owned();
    };
    match fields.get("__typename") {
        Some(Value::String(name)) => format!("representation of {name:.40}"),
        _ => "representation without __typename".to_owned(),
    }
}

impl OutputType for QueryRoot {
    fn type_name() -> Cow<'static, str> {
        Query::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let name = Query::create_type_info(registry);
        if let Some(MetaType::Scalar {
            specified_by_url, ..
        }) = registry.types.get_mut("JSON")
        {
            *specified_by_url = Some(JSON.to_owned());
        }
        name
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Value> {
        resolve_container(ctx, self).await
    }
}

impl ObjectType for QueryRoot {}
