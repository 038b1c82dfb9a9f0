//! The names of a struct's fields, as its deserializer has them.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

/// Asks a type for the fields of its struct, and gives it nothing.
struct AskForFields;

/// The fields that a type asked for.
#[derive(Debug)]
struct Fields(&'static [&'static str]);

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Fields {}

impl de::Error for Fields {
    fn custom<T: fmt::Display>(message: T) -> Self {
        panic!("it is no struct: {message}")
    }
}

impl<'de> Deserializer<'de> for AskForFields {
    type Error = Fields;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fields> {
        panic!("it is no struct")
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fields> {
        Err(Fields(fields))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The names of a struct's fields in a file.
pub(super) fn names<T: for<'de> Deserialize<'de>>() -> Vec<&'static str> {
    match T::deserialize(AskForFields) {
        Ok(_) => panic!("it asked for no fields"),
        Err(Fields(fields)) => fields.to_vec(),
    }
}
