//! What the schema knows of its types, for the checks that come before the engine: the engine keeps
//! its own copy to itself.

use async_graphql::{
    OutputType, Value,
    parser::types::{BaseType, Type},
    registry::{MetaField, MetaInputValue, MetaType, Registry},
};

use super::{Mutation, Root};

/// The types of the schema. Those of federation (`_Any`, `_Service`, `_Entity`) and of introspection
/// are not among them: what is of a type that is not known here is left to the engine.
pub struct Types(Registry);

/// Where a value stands.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Given {
    /// In the variables. JSON has no enums: their values are strings there.
    Json,
    /// In the document. The engine looks at those well but for two things: it takes a string for an
    /// enum, and any whole number for an `Int`.
    Literal,
}

/// A value that does not fit its type.
pub struct Misfit {
    /// Where in the value, such as `.companies[0].name`.
    pub path: String,
    /// What is wrong.
    pub says: String,
}

/// An argument, a field of an input object, or an item of a list.
pub struct Place {
    /// The type of the values that it takes.
    pub ty: Type,
    /// Whether there is a value for it when none is given.
    pub has_default: bool,
}

impl Place {
    /// Reads what the schema says of an argument or a field.
    #[must_use]
    pub fn of(input: &MetaInputValue) -> Option<Self> {
        Some(Self {
            ty: Type::new(&input.ty)?,
            has_default: input.default_value.is_some(),
        })
    }
}

impl Misfit {
    fn new(says: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            says: says.into(),
        }
    }

    fn below(self, step: &str) -> Self {
        Self {
            path: format!("{step}{}", self.path),
            ..self
        }
    }
}

impl Default for Types {
    fn default() -> Self {
        let mut registry = Registry::default();
        Root::create_type_info(&mut registry);
        Mutation::create_type_info(&mut registry);
        registry.query_type = Root::type_name().into_owned();
        registry.mutation_type = Some(Mutation::type_name().into_owned());
        Self(registry)
    }
}

impl Types {
    /// The type of the root of queries.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.0.query_type
    }

    /// The type of the root of mutations.
    #[must_use]
    pub fn mutation(&self) -> &str {
        self.0.mutation_type.as_deref().unwrap_or_default()
    }

    /// A field of a type.
    #[must_use]
    pub fn field(&self, parent: &str, name: &str) -> Option<&MetaField> {
        self.0.types.get(parent)?.field_by_name(name)
    }

    /// The type of what a field holds, without its lists.
    #[must_use]
    pub fn below(&self, parent: &str, name: &str) -> Option<&str> {
        let ty = &self.field(parent, name)?.ty;
        Some(ty.trim_matches(['[', ']', '!']))
    }

    /// Whether a type is neither an interface nor a union.
    #[must_use]
    pub fn is_object(&self, name: &str) -> bool {
        matches!(self.0.types.get(name), Some(MetaType::Object { .. }))
    }

    /// What is wrong with a value for a type. A null in the document is not looked at.
    #[must_use]
    pub fn misfit(&self, ty: &Type, value: &Value, given: Given) -> Option<Misfit> {
        match (value, &ty.base) {
            (Value::Null, _) => {
                let is_wrong = !ty.nullable && given == Given::Json;
                is_wrong.then(|| Misfit::new(format!("null where `{ty}` is expected")))
            }
            (Value::List(items), BaseType::List(of)) => {
                items.iter().enumerate().find_map(|(at, item)| {
                    let misfit = self.misfit(of, item, given)?;
                    Some(misfit.below(&format!("[{at}]")))
                })
            }
            // One value stands for a list of one.
            (_, BaseType::List(of)) => self.misfit(of, value, given),
            (_, BaseType::Named(name)) => self.named(name, value, given),
        }
    }

    /// Shows each value that is neither a list nor an object of a known type, with its place.
    ///
    /// # Errors
    /// The first that is made of what is shown.
    pub fn leaves<E>(
        &self,
        place: &Place,
        value: &Value,
        show: &mut dyn FnMut(&Place, &Value) -> Result<(), E>,
    ) -> Result<(), E> {
        match (value, &place.ty.base) {
            (Value::List(items), BaseType::List(of)) => {
                let place = Place {
                    ty: of.as_ref().clone(),
                    has_default: false,
                };
                items
                    .iter()
                    .try_for_each(|item| self.leaves(&place, item, show))
            }
            (Value::Object(values), base) => {
                let Some(MetaType::InputObject { input_fields, .. }) =
                    self.0.types.get(inner(base))
                else {
                    return Ok(());
                };
                values.iter().try_for_each(|(name, value)| {
                    let field = input_fields.get(name.as_str()).and_then(Place::of);
                    field.map_or(Ok(()), |place| self.leaves(&place, value, show))
                })
            }
            _ => show(place, value),
        }
    }

    fn named(&self, name: &str, value: &Value, given: Given) -> Option<Misfit> {
        let fits = match (name, value) {
            ("Int", Value::Number(number)) => {
                let is_short = |whole: i64| i32::try_from(whole).is_ok();
                // A fraction in the document is the engine's.
                let is_fraction = number.is_f64() && given == Given::Literal;
                is_fraction || number.as_i64().is_some_and(is_short)
            }
            ("Float", Value::Number(_))
            | ("String" | "ID", Value::String(_))
            | ("Boolean", Value::Boolean(_)) => true,
            ("ID", Value::Number(number)) => !number.is_f64(),
            ("Int" | "Float" | "String" | "ID" | "Boolean", _) => given == Given::Literal,
            _ => return self.declared(name, value, given),
        };
        (!fits).then(|| expected(name))
    }

    fn declared(&self, name: &str, value: &Value, given: Given) -> Option<Misfit> {
        match (self.0.types.get(name)?, value) {
            (MetaType::Enum { enum_values, .. }, Value::String(text)) => match given {
                Given::Json if enum_values.contains_key(text) => None,
                Given::Json => Some(Misfit::new(format!("`{text:.40}` is no `{name}`"))),
                Given::Literal => Some(Misfit::new(format!(
                    "\"{text:.40}\" is a string: a `{name}` is written without quotes"
                ))),
            },
            (of @ MetaType::InputObject { .. }, Value::Object(_)) => self.object(of, value, given),
            _ if given == Given::Literal => None,
            (MetaType::Enum { .. } | MetaType::InputObject { .. }, _) => Some(expected(name)),
            (
                MetaType::Scalar {
                    is_valid: Some(is_valid),
                    ..
                },
                _,
            ) => (!is_valid(value)).then(|| expected(name)),
            _ => None,
        }
    }

    fn object(&self, of: &MetaType, value: &Value, given: Given) -> Option<Misfit> {
        let (
            MetaType::InputObject {
                name,
                input_fields,
                oneof,
                ..
            },
            Value::Object(values),
        ) = (of, value)
        else {
            return None;
        };
        let is_strict = given == Given::Json;
        if is_strict && *oneof && (values.len() != 1 || values.values().any(|v| *v == Value::Null))
        {
            let says = format!("`{name}` takes exactly one field, which is not null");
            return Some(Misfit::new(says));
        }
        if is_strict
            && let Some(field) = values
                .keys()
                .find(|key| !input_fields.contains_key(key.as_str()))
        {
            let says = format!("`{name}` has no field `{:.40}`", field.as_str());
            return Some(Misfit::new(says));
        }
        input_fields.values().find_map(|field| {
            let ty = Type::new(&field.ty)?;
            let misfit = match values.get(field.name.as_str()) {
                Some(value) => self.misfit(&ty, value, given),
                None if !is_strict || ty.nullable || field.default_value.is_some() => None,
                None => Some(Misfit::new(format!("`{ty}` is missing"))),
            };
            misfit.map(|misfit| misfit.below(&format!(".{}", field.name)))
        })
    }
}

fn expected(name: &str) -> Misfit {
    Misfit::new(format!("a value of type `{name}` is expected"))
}

fn inner(base: &BaseType) -> &str {
    match base {
        BaseType::Named(name) => name,
        BaseType::List(of) => inner(&of.base),
    }
}
