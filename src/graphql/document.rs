//! A client's document: parsed within bounds, then checked against the schema, before the engine sees
//! it.
//!
//! The engine's own parser recurses before it counts, and its validation accepts and refuses other
//! documents than the specification does. So `apollo-compiler` parses and validates here, and the
//! engine gets the parsed document and runs without a validation of its own.
//! `docs/adr/0010-parser.md` tells what was tried.

pub mod cache;
mod checked;
mod conflicts;
mod convert;
mod merge;
mod text;

use apollo_compiler::{
    Schema, ast,
    diagnostic::ToCliReport,
    parser::Parser,
    validation::{DiagnosticList, Valid},
};
use async_graphql::{Pos, ServerError, parser::types::ExecutableDocument};

use super::{cost::Lists, error::refusal};
use crate::error::ErrorCode;
pub use checked::{CheckedDocument, CheckedOperation};
use merge::{has_plain_root, merge_root_fields};
use text::PositionTracker;

/// How deep brackets may be nested.
pub const NESTING: usize = 128;
/// How many tokens a document may have; white space and comments count.
pub const TOKENS: usize = 15_000;

/// A document that was parsed, in the form of the parser and in that of the engine.
pub struct ParsedDocument {
    ast: ast::Document,
    /// The document as the engine runs it.
    pub executable: ExecutableDocument,
    text: String,
}

/// The schema in the form in which documents are counted and checked.
pub struct SchemaRules {
    schema: Valid<Schema>,
    lists: Lists,
}

impl SchemaRules {
    /// The rules of a schema, given in the schema language without the parts of federation.
    ///
    /// # Errors
    /// The mistakes in the schema.
    pub fn new(sdl: &str, accounts: usize) -> Result<Self, String> {
        let schema = Schema::parse_and_validate(sdl, "schema.graphql")
            .map_err(|invalid| invalid.errors.to_string())?;
        let lists = Lists::new(&schema, accounts);
        Ok(Self { schema, lists })
    }

    /// The schema itself.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The sizes of its lists.
    pub(super) fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Checks a document against the schema.
    ///
    /// # Errors
    /// Every mistake, with its position.
    pub fn check(&self, document: &ParsedDocument) -> Result<(), Vec<ServerError>> {
        match document.ast.to_executable_validate(&self.schema) {
            Ok(_) => conflicts::check(&document.executable),
            Err(invalid) => {
                let code = ErrorCode::GraphqlValidationFailed;
                Err(errors(code, &invalid.errors, &document.text))
            }
        }
    }
}

impl ParsedDocument {
    /// Parses a document.
    ///
    /// # Errors
    /// Every syntax error with its position, or the bound that the document exceeds.
    pub fn parse(text: &str) -> Result<Self, Vec<ServerError>> {
        let mut parser = Parser::new().recursion_limit(NESTING).token_limit(TOKENS);
        let parsed = parser.parse_ast(text, "document");
        // The parser stops at a bound and reports it among errors that follow from stopping there.
        if parser.tokens_reached() > TOKENS {
            return Err(too_much(format!(
                "the document is too long: at most {TOKENS} tokens, white space and comments included"
            )));
        }
        if parser.recursion_reached() > NESTING {
            return Err(too_much(format!(
                "the document is nested too deep: at most {NESTING} brackets"
            )));
        }
        let ast = parsed
            .map_err(|invalid| errors(ErrorCode::GraphqlParseFailed, &invalid.errors, text))?;
        let executable = convert::document(&ast, &mut PositionTracker::new(text))?;
        Ok(Self {
            ast,
            executable,
            text: text.to_owned(),
        })
    }
}

fn too_much(message: String) -> Vec<ServerError> {
    vec![refusal(ErrorCode::QueryTooComplex, message, None)]
}

/// How many mistakes of a document are reported: there may be one in every word of it.
const MISTAKES: usize = 50;

/// The parser's errors in the engine's form, in the order of the text.
fn errors(code: ErrorCode, found: &DiagnosticList, text: &str) -> Vec<ServerError> {
    let mut found: Vec<_> = found
        .iter()
        .map(|diagnostic| {
            let offset = diagnostic.error.location().map(|span| span.offset());
            (offset, diagnostic.error)
        })
        .collect();
    found.sort_by_key(|(offset, _)| *offset);
    found.truncate(MISTAKES);
    let mut positions = PositionTracker::new(text);
    let errors = found.into_iter().map(|(offset, mistake)| {
        let pos: Option<Pos> = offset.map(|offset| positions.at(offset));
        refusal(code, mistake.to_string(), pos)
    });
    errors.collect()
}
