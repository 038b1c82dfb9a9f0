//! A moment that is none is refused before anything runs; a date is the start of its day.

use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, StandIn, list},
    world::World,
};

const FIELDS: &str = "ok: usersByEmail(email: \"a@x.test\", providers: [INTERCOM]) { totalCount }";

async fn refused(world: &World, query: &str, variables: Value) -> Value {
    let answer = world.answer_with(query, variables).await;
    assert_eq!(answer.get("data"), None, "{query}: {answer}");
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
    assert_eq!(error.get("path"), None, "{answer}");
    let message = error["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("ISO 8601"), "{message}");
    for words in ["parse", "Timestamp", "offset", "Failed", "yesterday"] {
        assert!(!message.contains(words), "{message}");
    }
    error.clone()
}

#[tokio::test]
async fn a_bad_moment_is_refused_before_anything_runs() {
    let providers = StandIn::of(|asked: &Asked| list(&asked.path, &[])).await;
    let world = providers.world(|_| {}).await;
    for bad in [
        "yesterday",
        "2026-02-30",
        "2026-02-03T04:05:06",
        "20260203",
        "",
        "2026-02-03T25:00Z",
    ] {
        let literal = format!(
            "{{ {FIELDS} users(provider: INTERCOM, filter: {{ createdSince: \"{bad}\" }}) {{ totalCount }} }}"
        );
        let error = refused(&world, &literal, json!({})).await;
        assert!(error["locations"][0]["line"].is_number(), "{error}");
        let nested = format!(
            "query {{ ...f }} fragment f on Query {{ ... on Query {{
                users(provider: INTERCOM, filter: {{ createdSince: \"{bad}\" }}) {{ totalCount }} }} }}"
        );
        refused(&world, &nested, json!({})).await;
        let write = format!(
            "mutation {{ upsertUser(input: {{ provider: INTERCOM, email: \"a@x.test\", signedUpAt: \"{bad}\" }}) {{ outcome }} }}"
        );
        refused(&world, &write, json!({})).await;

        let variable = format!(
            "query ($d: DateTime) {{ {FIELDS} users(provider: INTERCOM, filter: {{ createdSince: $d }}) {{ totalCount }} }}"
        );
        refused(&world, &variable, json!({ "d": bad })).await;
        let default = variable.replace("$d: DateTime", &format!("$d: DateTime = \"{bad}\""));
        refused(&world, &default, json!({})).await;
        let object = format!(
            "query ($f: UserFilter) {{ {FIELDS} users(provider: INTERCOM, filter: $f) {{ totalCount }} }}"
        );
        refused(&world, &object, json!({ "f": { "createdBefore": bad } })).await;
    }
    let number = "query ($d: DateTime) { users(provider: INTERCOM, filter: { createdSince: $d }) { totalCount } }";
    refused(&world, number, json!({ "d": 1_700_000_000 })).await;
    assert_eq!(providers.take().len(), 0);
}

#[tokio::test]
async fn a_date_is_the_start_of_its_day() {
    let providers = StandIn::of(|asked: &Asked| list(&asked.path, &[])).await;
    let world = providers.world(|_| {}).await;
    let by = |filter: &str, variables: &str| {
        format!(
            "query {variables} {{ users(provider: INTERCOM, filter: {filter}) {{ totalCount }} }}"
        )
    };
    let date = "2026-02-03";
    for (query, variables) in [
        (by("{ createdSince: \"2026-02-03\" }", ""), json!({})),
        (
            by("{ createdSince: \"2026-02-03T01:00:00+01:00\" }", ""),
            json!({}),
        ),
        (
            by("{ createdSince: $d }", "($d: DateTime)"),
            json!({ "d": date }),
        ),
        (
            by("{ createdSince: $d }", "($d: DateTime! = \"2026-02-03\")"),
            json!({}),
        ),
        (
            by("$f", "($f: UserFilter)"),
            json!({ "f": { "createdSince": date } }),
        ),
    ] {
        world.data_with(&query, variables).await;
        let asked = providers.take();
        assert_eq!(
            asked[0].body["query"]["value"],
            1_770_076_800 - 1,
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_moment_that_is_too_late_is_refused_with_the_latest_that_is_not() {
    let providers = StandIn::of(|asked: &Asked| list(&asked.path, &[])).await;
    let world = providers.world(|_| {}).await;
    let query = |moment: &str| {
        format!(
            "{{ {FIELDS} users(provider: INTERCOM, filter: {{ createdBefore: \"{moment}\" }}) {{ totalCount }} }}"
        )
    };
    let variable = format!(
        "query ($d: DateTime) {{ {FIELDS} users(provider: INTERCOM, filter: {{ createdBefore: $d }}) {{ totalCount }} }}"
    );
    for late in [
        "9999-12-31T23:59:59.999Z",
        "9999-12-31",
        "9999-12-30T23:00:00Z",
    ] {
        for error in [
            refused(&world, &query(late), json!({})).await,
            refused(&world, &variable, json!({ "d": late })).await,
        ] {
            let message = error["message"].as_str().unwrap_or_default();
            assert!(message.contains("9999-12-30T22:00:00Z"), "{message}");
        }
    }
    assert_eq!(providers.take().len(), 0);
    let latest = "9999-12-30T22:00:00Z";
    world.data(&query(latest)).await;
    world.data_with(&variable, json!({ "d": latest })).await;
}
