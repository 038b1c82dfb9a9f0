//! Objects with keys that come twice.

use async_graphql::indexmap::IndexMap;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{UNCLEAR_ID, string};

/// Reads an object; of keys that come twice the last counts, as most readers have it, unless the key
/// decides.
///
/// # Errors
/// As serde's; also when a record has two ids.
pub fn parsed<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text).or_else(|error| {
        let ObjectMembers(members) = serde_json::from_str(text).map_err(
            |unclear: serde_json::Error| {
                if unclear.is_data() { unclear } else { error }
            },
        )?;
        serde_json::from_str(&written(&members)?)
    })
}

/// The members of an object, each key once.
pub(super) struct ObjectMembers<'a>(pub(super) IndexMap<String, &'a RawValue>);

/// The keys by which records are told apart.
const IDS: [&str; 2] = ["id", "end_user_id"];

/// The keys that decide which person a record belongs to, and those that hold such a key. A key that
/// comes twice with different values is unreadable.
const DECIDING: [&str; 6] = [
    "attributes",
    "company_id",
    "email",
    "external_id",
    "profile",
    "user_id",
];

/// What stands for such values: nothing that decides can be read from it.
const UNCLEAR: &RawValue = RawValue::FALSE;

fn written(members: &IndexMap<String, &RawValue>) -> serde_json::Result<String> {
    let mut text = String::from("{");
    for (key, value) in members {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::to_string(key)?);
        text.push(':');
        text.push_str(value.get());
    }
    text.push('}');
    Ok(text)
}

impl<'de> Deserialize<'de> for ObjectMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldRead;
        impl<'de> Visitor<'de> for FieldRead {
            type Value = ObjectMembers<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: IndexMap<String, &RawValue> = IndexMap::new();
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    let key = string(key).unwrap_or_default();
                    let earlier = members.get(&key);
                    let is_unclear = earlier.is_some_and(|earlier| earlier.get() != value.get());
                    if is_unclear && IDS.contains(&key.as_str()) {
                        return Err(de::Error::custom(UNCLEAR_ID));
                    }
                    let is_deciding = DECIDING.contains(&key.as_str());
                    let value = if is_unclear && is_deciding {
                        UNCLEAR
                    } else {
                        value
                    };
                    members.insert(key, value);
                }
                Ok(ObjectMembers(members))
            }
        }
        deserializer.deserialize_map(FieldRead)
    }
}
