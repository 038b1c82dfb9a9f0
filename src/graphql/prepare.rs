//! From a request to something that can run: parsed, counted, validated, its variables checked. What
//! comes first is what bounds the work of what follows.

use async_graphql::{
    Name, Request, ServerError,
    parser::types::{ExecutableDocument, OperationDefinition, OperationType},
};

use super::{
    Graph, Schema, cost, description,
    document::{ParsedDocument, SchemaRules, merge_root_fields},
    error::refusal,
    moments, variables,
};
use crate::error::{ErrorCode, ErrorKind};

/// A request that can run.
pub struct Prepared {
    /// The request, with its parsed document and the defaults of its variables.
    pub request: Request,
    /// What kind of operation it runs.
    pub operation: OperationType,
    /// The name of the operation, where it has one.
    pub name: Option<String>,
    /// How many bytes of its answer nobody counts while they are built.
    pub uncounted: u64,
    /// The keys of its answer that hold the schema.
    pub schemas: Vec<Name>,
}

/// Prepares a request.
///
/// # Errors
/// Every mistake in its document, or the first in its variables.
pub fn prepare(schema: &Schema, mut request: Request) -> Result<Prepared, Vec<ServerError>> {
    let (Some(graph), Some(rules)) = (schema.data::<Graph>(), schema.data::<SchemaRules>()) else {
        let code = ErrorKind::Internal.code();
        return Err(vec![refusal(code, "the schema has no data", None)]);
    };
    let one = |code, message: String| vec![refusal(code, message, None)];
    let mut document = ParsedDocument::parse(&request.query)?;
    let name = name(&document.executable, request.operation_name.as_deref());
    let operation = operation(&document.executable, request.operation_name.as_deref());
    if let Ok(operation) = &operation {
        variables::add_defaults(operation, &mut request.variables);
    }
    let uncounted = cost::check(
        &document.executable,
        operation.as_ref().ok().copied(),
        &request.variables,
        graph,
        rules,
    )
    .map_err(|refused| one(refused.code, refused.message))?;
    rules.check(&document)?;
    let operation = operation.map_err(|unknown| one(ErrorCode::BadUserInput, unknown))?;
    variables::check(operation, &request.variables, rules.schema())
        .and_then(|()| {
            variables::check_conditions(&document.executable, operation, &request.variables)
        })
        .map_err(|misfit| one(ErrorCode::BadUserInput, misfit))?;
    moments::complete(operation, &mut request.variables, rules.schema());
    let kind = operation.ty;
    moments::complete_document(&mut document.executable, rules.schema())?;
    let merged = merge_root_fields(
        &mut document.executable,
        request.operation_name.as_deref(),
        &request.variables,
    );
    let schemas = merged.map(description::keys).unwrap_or_default();
    request.set_parsed_query(document.executable);
    Ok(Prepared {
        request,
        operation: kind,
        name,
        uncounted,
        schemas,
    })
}

/// The name of the operation that will run.
fn name(document: &ExecutableDocument, asked: Option<&str>) -> Option<String> {
    let only = || {
        document
            .operations
            .iter()
            .next()?
            .0
            .map(ToString::to_string)
    };
    asked.map(str::to_owned).or_else(only)
}

/// The operation that will run.
fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, String> {
    let mut operations = document.operations.iter();
    let found = match name {
        Some(name) => operations.find(|(of, _)| of.is_some_and(|of| of == name)),
        None if operations.len() == 1 => operations.next(),
        None => {
            let message = "the document has several operations: say with `operationName` which one";
            return Err(message.to_owned());
        }
    };
    match (found, name) {
        (Some((_, operation)), _) => Ok(&operation.node),
        (None, Some(name)) => Err(format!("there is no operation `{name:.40}`")),
        (None, None) => Err("the document has no operation".to_owned()),
    }
}
