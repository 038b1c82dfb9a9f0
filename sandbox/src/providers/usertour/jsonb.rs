//! Attributes as PostgreSQL stores `jsonb` and JavaScript reads numbers.

use serde_json::{Map, Number, Value};

/// The attributes with their keys in the database's order, shorter ones first and then by bytes,
/// except that JavaScript puts whole numbers first; and with numbers rounded to doubles.
pub(super) fn ordered(attributes: &Map<String, Value>) -> Value {
    let mut members: Vec<_> = attributes.iter().collect();
    members.sort_by_key(|(key, _)| (!is_index(key), key.len(), key.as_bytes()));
    members
        .into_iter()
        .map(|(key, value)| (key.clone(), stored(value)))
        .collect()
}

/// Whether a key is an index to JavaScript: up to 2^32 - 2, as it is written.
fn is_index(key: &str) -> bool {
    key.parse::<u32>()
        .is_ok_and(|index| index < u32::MAX && index.to_string() == key)
}

/// A number as JavaScript prints it.
pub(super) fn number_text(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return "0".to_owned();
    }
    if (1e-6..1e21).contains(&number.abs()) {
        return format!("{number}");
    }
    let text = format!("{number:e}");
    if text.contains("e-") {
        text
    } else {
        text.replace('e', "e+")
    }
}

fn stored(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(double(number)),
        Value::Array(items) => items.iter().map(stored).collect(),
        Value::Object(members) => ordered(members),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

/// Whole numbers stay whole, as `1.0` is `1` in JavaScript.
fn double(number: &Number) -> Number {
    let double = number.as_f64().unwrap_or_default();
    match number_text(double).parse::<i64>() {
        Ok(whole) => whole.into(),
        Err(_) => Number::from_f64(double).unwrap_or_else(|| number.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{number_text, ordered};

    fn stored(value: &Value) -> String {
        let members: Map<String, Value> = value.as_object().cloned().unwrap_or_default();
        ordered(&members).to_string()
    }

    #[test]
    fn shorter_keys_come_first_then_bytes() {
        let bag =
            json!({"role": 1, "email": 2, "name": 3, "a": {"bb": 1, "c": [{"z": 1, "y": 2}]}});

        assert_eq!(
            stored(&bag),
            r#"{"a":{"c":[{"y":2,"z":1}],"bb":1},"name":3,"role":1,"email":2}"#
        );
        let bag = json!({"a": 1, "10": 2, "9": 3, "01": 4, "4294967295": 5});
        assert_eq!(
            stored(&bag),
            r#"{"9":3,"10":2,"a":1,"01":4,"4294967295":5}"#
        );
    }

    #[test]
    fn numbers_pass_through_doubles() {
        let bag = json!({"n": 9_007_199_254_740_993_u64, "m": 1.10, "w": 2.0});

        assert_eq!(stored(&bag), r#"{"m":1.1,"n":9007199254740992,"w":2}"#);
        assert_eq!(number_text(1e21), "1e+21");
        assert_eq!(number_text(1.5e-7), "1.5e-7");
    }
}
