//! Parts of an answer that are counted when they are made: records and edges. Making many of them
//! neither holds a thread for long nor goes on past the request's deadline.

use std::{
    borrow::Cow,
    collections::HashMap,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use async_graphql::{
    ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value,
    parser::types::{Field, FragmentDefinition, Selection, SelectionSet},
    registry::Registry,
};
use async_graphql_value::RAW_VALUE_TOKEN;
use tokio::time::Instant;

use super::error::to_graphql_error;
use crate::{context::RequestContext, error::Error, user::User};

/// How long after the deadline rows may still be made: providers may take all the time until then, and
/// what they answered must be written.
const WRITING: Duration = Duration::from_secs(1);

/// How many bytes a value takes in memory, about, beside its text.
const VALUE: usize = 128;

/// A value that holds a provider's record.
pub trait HasRecord {
    /// How many bytes it has, as the provider sent it.
    fn record_bytes(&self) -> usize;
}

impl HasRecord for Arc<User> {
    fn record_bytes(&self) -> usize {
        self.raw.get().len()
    }
}

impl<T: HasRecord> HasRecord for &T {
    fn record_bytes(&self) -> usize {
        (*self).record_bytes()
    }
}

/// A record, or an edge with its record.
pub struct MeteredObject<T>(pub T);

/// A record of more bytes is looked at before its fields are copied.
const LARGE: usize = 4096;

/// How often the fields that a set selects copy a text of a record, at most: how many of them, at
/// whatever depth, have one name.
fn max_copies(set: &SelectionSet, fragments: &Fragments) -> usize {
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut sets = vec![set];
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    *names.entry(&field.node.name.node).or_default() += 1;
                    sets.push(&field.node.selection_set.node);
                }
                Selection::InlineFragment(of) => sets.push(&of.node.selection_set.node),
                Selection::FragmentSpread(of) => {
                    let fragment = fragments.get(&of.node.fragment_name.node);
                    sets.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                }
            }
        }
    }
    names.into_values().max().unwrap_or_default()
}

/// The fragments of a document, by their names.
type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

impl<T: OutputType + HasRecord> OutputType for MeteredObject<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.0.introspection_type_name()
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let context = ctx.data_unchecked::<RequestContext>();
        let refused = |error: &Error| {
            ctx.set_error_path(to_graphql_error(error).into_server_error(field.pos))
        };
        if Instant::now() > context.deadline() + WRITING {
            return Err(refused(&Error::deadline_exceeded()));
        }
        // Where another row was refused, this one is not begun.
        let is_refused = context.meter().charge(0);
        is_refused.map_err(|error| refused(&error))?;
        let raw = self.0.record_bytes();
        if raw > LARGE {
            let copies = max_copies(&field.node.selection_set.node, &ctx.query_env.fragments);
            let charged = context.meter().charge(raw.saturating_mul(copies));
            charged.map_err(|error| refused(&error))?;
        }
        let value = self.0.resolve(ctx, field).await?;
        let bytes = size_of(&value);
        let charged = context.meter().charge(bytes);
        charged.map_err(|error| refused(&error))?;
        ctx.data_unchecked::<YieldBudget>().spend(bytes).await;
        Ok(value)
    }
}

/// How many bytes a value takes, about, without the texts that were charged when they were copied
/// ([`crate::connectors::json`]).
fn size_of(value: &Value) -> usize {
    match value {
        Value::Object(fields) if fields.contains_key(RAW_VALUE_TOKEN) => VALUE,
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| name.len() + size_of(value));
            VALUE + fields.sum::<usize>()
        }
        Value::List(items) => VALUE + items.iter().map(size_of).sum::<usize>(),
        Value::String(text) => VALUE + text.len(),
        Value::Enum(name) => VALUE + name.len(),
        Value::Binary(bytes) => VALUE + bytes.len(),
        Value::Null | Value::Number(_) | Value::Boolean(_) => VALUE,
    }
}

/// Lets others run from time to time while one request's answer is made.
#[derive(Default)]
pub struct YieldBudget(AtomicUsize);

impl YieldBudget {
    /// After so many bytes others run: some milliseconds of work.
    const BYTES: usize = 256 * 1024;

    /// Notes that something was made.
    async fn spend(&self, bytes: usize) {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes >= Self::BYTES {
            self.0.store(0, Ordering::Relaxed);
            let mut has_paused = false;
            // A waker that is called at once also ends the turn of a list that joins many rows.
            poll_fn(|cx| {
                if has_paused {
                    return Poll::Ready(());
                }
                has_paused = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Value;
    use serde_json::json;

    use super::{VALUE, size_of};

    #[test]
    fn names_and_texts_count_by_their_length_and_every_value_by_itself() {
        let value = Value::from_json(json!({ "ab": ["cde", 1, null], "f": {} })).expect("a value");
        assert_eq!(size_of(&value), 6 * VALUE + 2 + 3 + 1);
    }
}
