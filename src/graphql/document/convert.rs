//! From the parser's document to the engine's.

use std::collections::{HashMap, hash_map::Entry};

use apollo_compiler::{Name as AstName, Node, ast, parser::SourceSpan};
use apollo_parser::{Lexer, TokenKind};
use async_graphql::{
    Name, Pos, Positioned, ServerError,
    indexmap::IndexMap,
    parser::types::{
        BaseType, Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition,
        FragmentSpread, InlineFragment, OperationDefinition, OperationType, Selection,
        SelectionSet, Type, TypeCondition, VariableDefinition,
    },
};

use async_graphql_value::Value;

use super::text::PositionTracker;
use crate::{
    error::ErrorCode,
    graphql::error::{INTEGERS, refusal},
};

/// The field of inputs that takes any JSON.
const JSON_FIELD: &str = "attributes";

type ConversionResult<T> = Result<T, Vec<ServerError>>;

/// Converts a document, with the positions of its text.
///
/// # Errors
/// Two definitions or input fields of one name, no operation, a definition that cannot be executed.
pub(super) fn document(
    ast: &ast::Document,
    positions: &mut PositionTracker<'_>,
) -> ConversionResult<ExecutableDocument> {
    let mut converter = Converter {
        positions,
        names: 0,
        is_json: false,
    };
    let document = converter.document(ast)?;
    if converter.names != names(converter.positions.text()) {
        let code = ErrorCode::GraphqlParseFailed;
        let message = "an argument or an input field has a name and no value";
        return Err(vec![refusal(code, message, None)]);
    }
    Ok(document)
}

/// How many names a text holds. The parser drops a name that should have a value and has none, without
/// a word: then the document has fewer.
fn names(text: &str) -> usize {
    let tokens = Lexer::new(text).filter_map(Result::ok);
    tokens
        .filter(|token| token.kind() == TokenKind::Name)
        .count()
}

struct Converter<'p, 't> {
    positions: &'p mut PositionTracker<'t>,
    /// How many names of the text are in the document so far.
    names: usize,
    /// Whether the value at hand is part of any JSON, which has numbers and no ids.
    is_json: bool,
}

fn invalid<T>(message: impl Into<String>, pos: Pos) -> ConversionResult<T> {
    let code = ErrorCode::GraphqlValidationFailed;
    Err(vec![refusal(code, message, Some(pos))])
}

impl Converter<'_, '_> {
    fn document(&mut self, ast: &ast::Document) -> ConversionResult<ExecutableDocument> {
        let mut anonymous = None;
        let mut named = HashMap::new();
        let mut fragments = HashMap::new();
        for definition in &ast.definitions {
            match definition {
                ast::Definition::OperationDefinition(of) => {
                    let operation = self.operation(of)?;
                    match &of.name {
                        Some(name) => self.add(&mut named, name, operation, "operation")?,
                        None if anonymous.is_some() => {
                            return invalid("only one operation may have no name", operation.pos);
                        }
                        None => anonymous = Some(operation),
                    }
                }
                ast::Definition::FragmentDefinition(of) => {
                    let fragment = self.fragment(of)?;
                    self.add(&mut fragments, &of.name, fragment, "fragment")?;
                }
                other => {
                    let pos = self.pos(other.location());
                    return invalid("only operations and fragments can be executed", pos);
                }
            }
        }
        let operations = match anonymous {
            Some(operation) if named.is_empty() => DocumentOperations::Single(operation),
            Some(operation) => {
                let message = "an operation without a name must be the only one";
                return invalid(message, operation.pos);
            }
            None if named.is_empty() => {
                let code = ErrorCode::GraphqlParseFailed;
                let message = "the document has no operation".to_owned();
                return Err(vec![refusal(code, message, None)]);
            }
            None => DocumentOperations::Multiple(named),
        };
        Ok(ExecutableDocument {
            operations,
            fragments,
        })
    }

    fn add<T>(
        &mut self,
        to: &mut HashMap<Name, Positioned<T>>,
        name: &AstName,
        definition: Positioned<T>,
        what: &str,
    ) -> ConversionResult<()> {
        self.names += 1;
        let pos = self.pos(name.location());
        match to.entry(Name::new(name)) {
            Entry::Occupied(_) => {
                let message = format!(
                    "there are two of the {what} `{name:.40}`",
                    name = name.as_str()
                );
                invalid(message, pos)
            }
            Entry::Vacant(place) => {
                place.insert(definition);
                Ok(())
            }
        }
    }

    fn operation(
        &mut self,
        of: &Node<ast::OperationDefinition>,
    ) -> ConversionResult<Positioned<OperationDefinition>> {
        let pos = self.pos(of.location());
        // A query may be written without its keyword.
        let is_short = of.description.is_none() && self.positions.starts_with(of.location(), '{');
        self.names += usize::from(!is_short);
        let definition = OperationDefinition {
            ty: match of.operation_type {
                ast::OperationType::Query => OperationType::Query,
                ast::OperationType::Mutation => OperationType::Mutation,
                ast::OperationType::Subscription => OperationType::Subscription,
            },
            variable_definitions: of
                .variables
                .iter()
                .map(|variable| self.variable(variable))
                .collect::<ConversionResult<_>>()?,
            directives: self.directives(&of.directives)?,
            selection_set: Positioned::new(self.selections(&of.selection_set)?, pos),
        };
        Ok(Positioned::new(definition, pos))
    }

    fn fragment(
        &mut self,
        of: &Node<ast::FragmentDefinition>,
    ) -> ConversionResult<Positioned<FragmentDefinition>> {
        let pos = self.pos(of.location());
        // The keyword; its name is counted where it is added.
        self.names += 1;
        let definition = FragmentDefinition {
            type_condition: self.condition(&of.type_condition),
            directives: self.directives(&of.directives)?,
            selection_set: Positioned::new(self.selections(&of.selection_set)?, pos),
        };
        Ok(Positioned::new(definition, pos))
    }

    fn condition(&mut self, of: &AstName) -> Positioned<TypeCondition> {
        // With the keyword before it.
        self.names += 1;
        let on = self.name(of);
        Positioned::new(TypeCondition { on: on.clone() }, on.pos)
    }

    fn variable(
        &mut self,
        of: &Node<ast::VariableDefinition>,
    ) -> ConversionResult<Positioned<VariableDefinition>> {
        let pos = self.pos(of.location());
        let default_value = match &of.default_value {
            Some(value) => {
                let is_json = of.ty.inner_named_type().as_str() == "JSON";
                let value = self.value_within(is_json, value)?;
                let Some(constant) = value.node.into_const() else {
                    return invalid("a default value cannot have variables", value.pos);
                };
                Some(Positioned::new(constant, value.pos))
            }
            None => None,
        };
        let definition = VariableDefinition {
            name: self.name(&of.name),
            var_type: Positioned::new(self.type_of(&of.ty), self.pos(of.ty.location())),
            directives: self.directives(&of.directives)?,
            default_value,
        };
        Ok(Positioned::new(definition, pos))
    }

    fn selections(&mut self, of: &[ast::Selection]) -> ConversionResult<SelectionSet> {
        let items = of.iter().map(|selection| self.selection(selection));
        Ok(SelectionSet {
            items: items.collect::<ConversionResult<_>>()?,
        })
    }

    fn selection(&mut self, of: &ast::Selection) -> ConversionResult<Positioned<Selection>> {
        let pos = self.pos(of.location());
        let selection = match of {
            ast::Selection::Field(of) => {
                Selection::Field(Positioned::new(self.field(of, pos)?, pos))
            }
            ast::Selection::FragmentSpread(of) => {
                let spread = FragmentSpread {
                    fragment_name: self.name(&of.fragment_name),
                    directives: self.directives(&of.directives)?,
                };
                Selection::FragmentSpread(Positioned::new(spread, pos))
            }
            ast::Selection::InlineFragment(of) => {
                let fragment = InlineFragment {
                    type_condition: of.type_condition.as_ref().map(|on| self.condition(on)),
                    directives: self.directives(&of.directives)?,
                    selection_set: Positioned::new(self.selections(&of.selection_set)?, pos),
                };
                Selection::InlineFragment(Positioned::new(fragment, pos))
            }
        };
        Ok(Positioned::new(selection, pos))
    }

    fn field(&mut self, of: &ast::Field, pos: Pos) -> ConversionResult<Field> {
        let below = of.selection_set.as_deref().unwrap_or_default();
        Ok(Field {
            alias: of.alias.as_ref().map(|alias| self.name(alias)),
            name: self.name(&of.name),
            arguments: self.arguments(&of.arguments)?,
            directives: self.directives(&of.directives)?,
            selection_set: Positioned::new(self.selections(below)?, pos),
        })
    }

    fn directives(
        &mut self,
        of: &ast::DirectiveList,
    ) -> ConversionResult<Vec<Positioned<Directive>>> {
        let directives = of.0.iter().map(|directive| {
            let pos = self.pos(directive.location());
            let directive = Directive {
                name: self.name(&directive.name),
                arguments: self.arguments(&directive.arguments)?,
            };
            Ok(Positioned::new(directive, pos))
        });
        directives.collect()
    }

    fn arguments(
        &mut self,
        of: &[Node<ast::Argument>],
    ) -> ConversionResult<Vec<(Positioned<Name>, Positioned<Value>)>> {
        of.iter()
            .map(|argument| Ok((self.name(&argument.name), self.value(&argument.value)?)))
            .collect()
    }

    fn value(&mut self, of: &Node<ast::Value>) -> ConversionResult<Positioned<Value>> {
        let pos = self.pos(of.location());
        self.names += usize::from(matches!(
            of.as_ref(),
            ast::Value::Null
                | ast::Value::Enum(_)
                | ast::Value::Variable(_)
                | ast::Value::Boolean(_)
        ));
        let value = match of.as_ref() {
            ast::Value::Null => Value::Null,
            ast::Value::Enum(name) => Value::Enum(Name::new(name)),
            ast::Value::Variable(name) => Value::Variable(Name::new(name)),
            ast::Value::String(text) => Value::String(text.clone()),
            ast::Value::Boolean(is_true) => Value::Boolean(*is_true),
            ast::Value::Int(digits) if self.is_json => match json_integer(digits.as_str()) {
                Some(number) => number,
                None => {
                    let code = ErrorCode::BadUserInput;
                    return Err(vec![refusal(code, INTEGERS, Some(pos))]);
                }
            },
            ast::Value::Int(digits) => integer(digits.as_str()),
            ast::Value::Float(digits) => match float(digits.as_str()) {
                Some(number) => number,
                None => return invalid("a number is larger than can be read", pos),
            },
            ast::Value::List(items) => {
                let items = items.iter().map(|item| Ok(self.value(item)?.node));
                Value::List(items.collect::<ConversionResult<_>>()?)
            }
            ast::Value::Object(fields) => Value::Object(self.fields(fields)?),
        };
        Ok(Positioned::new(value, pos))
    }

    /// A value that is part of any JSON, or is not.
    fn value_within(
        &mut self,
        is_json: bool,
        of: &Node<ast::Value>,
    ) -> ConversionResult<Positioned<Value>> {
        let outer = std::mem::replace(&mut self.is_json, is_json);
        let value = self.value(of);
        self.is_json = outer;
        value
    }

    /// The fields of an input object. Two of one name are a mistake that nobody else reports.
    fn fields(
        &mut self,
        of: &[(AstName, Node<ast::Value>)],
    ) -> ConversionResult<IndexMap<Name, Value>> {
        let mut fields = IndexMap::with_capacity(of.len());
        for (name, value) in of {
            self.names += 1;
            let is_json = self.is_json || name.as_str() == JSON_FIELD;
            let value = self.value_within(is_json, value)?.node;
            if fields.insert(Name::new(name), value).is_some() {
                let pos = self.pos(name.location());
                let message = format!(
                    "there are two input fields `{name:.40}`",
                    name = name.as_str()
                );
                return invalid(message, pos);
            }
        }
        Ok(fields)
    }

    fn name(&mut self, of: &AstName) -> Positioned<Name> {
        self.names += 1;
        Positioned::new(Name::new(of), self.pos(of.location()))
    }

    fn type_of(&mut self, ty: &ast::Type) -> Type {
        let (base, nullable) = match ty {
            ast::Type::Named(name) => (BaseType::Named(self.name(name).node), true),
            ast::Type::NonNullNamed(name) => (BaseType::Named(self.name(name).node), false),
            ast::Type::List(of) => (BaseType::List(Box::new(self.type_of(of))), true),
            ast::Type::NonNullList(of) => (BaseType::List(Box::new(self.type_of(of))), false),
        };
        Type { base, nullable }
    }

    fn pos(&mut self, span: Option<SourceSpan>) -> Pos {
        span.map_or(Pos::default(), |span| self.positions.at(span.offset()))
    }
}

/// An integer. One beyond 64 bits stays exact as a string: only an `ID` may be so large, and takes a
/// string for one.
fn integer(digits: &str) -> Value {
    match digits.parse::<i64>() {
        Ok(number) => Value::Number(number.into()),
        Err(_) => Value::String(digits.to_owned()),
    }
}

/// An integer of any JSON; `None` where it would not stay as it is.
fn json_integer(digits: &str) -> Option<Value> {
    let signed = digits.parse::<i64>().map(async_graphql::Number::from);
    let number = signed.or_else(|_| digits.parse::<u64>().map(async_graphql::Number::from));
    number.ok().map(Value::Number)
}

/// A number with a fraction or an exponent; `None` when it is beyond a double.
fn float(digits: &str) -> Option<Value> {
    let number = digits.parse::<f64>().ok()?;
    async_graphql::Number::from_f64(number).map(Value::Number)
}
