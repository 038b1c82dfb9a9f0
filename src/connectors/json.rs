//! JSON that a provider sent and nobody here reads: it goes to the client as text, without what
//! strict readers refuse.

use std::{borrow::Cow, sync::Arc};

use async_graphql::{
    ContextSelectionSet, Error, ErrorExtensions, Json, Name, OutputType, Pos, Positioned,
    ServerResult, Value, indexmap::IndexMap, parser::types::Field, registry::Registry,
};
use async_graphql_value::RAW_VALUE_TOKEN;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::decode;
use crate::{
    client::json::{LEVELS, sanitize},
    context::RequestContext,
    error,
};

/// Any JSON value, as the provider wrote it. In the schema it is a `JSON`.
#[derive(Clone, Debug)]
pub struct RawJson(pub Arc<RawValue>);

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.into()))
    }
}

impl RawJson {
    /// The text of a member of the value, if it is an object that has it.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<String> {
        decode::member(&self.0, name).and_then(decode::text_of)
    }
}

impl OutputType for RawJson {
    fn type_name() -> Cow<'static, str> {
        <Json<()> as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Json<()> as OutputType>::create_type_info(registry)
    }

    /// Charges the request for the text: each alias of a field writes it once more.
    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let text = sanitize(self.0.get(), LEVELS);
        let meter = ctx.data_unchecked::<RequestContext>().meter();
        meter
            .charge(text.len())
            .map_err(|error| ctx.set_error_path(graphql_error(&error, field.pos)))?;
        let raw = (Name::new(RAW_VALUE_TOKEN), Value::String(text.into_owned()));
        Ok(Value::Object(IndexMap::from([raw])))
    }
}

/// An error of ours with its code, as the engine wants it.
pub(super) fn graphql_error(error: &error::Error, pos: Pos) -> async_graphql::ServerError {
    let code = error.kind().code().as_str();
    let error =
        Error::new(error.message()).extend_with(|_, extensions| extensions.set("code", code));
    error.into_server_error(pos)
}
