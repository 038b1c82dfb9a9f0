//! One odd row costs itself only, and its answer says so; one odd value costs its own field.

use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, StandIn, list, row},
    world::{FOUR, notices, word},
};

const LIST: &str = "query ($p: Provider!, $after: String, $n: Int = 50) {
    users(provider: $p, first: $n, after: $after) { nodes { remoteId email }
    edges { cursor } pageInfo { hasNextPage endCursor } sources { status notices { code message } } } }";

const SEARCH: &str = "query ($e: String!, $p: Provider!) {
    usersByEmail(email: $e, providers: [$p]) { totalCount nodes { remoteId name }
    sources { status notices { code message } error { code } } } }";

/// A first row, one that is odd, and a last one.
fn with(odd: &'static str) -> impl Fn(&Asked) -> String {
    move |asked: &Asked| {
        let path = asked.path.as_str();
        let rows = [
            row(path, "a1", "p1@x.test", ""),
            odd.to_owned(),
            row(path, "a3", "p3@x.test", ""),
        ];
        list(path, &rows)
    }
}

fn ids(users: &Value) -> Vec<&str> {
    let nodes = users["nodes"].as_array().expect("users");
    let ids = nodes.iter().map(|user| user["remoteId"].as_str());
    ids.map(Option::unwrap_or_default).collect()
}

#[tokio::test]
async fn a_row_that_cannot_be_read_costs_itself_and_the_answer_says_so() {
    for odd in [
        "null",
        "7",
        "[]",
        "\"text\"",
        "{}",
        r#"{"id":"","end_user_id":" "}"#,
        r#"{"id":null,"email":"p2@x.test"}"#,
        r#"{"id":"\ud83d","end_user_id":"\ud83d"}"#,
        r#"{"id":"one","id":"two","end_user_id":"one","end_user_id":"two"}"#,
        r#"{"id":1e999,"end_user_id":NaN}"#,
        "{\"id\":\"a\\u0001b\",\"end_user_id\":\"a\\u0001b\"}",
    ] {
        let providers = StandIn::of(with(odd)).await;
        let world = providers.world(|_| {}).await;
        for provider in FOUR {
            let p = word(provider);
            let data = world.data_with(LIST, json!({ "p": p })).await;
            let users = &data["users"];
            assert_eq!(ids(users), ["a1", "a3"], "{odd} {p}");
            assert_eq!(users["sources"][0]["status"], "PARTIAL", "{odd} {p}");
            let notice = notices(&users["sources"][0]);
            let is_told = notice.contains("1 record that") || notice.contains("is left out");
            assert!(is_told, "{odd} {p}: {notice}");

            let variables = json!({ "p": p, "e": "p3@x.test" });
            let data = world.data_with(SEARCH, variables).await;
            let users = &data["usersByEmail"];
            assert_eq!(ids(users), ["a3"], "{odd} {p}");
            assert_eq!(users["sources"][0]["status"], "PARTIAL", "{odd} {p}");
            assert_eq!(users["totalCount"], Value::Null, "{odd} {p}");
        }
    }
}

#[tokio::test]
async fn an_odd_value_costs_its_own_field() {
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    for odd in [
        r#""first_name":"Kim \ud83d","firstName":"Kim \ud83d","name":"Kim \ud83d""#.to_owned(),
        r#""x":1e999,"first_name":1e999,"firstName":1e999,"name":1e999"#.to_owned(),
        r#""x":"\udead","\udead":1"#.to_owned(),
        r#""x":NaN,"y":-Infinity"#.to_owned(),
        r#""x":1,"x":2,"created_at":1,"created_at":2,"email":"p2@x.test""#.to_owned(),
        r#""$serde_json::private::RawValue":"[1","x":{"$serde_json::private::RawValue":"]"}"#
            .to_owned(),
        "\"x\":\"a\tb\u{0}\"".to_owned(),
        format!(r#""x":{deep},"tags":{deep},"companies":{deep},"location":{deep}"#),
    ] {
        let odd = format!(",{odd}");
        let providers = StandIn::of({
            let odd = odd.clone();
            move |asked: &Asked| {
                let path = asked.path.as_str();
                let of = |n: u8, more| row(path, &format!("a{n}"), &format!("p{n}@x.test"), more);
                if path.ends_with("/a2") {
                    return of(2, &odd);
                }
                list(path, &[of(1, ""), of(2, &odd), of(3, "")])
            }
        })
        .await;
        let world = providers.world(|_| {}).await;
        for provider in FOUR {
            let p = word(provider);
            let data = world.data_with(LIST, json!({ "p": p })).await;
            assert_eq!(ids(&data["users"]), ["a1", "a2", "a3"], "{odd:.80} {p}");
            assert_eq!(
                data["users"]["nodes"][1]["email"], "p2@x.test",
                "{odd:.80} {p}"
            );

            let variables = json!({ "p": p, "e": "p2@x.test" });
            let data = world.data_with(SEARCH, variables).await;
            let users = &data["usersByEmail"];
            assert_eq!(ids(users), ["a2"], "{odd:.80} {p}");
            assert_eq!(users["sources"][0]["error"], Value::Null, "{odd:.80} {p}");

            let query = "query ($p: Provider!) { user(provider: $p, by: { remoteId: \"a2\" }) {
                remoteId email details { __typename } } }";
            let data = world.data_with(query, json!({ "p": p })).await;
            assert_eq!(data["user"]["email"], "p2@x.test", "{odd:.80} {p}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_utf8_cost_one_character() {
    let providers = StandIn::of(|asked: &Asked| {
        let path = asked.path.as_str();
        let of = |n: u8, more| row(path, &format!("a{n}"), &format!("p{n}@x.test"), more);
        let name = r#","name":"Z~e","firstName":"Z~e","display_name":"Z~e""#;
        let text = list(path, &[of(1, ""), of(2, name), of(3, "")]);
        let bytes = text
            .bytes()
            .map(|byte| if byte == b'~' { 0xff } else { byte });
        bytes.collect::<Vec<_>>()
    })
    .await;
    let world = providers.world(|_| {}).await;
    for provider in FOUR {
        let p = word(provider);
        let data = world
            .data_with(SEARCH, json!({ "p": p, "e": "p2@x.test" }))
            .await;
        let user = &data["usersByEmail"]["nodes"][0];
        assert_eq!(user["name"], "Z\u{fffd}e", "{p}");
    }
}

#[tokio::test]
async fn an_id_as_a_number_and_as_a_text_is_one_user_and_is_reported() {
    let providers = StandIn::of(|asked: &Asked| {
        let path = asked.path.as_str();
        let number = row(path, "~", "p1@x.test", "").replace("\"~\"", "7");
        list(
            path,
            &[
                number,
                row(path, "7", "p2@x.test", ""),
                row(path, "8", "p3@x.test", ""),
            ],
        )
    })
    .await;
    let world = providers.world(|_| {}).await;
    for provider in FOUR {
        let data = world.data_with(LIST, json!({ "p": word(provider) })).await;
        assert_eq!(ids(&data["users"]), ["7", "8"]);
        assert_eq!(data["users"]["sources"][0]["status"], "PARTIAL");
    }
}

#[tokio::test]
async fn ids_beyond_64_bits_stay_distinct() {
    let numbers = [
        "12345678901234567890123",
        "12345678901234567890124",
        "18446744073709551616",
    ];
    let providers = StandIn::of(move |asked: &Asked| {
        let path = asked.path.as_str();
        let rows = numbers.map(|id| {
            let email = format!("{id}@x.test");
            row(path, "~", &email, "").replace("\"~\"", id)
        });
        list(path, &rows)
    })
    .await;
    let world = providers.world(|_| {}).await;
    for provider in FOUR {
        let data = world.data_with(LIST, json!({ "p": word(provider) })).await;
        assert_eq!(ids(&data["users"]), numbers);
        assert_ne!(data["users"]["sources"][0]["status"], "FAILED");
    }
}

/// Pages of DigitalChalk start at an offset, and those of Intercom 1.x at a number: a row that cannot be
/// read has its place there.
#[tokio::test]
async fn a_row_that_cannot_be_read_has_its_place_among_the_others() {
    let providers = StandIn::of(|asked: &Asked| {
        let number = |name: &str| asked.query.get(name).and_then(|n| n.parse::<usize>().ok());
        let path = asked.path.as_str();
        let rows: Vec<String> = (0..10)
            .map(|n| match n {
                2 | 3 | 9 => "null".to_owned(),
                n => row(path, &format!("a{n}"), &format!("p{n}@x.test"), ""),
            })
            .collect();
        if path.starts_with("/digitalchalk") {
            let (from, size) = (number("offset").unwrap_or(0), number("limit").unwrap_or(15));
            let page = &rows[from.min(10)..(from + size).min(10)];
            let next = if from + size < 10 { "\"more\"" } else { "null" };
            return format!(r#"{{"results":[{}],"next":{next}}}"#, page.join(","));
        }
        let (page, size) = (
            number("page").unwrap_or(1),
            number("per_page").unwrap_or(50),
        );
        let from = (page - 1) * size;
        let page = &rows[from.min(10)..(from + size).min(10)];
        format!(
            r#"{{"type":"user.list","users":[{}],"total_count":10}}"#,
            page.join(",")
        )
    })
    .await;
    let world = providers
        .world(|settings| crate::world::intercom(settings, "1.1"))
        .await;
    for p in ["DIGITAL_CHALK", "INTERCOM"] {
        for first in [1, 2, 3, 4, 7, 20] {
            let (mut seen, mut after) = (Vec::new(), Value::Null);
            for _ in 0..20 {
                let variables = json!({ "p": p, "n": first, "after": after });
                let data = world.data_with(LIST, variables).await;
                let users = &data["users"];
                seen.extend(ids(users).into_iter().map(str::to_owned));
                if users["pageInfo"]["hasNextPage"] == false {
                    let all = first == 20;
                    let notice = notices(&users["sources"][0]);
                    let counts = notice.contains("3 records");
                    assert_eq!(counts, all, "{p} first {first}: {notice}");
                    break;
                }
                after = users["pageInfo"]["endCursor"].clone();
            }
            assert_eq!(
                seen,
                ["a0", "a1", "a4", "a5", "a6", "a7", "a8"],
                "{p} first {first}"
            );
        }
    }
}

#[tokio::test]
async fn no_user_is_written_while_a_record_that_may_match_is_unreadable() {
    let write = "mutation ($p: Provider!) { upsertUser(input: {
        provider: $p, email: \"p2@x.test\", name: \"N\" }) { outcome userErrors { code } } }";
    for p in ["INTERCOM", "ADA"] {
        let providers = StandIn::of(with("null")).await;
        let world = providers.world(|_| {}).await;

        let data = world.data_with(write, json!({ "p": p })).await;

        assert_eq!(data["upsertUser"]["outcome"], "SKIPPED", "{p}: {data}");
        let asked = providers.take();
        let is_read = |path: &str| path.ends_with("/search") || path.ends_with("/end-users/");
        assert!(asked.iter().all(|asked| is_read(&asked.path)), "{asked:?}");
    }
}
