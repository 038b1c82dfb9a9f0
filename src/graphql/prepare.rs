//! From a request to something that can run: its document checked, its operation chosen, its variables
//! checked, its cost within the limits.

use std::sync::Arc;

use async_graphql::{Name, Request, ServerError, parser::types::OperationType};

use super::{
    Graph, description,
    document::{
        CheckedDocument, SchemaRules,
        cache::{ClientAddress, DocumentCache},
    },
    error::refusal,
    timestamps, variables,
};
use crate::error::ErrorCode;

/// Prepares requests. Clones share everything.
#[derive(Clone)]
pub(super) struct Preparation {
    /// The graph and its limits.
    pub(super) graph: Arc<Graph>,
    /// The schema as documents are checked against it.
    pub(super) rules: Arc<SchemaRules>,
    /// The documents that were checked lately.
    pub(super) documents: DocumentCache,
}

/// A request that can run.
pub(super) struct PreparedRequest {
    /// The request, with its checked document and the defaults of its variables.
    pub(super) request: Request,
    /// The kind of its operation.
    pub(super) kind: OperationType,
    /// The name of its operation, if it has one.
    pub(super) name: Option<Name>,
    /// How many bytes of its answer nobody counts while they are built.
    pub(super) uncounted: u64,
    /// The keys of its answer that hold the schema.
    pub(super) schema_keys: Vec<Name>,
}

impl Preparation {
    /// Prepares a request.
    ///
    /// # Errors
    /// Every mistake in its document, or the first in its variables.
    pub(super) fn prepare(
        &self,
        mut request: Request,
        client: ClientAddress,
    ) -> Result<PreparedRequest, Vec<ServerError>> {
        let refused = |code, message: String| vec![refusal(code, message, None)];
        let document = self.documents.get_or_check(client, &request.query, || {
            CheckedDocument::new(&request.query, &self.graph, &self.rules)
        })?;
        let chosen = document
            .operation(request.operation_name.as_deref())
            .map_err(|unknown| refused(ErrorCode::BadUserInput, unknown))?;
        let (operation, definition) = (chosen.0, &chosen.1.node);
        variables::add_defaults(definition, &mut request.variables);
        let uncounted = document
            .check_cost(definition, &request.variables, &self.graph, &self.rules)
            .map_err(|error| refused(error.code, error.message))?;
        variables::check(definition, &request.variables, self.rules.schema())
            .map_err(|misfit| refused(ErrorCode::BadUserInput, misfit))?;
        operation
            .check_conditions(&request.variables)
            .map_err(|null| vec![null])?;
        timestamps::complete(definition, &mut request.variables, self.rules.schema());
        let runnable = document.runnable(chosen, &request.variables);
        let schema_keys = description::keys(&runnable);
        let (kind, name) = (operation.kind, operation.name.clone());
        // The document that runs has one operation, which needs no name.
        request.operation_name = None;
        request.set_parsed_query(runnable);
        Ok(PreparedRequest {
            request,
            kind,
            name,
            uncounted,
            schema_keys,
        })
    }
}
