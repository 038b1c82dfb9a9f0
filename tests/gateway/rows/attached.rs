//! The lists of a contact that take calls of their own, in every form that Intercom's documents give
//! to the next page.

use serde_json::{Value, json};

use crate::stand_in::{Asked, StandIn, list, row};

const QUERY: &str = "{ users(provider: INTERCOM, first: 1) {
    nodes { companies { remoteId name } } sources { status notices { code } } } }";

/// How an answer names a next page.
type NextForm = fn(&str) -> Value;

/// The page of a contact's companies that a request names: the first, `second` or `third`.
fn named(asked: &Asked) -> &str {
    let query = &asked.query;
    let page = query.get("starting_after").or_else(|| query.get("page"));
    page.map_or("first", String::as_str)
}

fn companies(ids: &[&str], next: &Value) -> String {
    let of = |id: &&str| match *id {
        "" => json!({ "type": "company", "name": "no id" }),
        id => json!({ "type": "company", "id": id, "name": id }),
    };
    let data: Vec<Value> = ids.iter().map(of).collect();
    json!({ "type": "list", "data": data, "pages": { "type": "pages", "next": next } }).to_string()
}

/// What a query answers where the contact's companies come in pages, and the pages that were read.
async fn read(page: impl Fn(&str) -> String + Send + Sync + 'static) -> (Value, Vec<String>) {
    let providers = StandIn::of(move |asked: &Asked| {
        if asked.path.ends_with("/companies") {
            return page(named(asked));
        }
        let more = r#","companies":{"type":"list","data":[],"total_count":12,"has_more":true}"#;
        list(&asked.path, &[row(&asked.path, "a1", "p1@x.test", more)])
    })
    .await;
    let world = providers
        .world(|settings| settings.limits.calls = 200)
        .await;
    let answer = world.answer(QUERY).await;
    let asked = providers.take().into_iter();
    let pages = asked.filter(|asked| asked.path.ends_with("/companies"));
    (
        answer,
        pages.map(|asked| named(&asked).to_owned()).collect(),
    )
}

fn ids(answer: &Value) -> Vec<&str> {
    let nodes = answer["data"]["users"]["nodes"][0]["companies"].as_array();
    let nodes = nodes.into_iter().flatten();
    nodes
        .map(|one| one["remoteId"].as_str().unwrap_or(""))
        .collect()
}

#[tokio::test]
async fn a_list_is_read_on_by_an_object_a_link_and_a_number() {
    let nexts: [(NextForm, &str, &str); 4] = [
        (
            |page| json!({ "page": 2, "starting_after": page }),
            "second",
            "third",
        ),
        (
            |page| {
                json!(format!(
                    "https://elsewhere.test/x?per_page=60&starting_after={page}"
                ))
            },
            "second",
            "third",
        ),
        (|page| json!({ "page": page.parse::<u8>().ok() }), "2", "3"),
        (
            |page| json!(format!("/contacts/a1/companies?page={page}")),
            "2",
            "3",
        ),
    ];
    for (next, second, third) in nexts {
        let (answer, pages) = read(move |page| match page {
            "first" => companies(&["c1", ""], &next(second)),
            page if page == second => companies(&["", "c2"], &next(third)),
            _ => companies(&["c3"], &Value::Null),
        })
        .await;

        // Nothing tells one item without an id from another.
        assert_eq!(ids(&answer), ["c1", "", "", "c2", "c3"], "{answer}");
        assert_eq!(answer["data"]["users"]["sources"][0]["status"], "COMPLETE");
        assert_eq!(pages, ["first", second, third]);
    }
}

#[tokio::test]
async fn an_item_that_comes_twice_is_given_once() {
    let (answer, _) = read(|page| match page {
        "first" => companies(&["c1", "c2"], &json!({ "starting_after": "second" })),
        _ => companies(&["c2", "c3"], &Value::Null),
    })
    .await;
    assert_eq!(ids(&answer), ["c1", "c2", "c3"]);
    assert_eq!(answer["data"]["users"]["sources"][0]["status"], "COMPLETE");

    // In place of the second there may have been another.
    let (answer, _) = read(|_| companies(&["c1", "c1"], &Value::Null)).await;
    assert_eq!(ids(&answer), ["c1"]);
    let source = &answer["data"]["users"]["sources"][0];
    let notices = json!([{ "code": "PAGES_INCONSISTENT" }]);
    assert_eq!(
        (&source["status"], &source["notices"]),
        (&json!("PARTIAL"), &notices)
    );
}

#[tokio::test]
async fn a_list_in_a_circle_or_without_an_end_is_an_error() {
    let circle = |page: &str| {
        let next = if page == "second" { "third" } else { "second" };
        companies(&[page], &json!({ "starting_after": next }))
    };
    let (answer, pages) = read(circle).await;
    assert_eq!(ids(&answer), [""; 0]);
    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "PROVIDER_BAD_RESPONSE"
    );
    assert_eq!(pages, ["first", "second", "third"]);

    let endless = |page: &str| {
        let next = page.parse::<u32>().map_or(2, |page| page + 1);
        companies(&[page], &json!({ "page": next }))
    };
    let (answer, pages) = read(endless).await;
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "PROVIDER_BAD_RESPONSE",
        "{pages:?} {answer}"
    );
    assert_eq!(pages.len(), 100);
}
