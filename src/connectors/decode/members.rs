//! Objects in which a key comes twice.

use async_graphql::indexmap::IndexMap;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{UNCLEAR_ID, string};
use crate::{
    account::Provider,
    connectors::{RecordKeys, connector_spec},
};

/// Reads an object. Of a key that comes twice the last value counts, as in most readers, unless the
/// key decides.
///
/// # Errors
/// serde's, and `UNCLEAR_ID` when a record has two ids.
pub fn parsed<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text).or_else(|error| {
        let ObjectMembers(members) = serde_json::from_str(text).map_err(
            |unclear: serde_json::Error| {
                if unclear.is_data() { unclear } else { error }
            },
        )?;
        serde_json::from_str(&to_json(&members)?)
    })
}

/// The members of an object, each key once.
pub(super) struct ObjectMembers<'a>(pub(super) IndexMap<String, &'a RawValue>);

/// Whether a provider has keys of which something holds. A nested object is read without knowledge
/// of its provider, so the keys of every provider count.
fn any_keys(holds: impl Fn(&RecordKeys) -> bool) -> bool {
    let mut keys = Provider::ALL
        .map(|provider| connector_spec(provider).record_keys)
        .into_iter();
    keys.any(|keys| holds(&keys))
}

/// The value of a deciding key that comes twice with different values: no decoder reads anything
/// from it.
const UNCLEAR: &RawValue = RawValue::FALSE;

fn to_json(members: &IndexMap<String, &RawValue>) -> serde_json::Result<String> {
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
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
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
                    if is_unclear && any_keys(|keys| keys.id == key) {
                        return Err(de::Error::custom(UNCLEAR_ID));
                    }
                    let is_deciding = |keys: &RecordKeys| keys.deciding.contains(&key.as_str());
                    let value = match is_unclear && any_keys(is_deciding) {
                        true => UNCLEAR,
                        false => value,
                    };
                    members.insert(key, value);
                }
                Ok(ObjectMembers(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}
