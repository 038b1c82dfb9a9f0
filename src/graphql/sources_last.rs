//! Objects with `sources` or `source`: that field is resolved when all the others are, since the fields of rows make
//! calls, too. The engine resolves the fields of an object at the same time, so the object is resolved
//! twice: first without its `sources`, then for them alone. Nothing waits for anything else.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicBool, Ordering},
};

use async_graphql::{
    ContainerType, Context, ContextSelectionSet, Data, OutputType, Positioned, ServerResult, Value,
    parser::types::Field, registry::Registry, resolver_utils::resolve_container,
};

use super::subresources::SubresourceLog;

/// The fields that are resolved last: an object has one of them.
const REPORTS: [&str; 2] = ["source", "sources"];

/// An object whose `sources` or `source` is resolved last, and tells of the fields of its rows.
pub struct SourcesLast<T>(pub T);

impl<T: ContainerType> OutputType for SourcesLast<T> {
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
        _: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let mut data = Data::default();
        data.insert(SubresourceLog::default());
        let mut ctx = ctx.clone();
        ctx.execute_data = Some(&data);
        let others = ResolverPass::over(&self.0, FieldSelection::Others);
        let mut object = resolve_container(&ctx, &others).await?;
        let log = ctx.data_unchecked::<SubresourceLog>();
        for error in log.errors() {
            ctx.add_error(error);
        }
        if others.has_sources.load(Ordering::Relaxed) {
            let sources = ResolverPass::over(&self.0, FieldSelection::Sources);
            fill(&mut object, resolve_container(&ctx, &sources).await?);
        }
        Ok(object)
    }
}

/// Puts the values of the last pass in the places that the first left for them.
fn fill(object: &mut Value, sources: Value) {
    let (Value::Object(object), Value::Object(sources)) = (object, sources) else {
        return;
    };
    for (key, value) in sources {
        if value != Value::Null {
            object.insert(key, value);
        }
    }
}

/// Which fields of an object are resolved.
#[derive(Clone, Copy, Eq, PartialEq)]
enum FieldSelection {
    Sources,
    Others,
}

/// An object that resolves some of its fields, and null in the places of the others.
struct ResolverPass<'a, T> {
    object: &'a T,
    fields: FieldSelection,
    has_sources: AtomicBool,
}

impl<'a, T> ResolverPass<'a, T> {
    fn over(object: &'a T, fields: FieldSelection) -> Self {
        Self {
            object,
            fields,
            has_sources: AtomicBool::default(),
        }
    }
}

impl<T: ContainerType> ContainerType for ResolverPass<'_, T> {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        let field = if REPORTS.contains(&ctx.item.node.name.node.as_str()) {
            self.has_sources.store(true, Ordering::Relaxed);
            FieldSelection::Sources
        } else {
            FieldSelection::Others
        };
        if field != self.fields {
            return Ok(Some(Value::Null));
        }
        self.object.resolve_field(ctx).await
    }
}

impl<T: ContainerType> OutputType for ResolverPass<'_, T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.object.introspection_type_name()
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Value> {
        resolve_container(ctx, self).await
    }
}
