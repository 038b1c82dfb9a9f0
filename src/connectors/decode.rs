//! Tolerant decoding of providers' JSON. Absent, `null`, `""`, `{}` and values of an unexpected
//! type all mean "no value": one odd field must not cost a whole record. For use with
//! `#[serde(default, deserialize_with = …)]`.
//!
//! Every value is taken as its text and read by itself: digits stay as they were sent, half a
//! surrogate pair costs one character, and no depth of nesting costs more than its own field.
//! Nothing is read into `serde_json::Value`, which loses digits and treats one of its internal keys
//! as a command.

mod members;

use std::{borrow::Cow, sync::Arc};

use async_graphql::indexmap::IndexMap;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned},
};
use serde_json::value::RawValue;

use self::members::ObjectMembers;
pub use members::parsed;

use super::int::Int;
use crate::{
    client::json::{LEVELS, sanitize},
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
            "the provider sent a user that is no JSON object",
        ));
    }
    parsed(raw.get()).map_err(|error| {
        Error::malformed(format!(
            "the provider sent a user that cannot be read: {}",
            describe_error(&error)
        ))
    })
}

/// A decoding error without any of the provider's data in it.
fn describe_error(error: &serde_json::Error) -> String {
    let said = error.to_string();
    if let Some(known) = [LONG_ID, UNCLEAR_ID]
        .into_iter()
        .find(|known| said.starts_with(known))
    {
        return known.to_owned();
    }
    format!(
        "{:?} at line {} column {}",
        error.classify(),
        error.line(),
        error.column()
    )
}

/// A JSON string's text; what cannot be read of it is U+FFFD.
#[must_use]
pub fn string(raw: &RawValue) -> Option<String> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(inner.to_owned());
    }
    let text = serde_json::from_str(raw.get());
    text.or_else(|_| serde_json::from_str(&sanitize(raw.get(), LEVELS)))
        .ok()
}

/// A JSON number's digits, as they were sent; none of a number beyond a double.
fn digits(raw: &RawValue) -> Option<&str> {
    let text = raw.get();
    let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let is_within = || text.parse::<f64>().is_ok_and(f64::is_finite);
    (is_number && is_within()).then_some(text)
}

/// Whether a value is `null`, or is not there.
#[must_use]
pub fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

/// The items of a list.
#[must_use]
pub fn items(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

/// The members of an object, each key once: of keys that come twice the last.
#[must_use]
pub fn members(raw: &RawValue) -> Option<IndexMap<String, &RawValue>> {
    let ObjectMembers(members) = serde_json::from_str(raw.get()).ok()?;
    Some(members)
}

/// A member of an object.
#[must_use]
pub fn member<'a>(raw: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    members(raw)?.swap_remove(name)
}

/// The items of a list, or of the one list that an object holds, whatever its name.
#[must_use]
pub fn items_within(raw: &RawValue) -> Option<Vec<&RawValue>> {
    items(raw).or_else(|| members(raw)?.into_values().find_map(items))
}

/// A text; numbers are read as their digits.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text_of(Deserialize::deserialize(deserializer)?))
}

/// The text that a value is; numbers are read as their digits.
#[must_use]
pub fn text_of(raw: &RawValue) -> Option<String> {
    let text = string(raw).or_else(|| digits(raw).map(str::to_owned))?;
    (!text.trim().is_empty()).then_some(text)
}

/// A deciding value is there and cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unreadable;

/// The email address at a path of a record, whose text is known where it could be read as one. An
/// address decides which person a record belongs to.
///
/// # Errors
/// `Unreadable` when it is there and is no text, or a text of which characters are lost.
pub fn address(
    text: Option<String>,
    record: &RawValue,
    path: &[&str],
) -> Result<Option<String>, Unreadable> {
    let is_clear =
        |text: &String| text.contains('@') && !text.contains(char::REPLACEMENT_CHARACTER);
    match text.filter(is_clear) {
        Some(text) => Ok(Some(text)),
        None => deciding_text(record, path, string),
    }
}

/// The external id of a record, which decides where records are searched for by it. Digits count.
///
/// # Errors
/// `Unreadable` when it is there and is no text, or a text of which characters are lost.
pub fn external_id(record: &RawValue, name: &str) -> Result<Option<String>, Unreadable> {
    deciding_text(record, &[name], |raw| {
        string(raw).or_else(|| digits(raw).map(str::to_owned))
    })
}

fn deciding_text(
    record: &RawValue,
    path: &[&str],
    read: impl Fn(&RawValue) -> Option<String>,
) -> Result<Option<String>, Unreadable> {
    let mut value = record;
    for name in path {
        let mut members = members(value).ok_or(Unreadable)?;
        value = match members.swap_remove(*name) {
            Some(member) if !is_null(member) && !is_empty(member) => member,
            _ => return Ok(None),
        };
    }
    let is_whole = |text: &String| !text.contains(char::REPLACEMENT_CHARACTER);
    let text = read(value).filter(is_whole).ok_or(Unreadable)?;
    Ok((!text.trim().is_empty()).then_some(text))
}

/// The reason for an id that the gateway would not take back from a client.
const LONG_ID: &str = "its id is longer than 512 characters, or holds control characters";

/// The reason for an id that may belong to another record.
const UNCLEAR_ID: &str = "its id is not clear";

/// A text that must be there: what identifies a record.
pub fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    let id = text_of(raw).ok_or_else(|| de::Error::custom("an id is missing"))?;
    if !user::text::is_id(&id) {
        return Err(de::Error::custom(LONG_ID));
    }
    // Two ids that cannot be read would be one.
    if matches!(sanitize(raw.get(), LEVELS), Cow::Owned(_)) {
        return Err(de::Error::custom(UNCLEAR_ID));
    }
    Ok(id)
}

/// An id that is only an id where a client could give it back.
#[must_use]
pub fn valid_id(id: Option<String>) -> Option<String> {
    id.filter(|id| user::text::is_id(id))
}

/// A yes or no.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    Ok(match raw.get() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    })
}

/// A whole number; digits in quotes count.
pub fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = text_of(Deserialize::deserialize(deserializer)?);
    Ok(text.and_then(|text| text.trim().parse().ok()))
}

/// A whole number that is shown.
pub fn int<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Int>, D::Error> {
    Ok(integer(deserializer)?.map(Int))
}

/// A number; digits in quotes count.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let text = text_of(Deserialize::deserialize(deserializer)?);
    let number = text.and_then(|text| text.trim().parse().ok());
    Ok(number.filter(|number: &f64| number.is_finite()))
}

/// A moment: seconds since 1970, or ISO 8601 with or without a zone (UTC is meant where none is
/// named).
pub fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    let seconds = || digits(raw)?.parse().ok();
    Ok(match string(raw) {
        Some(text) => moment_of(&text),
        None => seconds().and_then(|seconds| Timestamp::from_second(seconds).ok()),
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
    let items = items(Deserialize::deserialize(deserializer)?);
    Ok(items.map(|items| items.into_iter().filter_map(text_of).collect()))
}

/// A JSON object, kept as its text.
pub fn object<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Arc<RawValue>>, D::Error> {
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    let is_object = raw.get().starts_with('{');
    Ok(is_object.then(|| raw.to_owned().into()))
}

/// A record inside a record; what cannot be read is left out.
pub fn record<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    Ok(record_of(raw).filter(|_| !is_empty(raw)))
}

/// The record that a value is, if it can be read.
#[must_use]
pub fn record_of<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    let is_object = raw.get().starts_with('{');
    parsed(raw.get()).ok().filter(|_| is_object)
}

/// Whether an object has no members.
fn is_empty(raw: &RawValue) -> bool {
    let inner = raw.get().strip_prefix('{');
    inner.is_some_and(|inner| inner.trim_start() == "}")
}

/// Records inside a record; those that cannot be read are left out.
pub fn records<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let items = items(Deserialize::deserialize(deserializer)?);
    Ok(items.map(|items| items.into_iter().filter_map(record_of).collect()))
}

/// The rows of a list. `null` is none: taken for an empty list, it would say that there is nobody.
pub fn rows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Arc<RawValue>>, D::Error> {
    let rows = Vec::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(rows.into_iter().map(Arc::from).collect())
}

/// The rows of a list that an answer may not have; `None` where they are absent or `null`.
pub fn rows_if_any<'de, D>(deserializer: D) -> Result<Option<Vec<Arc<RawValue>>>, D::Error>
where
    D: Deserializer<'de>,
{
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    if is_null(raw) {
        return Ok(None);
    }
    self::rows(raw).map(Some).map_err(de::Error::custom)
}

/// The rows of a list of a provider whose documents say that it may be `null`.
pub fn rows_or_null<'de, D>(deserializer: D) -> Result<Vec<Arc<RawValue>>, D::Error>
where
    D: Deserializer<'de>,
{
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    if is_null(raw) {
        return Ok(Vec::new());
    }
    rows(raw).map_err(de::Error::custom)
}

/// A text that decides, as the link to a next page does: what is there and no text cannot be taken
/// for "there is none".
pub fn link<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    if is_null(raw) {
        return Ok(None);
    }
    let no_text = || de::Error::custom("a link is no text");
    string(raw).map(Some).ok_or_else(no_text)
}

/// A record that decides: what is there and no record cannot be taken for "there is none".
pub fn deciding<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    if is_null(raw) {
        return Ok(None);
    }
    if !raw.get().starts_with('{') {
        return Err(de::Error::custom("a record is no object"));
    }
    parsed(raw.get()).map(Some).map_err(de::Error::custom)
}

/// A record that decides and must be there, if only as `null`: `None` where it is absent.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    deciding(deserializer).map(Some)
}

/// A number of rows, which decides: digits in quotes count, and what is there and no such number is
/// an error.
pub fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    if is_null(raw) {
        return Ok(None);
    }
    let count = text_of(raw).and_then(|text| text.trim().parse().ok());
    let odd = || de::Error::custom("a number of rows is none");
    count.map(Some).ok_or_else(odd)
}

#[cfg(test)]
mod tests;
