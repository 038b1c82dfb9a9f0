use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Unreadable, address, id, moment_of, number, parsed, record, text, texts};

#[derive(Debug, Default, Deserialize, PartialEq)]
struct MembersInner {
    #[serde(default, deserialize_with = "text")]
    email: Option<String>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
struct Record {
    #[serde(deserialize_with = "id")]
    id: String,
    #[serde(default, deserialize_with = "text")]
    name: Option<String>,
    #[serde(default, deserialize_with = "number")]
    count: Option<f64>,
    #[serde(default, deserialize_with = "texts")]
    tags: Option<Vec<String>>,
    #[serde(default, deserialize_with = "record")]
    inner: Option<MembersInner>,
}

fn of(more: &str) -> Record {
    parsed(&format!(r#"{{"id":"a"{more}}}"#)).expect("a record")
}

#[test]
fn an_odd_value_is_none_or_loses_a_character() {
    let bare = of("");
    for odd in [
        r#","name":{"a":"\udead"},"count":1e999,"tags":"x","inner":[1]"#,
        r#","name":[],"count":"1e999","inner":{},"tags":{"a":[]}"#,
        r#","\udead":1,"name":" ","inner":"text","count":"nan""#,
    ] {
        assert_eq!(of(odd), bare, "{odd}");
    }
    assert_eq!(
        of(r#","name":"Kim \ud83d""#).name.as_deref(),
        Some("Kim \u{fffd}")
    );
    let tags = of(r#","tags":["a",1.10,null,{},12345678901234567890123]"#).tags;
    let digits = ["a", "1.10", "12345678901234567890123"].map(str::to_owned);
    assert_eq!(tags, Some(digits.to_vec()));
}

#[test]
fn of_keys_that_come_twice_the_last_counts_and_two_ids_are_none() {
    let twice = of(r#","name":"a","inner":{"email":"a@x.test","email":"b@x.test"},"name":"b""#);
    assert_eq!(twice.name.as_deref(), Some("b"));
    let email = twice.inner.and_then(|inner| inner.email);
    assert_eq!(email, None, "an email decides");
    assert_eq!(of(r#","id":"a""#), of(""));
    assert!(parsed::<Record>(r#"{"id":"a","id":"b"}"#).is_err());
    assert!(parsed::<Record>(r#"{"id":"a","\u0069d":"b"}"#).is_err());
}

#[test]
fn an_address_that_is_there_and_no_text_is_unreadable() {
    let read = |record: &str| {
        let record: Box<RawValue> = serde_json::from_str(record).expect("JSON");
        address(None, &record, &["profile", "email"])
    };
    for none in [
        "{}",
        r#"{"profile":null}"#,
        r#"{"profile":{}}"#,
        r#"{"profile":{"email":null}}"#,
        r#"{"profile":{"email":{ }}}"#,
        r#"{"profile":{"email":" "}}"#,
    ] {
        assert_eq!(read(none), Ok(None), "{none}");
    }
    for odd in [
        r#"{"profile":[]}"#,
        r#"{"profile":"a@x.test"}"#,
        r#"{"profile":{"email":["a@x.test"]}}"#,
        r#"{"profile":{"email":7}}"#,
        r#"{"profile":{"email":"\ud83d@x.test"}}"#,
        r#"{"profile":{"email":"a@x.test","email":"b@x.test"}}"#,
        r#"{"profile":{},"profile":{"email":"a@x.test"}}"#,
    ] {
        assert_eq!(read(odd), Err(Unreadable), "{odd}");
    }
    let twice = r#"{"profile":{"email":"a@x.test","email":"a@x.test"}}"#;
    assert_eq!(read(twice), Ok(Some("a@x.test".to_owned())));
}

#[test]
fn ids_that_could_not_be_told_apart_or_asked_for_are_none() {
    for odd in [
        r#""\ud83d""#,
        r#""""#,
        "null",
        "1e999",
        r#""a\u0000b""#,
        "[]",
        "true",
    ] {
        assert!(
            parsed::<Record>(&format!(r#"{{"id":{odd}}}"#)).is_err(),
            "{odd}"
        );
    }
    let id = |raw: &str| {
        parsed::<Record>(&format!(r#"{{"id":{raw}}}"#))
            .expect("an id")
            .id
    };
    assert_eq!(id("12345678901234567890123"), "12345678901234567890123");
    assert_eq!(id("-7.10"), "-7.10");
    assert_eq!(id(r#""\ufffd""#), "\u{fffd}");
}

#[test]
fn no_depth_of_nesting_costs_more_than_its_field() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let record = of(&format!(
        r#","name":{deep},"inner":{{"email":"a","x":{deep}}},"tags":[{deep}]"#
    ));
    assert_eq!(
        record.inner.and_then(|inner| inner.email).as_deref(),
        Some("a")
    );
    assert_eq!((record.name, record.tags), (None, Some(Vec::new())));
    assert!(serde_json::from_str::<&RawValue>(&deep).is_ok());
}

#[test]
fn moments_are_read_with_and_without_a_zone() {
    let seconds = |text| moment_of(text).map(jiff::Timestamp::as_second);

    assert_eq!(seconds("2020-09-20T00:00:00+00:00"), Some(1_600_560_000));
    assert_eq!(seconds("2023-12-08T19:06:04.890000"), Some(1_702_062_364));
    assert_eq!(seconds("2013-10-23T00:48:50Z"), Some(1_382_489_330));
    assert_eq!(seconds("yesterday"), None);
}
