//! Whole numbers of providers' in the graph, whose `Int` has 32 bits.

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, OutputType, Positioned, ServerResult, Value, parser::types::Field,
    registry::Registry,
};

use super::json::graphql_error;
use crate::error::Error;

/// A whole number. In the schema it is an `Int`: one that does not fit is an error of its field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Int(pub i64);

impl From<u64> for Int {
    fn from(number: u64) -> Self {
        Self(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl OutputType for Int {
    fn type_name() -> Cow<'static, str> {
        <i32 as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <i32 as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let number = i32::try_from(self.0).map_err(|_| {
            let error =
                Error::malformed("the number does not fit into 32 bits, which an `Int` has");
            ctx.set_error_path(graphql_error(&error, field.pos))
        })?;
        Ok(Value::Number(number.into()))
    }
}
