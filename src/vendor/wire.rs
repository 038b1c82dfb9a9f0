//! Tolerant decoding of vendors' JSON. Absent, `null`, `""`, `{}` and values of an unexpected type all
//! mean "no value": one odd field must not cost a whole page. For use with
//! `#[serde(default, deserialize_with = …)]`.

use std::sync::Arc;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use crate::{
    error::{Error, Result},
    user,
};

/// Reads a record from its own text.
///
/// # Errors
/// `Malformed` when the record lacks what identifies it, or is not an object.
pub fn read<T: DeserializeOwned>(raw: &RawValue) -> Result<T> {
    // serde would read a list as a record, field by field.
    if !raw.get().starts_with('{') {
        return Err(Error::malformed(
            "the vendor sent a user that is no JSON object",
        ));
    }
    serde_json::from_str(raw.get()).map_err(|error| {
        Error::malformed(format!(
            "the vendor sent a user that cannot be read: {}",
            shape(&error)
        ))
    })
}

/// A decoding error without any of the vendor's data in it.
fn shape(error: &serde_json::Error) -> String {
    if error.is_data() && error.to_string().starts_with(LONG_ID) {
        return LONG_ID.to_owned();
    }
    format!(
        "{:?} at line {} column {}",
        error.classify(),
        error.line(),
        error.column()
    )
}

/// A text; numbers are read as their digits.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text_of(Value::deserialize(deserializer)?))
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What is said of an id that the gateway would not take back from a client.
const LONG_ID: &str = "its id is longer than 512 characters";

/// A text that must be there: what identifies a record.
pub fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = text(deserializer)?.ok_or_else(|| serde::de::Error::custom("an id is missing"))?;
    if id.chars().nth(user::text::ID).is_some() {
        return Err(serde::de::Error::custom(LONG_ID));
    }
    Ok(id)
}

/// A yes or no.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_bool())
}

/// A whole number; digits in quotes count.
pub fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// A number; digits in quotes count.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite()))
}

/// A moment: seconds since 1970, or ISO 8601 with or without a zone (UTC is meant where none is named).
pub fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number
            .as_i64()
            .and_then(|seconds| Timestamp::from_second(seconds).ok()),
        Value::String(text) => moment_of(&text),
        _ => None,
    })
}

/// A moment in ISO 8601.
#[must_use]
pub fn moment_of(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let naive: DateTime = text.parse().ok()?;
        naive
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    })
}

/// A list of texts; what is no text is left out.
pub fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Array(values) => Some(values.into_iter().filter_map(text_of).collect()),
        _ => None,
    })
}

/// A JSON object, kept as its text.
pub fn object<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Arc<RawValue>>, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(raw.filter(|raw| raw.get().starts_with('{')).map(Arc::from))
}

/// A record inside a record; what cannot be read is left out.
pub fn record<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = Value::deserialize(deserializer)?;
    let is_empty = value.as_object().is_none_or(serde_json::Map::is_empty);
    Ok(if is_empty {
        None
    } else {
        serde_json::from_value(value).ok()
    })
}

/// Records inside a record; those that cannot be read are left out.
pub fn records<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    Ok(match Value::deserialize(deserializer)? {
        Value::Array(values) => Some(
            values
                .into_iter()
                .filter_map(|value| serde_json::from_value(value).ok())
                .collect(),
        ),
        _ => None,
    })
}

/// The rows of a list; `null` is an empty one (Ada's older documents).
pub fn rows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Arc<RawValue>>, D::Error> {
    let rows = Option::<Vec<Box<RawValue>>>::deserialize(deserializer)?;
    Ok(rows
        .unwrap_or_default()
        .into_iter()
        .map(Arc::from)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::moment_of;

    #[test]
    fn moments_are_read_with_and_without_a_zone() {
        let seconds = |text| moment_of(text).map(jiff::Timestamp::as_second);

        assert_eq!(seconds("2020-09-20T00:00:00+00:00"), Some(1_600_560_000));
        assert_eq!(seconds("2023-12-08T19:06:04.890000"), Some(1_702_062_364));
        assert_eq!(seconds("2013-10-23T00:48:50Z"), Some(1_382_489_330));
        assert_eq!(seconds("yesterday"), None);
    }
}
