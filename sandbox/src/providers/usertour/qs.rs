//! Query strings and forms as the provider's `qs` parser reads them, and as `URLSearchParams`
//! writes them.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// The depth to which brackets nest; deeper ones are part of the last key.
const DEPTH: usize = 5;
/// The highest index that makes an array rather than an object.
const HIGHEST_INDEX: usize = 20;
/// How many pairs are read; the rest is ignored.
const MOST_PAIRS: usize = 1000;

/// The pairs of a query, decoded.
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

/// The query with nested names (`a[]`, `a[0]`, `a[b]`) gathered into values.
pub(super) fn parse(query: &str) -> Map<String, Value> {
    let mut root = Value::Object(Map::new());
    for (name, value) in pairs(query).into_iter().take(MOST_PAIRS) {
        let path = path_of(&name);
        insert(&mut root, &path, value);
    }
    match root {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The pairs as a query again.
pub(super) fn encode(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// Sets a parameter at its first position, or at the end.
pub(super) fn set(pairs: &mut Vec<(String, String)>, name: &str, value: String) {
    let Some(index) = pairs.iter().position(|(known, _)| known == name) else {
        pairs.push((name.to_owned(), value));
        return;
    };
    let mut at = 0;
    pairs.retain(|(known, _)| {
        at += 1;
        known != name || at == index + 1
    });
    pairs[index].1 = value;
}

/// Percent-decodes once; `None` where an escape is broken or the bytes are no UTF-8.
pub(super) fn decode_segment(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let broken = |at: usize| {
        let digits = bytes.get(at + 1..at + 3);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if (0..bytes.len()).any(|at| bytes[at] == b'%' && broken(at)) {
        return None;
    }
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// `a[b][]` as `a`, `b` and the empty step.
fn path_of(name: &str) -> Vec<String> {
    let Some(open) = name.find('[').filter(|open| *open > 0) else {
        return vec![name.to_owned()];
    };
    let mut path = vec![name[..open].to_owned()];
    let mut rest = &name[open..];
    while path.len() <= DEPTH
        && let Some(inner) = rest.strip_prefix('[')
        && let Some((step, after)) = inner.split_once(']')
    {
        path.push(step.to_owned());
        rest = after;
    }
    if rest.starts_with('[') {
        path.push(rest.to_owned());
    }
    path
}

fn insert(slot: &mut Value, path: &[String], value: String) {
    match path {
        [] => put(slot, value),
        [step, rest @ ..] => match position(step) {
            Some(index) if !slot.is_object() => insert(element(slot, index), rest, value),
            _ => insert(member(slot, step), rest, value),
        },
    }
}

/// A repeated value makes an array.
fn put(slot: &mut Value, value: String) {
    match slot {
        Value::Null => *slot = Value::String(value),
        Value::Array(items) => items.push(Value::String(value)),
        Value::Object(members) => {
            members.insert(value, Value::Bool(true));
        }
        Value::String(_) | Value::Bool(_) | Value::Number(_) => {
            *slot = Value::Array(vec![slot.take(), Value::String(value)]);
        }
    }
}

/// `Some(None)` for the empty step, `Some(Some(n))` for an index, `None` for a name.
#[expect(
    clippy::option_option,
    reason = "append, index and name are three things"
)]
fn position(step: &str) -> Option<Option<usize>> {
    if step.is_empty() {
        return Some(None);
    }
    let index = step.parse().ok().filter(|index| *index <= HIGHEST_INDEX)?;
    Some(Some(index))
}

fn element(slot: &mut Value, index: Option<usize>) -> &mut Value {
    if !slot.is_array() {
        *slot = match slot.take() {
            Value::Null => Value::Array(Vec::new()),
            single => Value::Array(vec![single]),
        };
    }
    let Value::Array(items) = slot else {
        return slot;
    };
    let index = index
        .filter(|index| *index < items.len())
        .unwrap_or_else(|| {
            items.push(Value::Null);
            items.len() - 1
        });
    &mut items[index]
}

fn member<'a>(slot: &'a mut Value, name: &str) -> &'a mut Value {
    if !slot.is_object() {
        let members = match slot.take() {
            Value::Array(items) => items
                .into_iter()
                .enumerate()
                .map(|(index, item)| (index.to_string(), item))
                .collect(),
            Value::String(text) => Map::from_iter([(text, Value::Bool(true))]),
            _ => Map::new(),
        };
        *slot = Value::Object(members);
    }
    &mut slot[name]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{decode_segment, encode, pairs, parse};

    fn parsed(query: &str) -> Value {
        Value::Object(parse(query))
    }

    #[test]
    fn brackets_make_arrays_and_objects() {
        assert_eq!(parsed("a[]=1&a[]=2"), json!({"a": ["1", "2"]}));
        assert_eq!(parsed("a=1&a=2"), json!({"a": ["1", "2"]}));
        assert_eq!(parsed("a[0]=x"), json!({"a": ["x"]}));
        assert_eq!(
            parsed("a%5Bb%5D=c&a[d]=e"),
            json!({"a": {"b": "c", "d": "e"}})
        );
        assert_eq!(
            parsed("m[0][id]=x&m[0][n]=y"),
            json!({"m": [{"id": "x", "n": "y"}]})
        );
    }

    #[test]
    fn hostile_nesting_ends_at_the_depth() {
        let query = format!("a{}=1", "[x]".repeat(5000));

        assert!(parsed(&query).is_object());
    }

    #[test]
    fn forms_are_written_as_browsers_write_them() {
        let query = encode(&pairs("email=a%2Bb%40x.example&q=a%20b&expand[]=c"));

        assert_eq!(query, "email=a%2Bb%40x.example&q=a+b&expand%5B%5D=c");
    }

    #[test]
    fn segments_are_decoded_once() {
        assert_eq!(decode_segment("a%252Fb+c").as_deref(), Some("a%2Fb+c"));
        assert_eq!(decode_segment("%zz"), None);
        assert_eq!(decode_segment("%ff"), None);
    }
}
