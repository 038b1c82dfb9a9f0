//! Paths of attributes: `userName`, `name.givenName`, `urn:...:User:department`.

use serde_json::{Map, Value};

use super::schema::{self, Attribute};

/// A path of an attribute.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct AttributePath {
    /// The URN of an extension.
    pub(super) extension: Option<&'static str>,
    /// The attribute; empty for a whole extension.
    pub(super) name: String,
    /// The part of a complex attribute.
    pub(super) part: Option<String>,
}

impl AttributePath {
    /// The path in a text, if it is one and names no unknown schema.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(extension) = schema::extension(text) {
            return Some(Self {
                extension: Some(extension),
                name: String::new(),
                part: None,
            });
        }
        let (extension, rest) = split_schema(text)?;
        let (name, part) = match rest.split_once('.') {
            Some((name, part)) => (name, Some(part)),
            None => (rest, None),
        };
        let is_valid = is_name(name) && part.is_none_or(is_name);
        is_valid.then(|| Self {
            extension,
            name: name.to_owned(),
            part: part.map(str::to_owned),
        })
    }

    /// The description of the attribute, without its part.
    pub(super) fn attribute(&self) -> Option<&'static Attribute> {
        schema::attribute(self.extension, &self.name)
    }

    /// The description of what the path leads to: a list of values is its `value`.
    pub(super) fn leaf(&self) -> Option<&'static Attribute> {
        let attribute = self.attribute()?;
        match &self.part {
            Some(part) => attribute.part(part),
            None => attribute.part("value").or(Some(attribute)),
        }
    }

    /// The values that a resource has at the path.
    pub(super) fn values<'a>(&self, resource: &'a Map<String, Value>) -> Vec<&'a Value> {
        let holder = match self.extension {
            Some(extension) => field(resource, extension).and_then(Value::as_object),
            None => Some(resource),
        };
        let Some(found) = holder.and_then(|holder| field(holder, &self.name)) else {
            return Vec::new();
        };
        let items = match found {
            Value::Array(items) => items.iter().collect(),
            one => vec![one],
        };
        let part = self.part.as_deref();
        let leaf = |item: &'a Value| match (item, part) {
            (Value::Object(fields), Some(part)) => field(fields, part),
            (Value::Object(fields), None) => field(fields, "value").or(Some(item)),
            (_, Some(_)) => None,
            (plain, None) => Some(plain),
        };
        items.into_iter().filter_map(leaf).collect()
    }
}

/// The schema before an attribute, and the rest. The core schemas are as none.
fn split_schema(text: &str) -> Option<(Option<&'static str>, &str)> {
    let is_urn = text
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
    if !is_urn {
        return Some((None, text));
    }
    let (urn, rest) = text.rsplit_once(':')?;
    if [schema::USER, schema::GROUP]
        .iter()
        .any(|core| core.eq_ignore_ascii_case(urn))
    {
        return Some((None, rest));
    }
    schema::extension(urn).map(|extension| (Some(extension), rest))
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    let starts = letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '$');
    starts && letters.all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// The key of an object with this name, in any letter case.
pub(super) fn key_of<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let mut keys = object.keys();
    keys.find(|key| key.eq_ignore_ascii_case(name))
        .map(String::as_str)
}

fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(key_of(object, name)?)
}
