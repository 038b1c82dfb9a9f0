//! Parts of addresses: the one provider that finds them does, the others say that they were not asked.

use roster_sandbox::known;
use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, StandIn, list, row},
    world::{World, notices},
};

const FIND: &str = "query ($part: String!, $first: Int, $of: [Provider!]) {
    usersByEmail(email: $part, match: SUBSTRING, first: $first, providers: $of) {
        nodes { provider email } totalCount pageInfo { hasNextPage }
        sources { provider status notices { code message } calls } } }";

#[tokio::test]
async fn every_address_that_holds_the_part_is_found_whatever_its_letter_case() {
    let world = World::with(known::ENOUGH, |_| {}).await;

    for part in ["seventeen@", "SEVENTEEN@Pages"] {
        world.forget_calls().await;
        let data = world.data_with(FIND, json!({ "part": part })).await;

        let found = &data["usersByEmail"];
        let nodes = found["nodes"].as_array().expect("users");
        assert_eq!((nodes.len(), &found["totalCount"]), (17, &json!(17)));
        for user in nodes {
            assert_eq!(user["provider"], "DIGITAL_CHALK");
            assert!(
                user["email"]
                    .as_str()
                    .is_some_and(|email| email.contains("seventeen@pages.test"))
            );
        }
        let skipped = |provider| {
            let notice = "this provider finds whole addresses only";
            let notices = json!([{ "code": "UNSUPPORTED", "message": notice }]);
            json!({ "provider": provider, "status": "SKIPPED", "notices": notices, "calls": 0 })
        };
        let asked =
            json!({ "provider": "DIGITAL_CHALK", "status": "COMPLETE", "notices": [], "calls": 1 });
        let sources = json!([
            skipped("ADA"),
            asked,
            skipped("INTERCOM"),
            skipped("USERTOUR")
        ]);
        assert_eq!(found["sources"], sources);
        assert_eq!(world.tally().await, [0, 1, 0, 0]);
    }
}

#[tokio::test]
async fn providers_that_cannot_find_prefixes_are_skipped_and_say_so() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let find = FIND.replace("SUBSTRING", "PREFIX");

    let data = world
        .data_with(&find, json!({ "part": "SEVENTEEN@Pages" }))
        .await;

    let found = &data["usersByEmail"];
    let seventeen = json!([{ "provider": "DIGITAL_CHALK", "email": "seventeen@pages.test" }]);
    assert_eq!(
        found["nodes"], seventeen,
        "16 others hold it and begin otherwise"
    );
    assert_eq!(found["totalCount"], 1);
    let sources = found["sources"].as_array().expect("sources");
    let status: Vec<_> = sources
        .iter()
        .map(|source| source["status"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(status, ["SKIPPED", "COMPLETE", "SKIPPED", "SKIPPED"]);
    assert!(notices(&sources[0]).starts_with("UNSUPPORTED: "));
    assert_eq!(world.tally().await, [0, 1, 0, 0]);
    let answer = world.answer_with(&find, json!({ "part": "se" })).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
}

#[tokio::test]
async fn a_cursor_of_a_prefix_is_none_of_a_part() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let query = |kind: &str, after: &str| {
        format!(
            "{{ usersByEmail(email: \"seventeen\", match: {kind}, first: 2, after: \"{after}\") {{ pageInfo {{ endCursor }} }} }}"
        )
    };
    let data = world.data(&query("PREFIX", "")).await;
    let cursor = data["usersByEmail"]["pageInfo"]["endCursor"]
        .as_str()
        .expect("a cursor");

    assert_eq!(
        world.answer(&query("PREFIX", cursor)).await["errors"],
        Value::Null
    );
    let other = world.answer(&query("SUBSTRING", cursor)).await;
    assert_eq!(other["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
}

#[tokio::test]
async fn a_part_with_more_hits_than_a_page_is_read_to_the_end() {
    let world = World::with(known::ENOUGH, |_| {}).await;

    let data = world
        .data_with(FIND, json!({ "part": known::POSITION_101, "first": 30 }))
        .await;

    let found = &data["usersByEmail"];
    assert_eq!(found["nodes"].as_array().map(Vec::len), Some(30));
    assert_eq!(
        (&found["totalCount"], &found["pageInfo"]["hasNextPage"]),
        (&json!(101), &json!(true))
    );
    assert_eq!(world.tally().await, [0, 2, 0, 0]);
}

#[tokio::test]
async fn a_part_that_nearly_everybody_has_is_refused_without_a_call() {
    let world = World::with(10, |_| {}).await;
    for part in ["", "a", "@x", "  a ", "a b c"] {
        let answer = world.answer_with(FIND, json!({ "part": part })).await;
        assert_eq!(answer["data"], json!({ "usersByEmail": null }), "{part:?}");
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{part:?}"
        );
    }
    assert_eq!(world.tally().await, [0; 4]);
}

#[tokio::test]
async fn the_users_of_a_part_are_all_there_however_they_are_paged() {
    let world = World::with(200, |_| {}).await;
    let query = "query ($first: Int!, $after: String) {
        usersByEmail(email: \"test\", match: SUBSTRING, first: $first, after: $after) {
            nodes { remoteId } pageInfo { hasNextPage endCursor } } }";
    let whole = world.data_with(query, json!({ "first": 500 })).await;
    let whole = whole["usersByEmail"]["nodes"]
        .as_array()
        .cloned()
        .expect("users");

    let (mut scanned, mut after) = (Vec::new(), serde_json::Value::Null);
    loop {
        let data = world
            .data_with(query, json!({ "first": 37, "after": after }))
            .await;
        let page = &data["usersByEmail"];
        scanned.extend(page["nodes"].as_array().cloned().expect("users"));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }

    assert!(whole.len() > 100, "{}", whole.len());
    assert_eq!(scanned, whole);
}

/// The users of a provider that finds parts of texts, whatever their letter case.
const KNOWN: [&str; 6] = [
    "jo@m\u{fc}ller.test",
    "jo@xn--mller-kva.test",
    "jo@mu\u{308}ller.test",
    "zoe\u{308}@x.test",
    "ZO\u{cb}@x.test",
    "ann@x.test",
];

fn holding(asked: &Asked) -> String {
    let part = asked.query.get("email").cloned().unwrap_or_default();
    let part = part.to_lowercase();
    let is_all = part == "bob";
    let known = KNOWN
        .iter()
        .filter(|known| is_all || known.to_lowercase().contains(&part));
    let rows: Vec<_> = known
        .map(|email| row(&asked.path, email, email, ""))
        .collect();
    list(&asked.path, &rows)
}

async fn found(world: &World, part: &str) -> (Vec<String>, Value) {
    found_by(world, FIND, part).await
}

async fn found_by(world: &World, find: &str, part: &str) -> (Vec<String>, Value) {
    let variables = json!({ "part": part, "of": ["DIGITAL_CHALK"] });
    let data = world.data_with(find, variables).await;
    let nodes = data["usersByEmail"]["nodes"].as_array().cloned();
    let nodes = nodes.unwrap_or_default().into_iter();
    let emails = nodes.filter_map(|user| user["email"].as_str().map(str::to_owned));
    let mut emails: Vec<_> = emails.collect();
    emails.sort_by_key(|email| KNOWN.iter().position(|known| known == email));
    (emails, data["usersByEmail"]["sources"][0].clone())
}

#[tokio::test]
async fn a_part_is_found_in_every_form_in_which_texts_spell_it() {
    let providers = StandIn::of(holding).await;
    let world = providers.world(|_| {}).await;
    let (idn, zoe) = (&KNOWN[..3], &KNOWN[3..5]);
    for (part, expected, status) in [
        ("jo@xn--mller-kva.test", idn, "COMPLETE"),
        ("jo@m\u{fc}ller.test", idn, "COMPLETE"),
        ("JO@MU\u{308}LLER.test", idn, "COMPLETE"),
        ("@m\u{fc}ller.test", idn, "COMPLETE"),
        ("@xn--mller-kva.", idn, "COMPLETE"),
        ("jo@m\u{fc}ller\u{3002}test", idn, "COMPLETE"),
        ("zo\u{eb}@", zoe, "COMPLETE"),
        ("ZO\u{cb}@x", zoe, "COMPLETE"),
        ("zoe\u{308}@", zoe, "COMPLETE"),
        // A part that may continue within a label has another form there, which no search can name.
        ("m\u{fc}ller", idn, "PARTIAL"),
        ("zo\u{eb}", zoe, "PARTIAL"),
        ("xn--mller-kva", idn, "PARTIAL"),
        ("@xn--mller", &KNOWN[1..2], "PARTIAL"),
        ("@m\u{fc}ll", &[KNOWN[0], KNOWN[2]], "PARTIAL"),
        // A near miss is left out, and what is plain is asked for once.
        ("bob", &[], "COMPLETE"),
        ("NN@X", &KNOWN[5..], "COMPLETE"),
    ] {
        providers.take();
        let (emails, source) = found(&world, part).await;
        assert_eq!(emails, expected, "{part}");
        assert_eq!(source["status"], status, "{part}: {source}");
        let is_told = notices(&source).contains("xn--");
        assert_eq!(is_told, status == "PARTIAL", "{part}: {source}");
        if part.is_ascii() && !part.contains("xn--") {
            assert_eq!(providers.take().len(), 1, "{part}");
        }
    }
}

#[tokio::test]
async fn a_refused_form_of_a_part_is_reported() {
    let providers = StandIn::of(|asked: &Asked| match asked.query.get("email") {
        Some(part) if part.contains('\u{308}') => (400, json!({ "errors": [] })),
        _ => (200, serde_json::from_str(&holding(asked)).expect("JSON")),
    })
    .await;
    let world = providers.world(|_| {}).await;
    let (emails, source) = found(&world, "zo\u{eb}@").await;
    assert_eq!(emails, KNOWN[4..5]);
    assert_eq!(source["status"], "PARTIAL", "{source}");
}

#[tokio::test]
async fn a_prefix_finds_the_addresses_that_begin_with_it_in_every_form_and_no_other() {
    let providers = StandIn::of(holding).await;
    let world = providers.world(|_| {}).await;
    let find = FIND.replace("SUBSTRING", "PREFIX");
    let (idn, zoe) = (&KNOWN[..3], &KNOWN[3..5]);
    for (part, expected, status) in [
        ("JO@", idn, "COMPLETE"),
        ("jo@m\u{fc}ller.te", idn, "COMPLETE"),
        ("jo@xn--mller-kva.", idn, "COMPLETE"),
        ("ZO\u{cb}", zoe, "COMPLETE"),
        ("Ann", &KNOWN[5..], "COMPLETE"),
        // A part that may continue within a label has another form there, which no search can name.
        ("jo@m\u{fc}l", &[KNOWN[0], KNOWN[2]], "PARTIAL"),
        // A match elsewhere in an address is left out.
        ("nn@x", &[], "COMPLETE"),
        ("@x.test", &[], "COMPLETE"),
        ("m\u{fc}ller", &[], "COMPLETE"),
    ] {
        let (emails, source) = found_by(&world, &find, part).await;
        assert_eq!(emails, expected, "{part}");
        assert_eq!(source["status"], status, "{part}: {source}");
    }
}
