//! `usersByEmail` over the hard cases: who has the address at each provider, under which spelling, and
//! how far each provider's answer can be trusted.

use roster_sandbox::known;
use serde_json::{Value, json};

use crate::world::{World, notices};

const FIND: &str = "query ($email: String!) { usersByEmail(email: $email) {
    nodes { provider email kind } totalCount pageInfo { hasNextPage hasPreviousPage }
    sources { provider status notices { code message } fromMirror error { code } calls } } }";

/// Calls of Ada, DigitalChalk, Intercom and Usertour for one address that is given in lower case: the
/// scan of 200 users, and one question to each of the others.
const USUAL: [usize; 4] = [2, 1, 1, 1];

/// Asserts who is found, in order, as `provider email`, and the calls that it took.
async fn assert_found(world: &World, email: &str, expected: &[&str], calls: [usize; 4]) -> Value {
    world.forget_calls().await;
    let mut data = world.data_with(FIND, json!({ "email": email })).await;
    let connection = data["usersByEmail"].take();

    let nodes = connection["nodes"].as_array().expect("users");
    let found: Vec<_> = nodes
        .iter()
        .map(|user| {
            let text = |field: &str| user[field].as_str().unwrap_or("-").to_owned();
            format!("{} {}", text("provider"), text("email"))
        })
        .collect();
    assert_eq!(found, expected, "{email}");
    assert_eq!(connection["totalCount"], expected.len());
    let info = json!({ "hasNextPage": false, "hasPreviousPage": false });
    assert_eq!(connection["pageInfo"], info);
    assert_eq!(world.tally().await, calls, "{email}");

    let sources = connection["sources"].as_array().expect("sources");
    let said = sources.iter().map(|source| {
        assert_eq!(
            (&source["fromMirror"], &source["error"]),
            (&json!(false), &Value::Null)
        );
        (
            source["provider"].clone(),
            source["status"].clone(),
            source["calls"].clone(),
        )
    });
    let expected = [
        ("ADA", "COMPLETE"),
        ("DIGITAL_CHALK", "COMPLETE"),
        ("INTERCOM", "COMPLETE"),
        // It tells letter case apart, so there may be more.
        ("USERTOUR", "PARTIAL"),
    ];
    let expected = expected.iter().zip(calls);
    let expected =
        expected.map(|((provider, status), calls)| (json!(provider), json!(status), json!(calls)));
    assert_eq!(
        said.collect::<Vec<_>>(),
        expected.collect::<Vec<_>>(),
        "{email}"
    );
    connection
}

/// The rows of an address that every provider spells alike.
fn everywhere(email: &str) -> Vec<String> {
    ["ADA", "DIGITAL_CHALK", "INTERCOM", "USERTOUR"]
        .map(|provider| format!("{provider} {email}"))
        .to_vec()
}

async fn assert_everywhere(world: &World, email: &str) {
    let rows = everywhere(email);
    let rows: Vec<_> = rows.iter().map(String::as_str).collect();
    assert_found(world, email, &rows, USUAL).await;
}

#[tokio::test]
async fn an_address_finds_its_own_records_and_none_that_look_like_it() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    for email in [
        known::EVERYWHERE,
        known::JOANN,
        known::PLUS,
        known::SHARED_DECOY,
        known::PREFIX,
        known::PREFIX_LONGER,
        known::UNDERSCORE,
        known::UNDERSCORE_DECOY,
        known::PERCENT,
        known::PERCENT_DECOY,
        known::APOSTROPHE,
        known::UNICODE_NAME,
        known::NO_NAME,
    ] {
        assert_everywhere(&world, email).await;
    }
    // Providers that compare texts get a call for each form of the domain.
    let rows = everywhere(known::IDN);
    let rows: Vec<_> = rows.iter().map(String::as_str).collect();
    assert_found(&world, known::IDN, &rows, [2, 3, 1, 3]).await;
}

#[tokio::test]
async fn an_address_at_one_provider_is_found_there_alone() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    for (email, row) in [
        (known::AT_ADA, "ADA only.ada@x.test"),
        (
            known::AT_DIGITAL_CHALK,
            "DIGITAL_CHALK only.digitalchalk@x.test",
        ),
        (known::AT_INTERCOM, "INTERCOM only.intercom@x.test"),
        (known::AT_USERTOUR, "USERTOUR only.usertour@x.test"),
    ] {
        assert_found(&world, email, &[row], USUAL).await;
    }
    assert_found(&world, known::NOBODY, &[], USUAL).await;
}

#[tokio::test]
async fn an_exact_hit_is_found_however_deep_it_lies_in_the_providers_results() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let row = "DIGITAL_CHALK seventeen@pages.test";
    assert_found(&world, known::POSITION_17, &[row], USUAL).await;
    let row = "DIGITAL_CHALK hundred@pages.test";
    assert_found(&world, known::POSITION_101, &[row], [2, 2, 1, 1]).await;
}

#[tokio::test]
async fn letter_case_and_space_around_do_not_matter() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let rows = everywhere("ann@x.test");
    let rows: Vec<_> = rows.iter().map(String::as_str).collect();
    assert_found(&world, "  ann@x.test ", &rows, USUAL).await;
    assert_found(&world, "Ann@X.Test", &rows, [2, 1, 1, 2]).await;

    let rows = [
        "ADA upper@x.test",
        "DIGITAL_CHALK upper@x.test",
        "INTERCOM UPPER@X.TEST",
        "USERTOUR upper@x.test",
    ];
    assert_found(&world, "upper@x.test", &rows, USUAL).await;
    assert_found(&world, "UPPER@X.TEST", &rows, [2, 1, 1, 2]).await;

    let rows = [
        "ADA jörg@x.test",
        "DIGITAL_CHALK JÖRG@x.test",
        "INTERCOM jörg@x.test",
        "USERTOUR jörg@x.test",
    ];
    assert_found(&world, "jörg@x.test", &rows, [2, 2, 1, 2]).await;
    assert_found(&world, "JÖRG@x.test", &rows, [2, 3, 1, 4]).await;
}

#[tokio::test]
async fn usertour_finds_the_requested_spelling_and_reports_that_it_may_miss_others() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let others = [
        "ADA mixed.case@usertour.test",
        "DIGITAL_CHALK mixed.case@usertour.test",
        "INTERCOM mixed.case@usertour.test",
    ];
    let connection = assert_found(&world, known::MIXED_CASE, &others, USUAL).await;
    let notice = "Usertour compares letter case: records that spell the address in other letter case may be missing";
    assert_eq!(
        connection["sources"][3]["notices"],
        json!([{ "code": "SEARCH_INCOMPLETE", "message": notice }])
    );

    let spelt = "USERTOUR Mixed.Case@Usertour.test";
    let all = [&others[..], &[spelt]].concat();
    assert_found(&world, known::MIXED_CASE_AT_USERTOUR, &all, [2, 1, 1, 2]).await;
}

#[tokio::test]
async fn an_address_that_several_records_share_finds_all_of_them() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let both = |first, second| [format!("ADA {first}"), format!("ADA {second}")];
    assert_eq!(
        both(known::SHARED, known::SHARED_UPPER)[0],
        "ADA help@trainco.test"
    );
    let rows = [
        "ADA help@trainco.test",
        "ADA HELP@trainco.test",
        "DIGITAL_CHALK help@trainco.test",
        "DIGITAL_CHALK HELP@trainco.test",
        "INTERCOM help@trainco.test",
        "INTERCOM HELP@trainco.test",
        "USERTOUR HELP@trainco.test",
        "USERTOUR help@trainco.test",
    ];
    assert_found(&world, known::SHARED_UPPER, &rows, [2, 1, 1, 2]).await;
    let lower = [&rows[..6], &rows[7..]].concat();
    assert_found(&world, known::SHARED, &lower, USUAL).await;
}

#[tokio::test]
async fn leads_are_found_and_marked() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let rows = [
        "INTERCOM lead@x.test",
        "INTERCOM lead@x.test",
        "USERTOUR lead@x.test",
    ];
    let connection = assert_found(&world, known::LEAD, &rows, USUAL).await;
    let nodes = connection["nodes"].as_array().expect("users");
    let mut kinds: Vec<_> = nodes.iter().map(|user| user["kind"].to_string()).collect();
    kinds.sort();
    assert_eq!(kinds, ["\"LEAD\"", "\"USER\"", "\"USER\""]);

    let rows = ["INTERCOM only.lead@x.test"];
    let connection = assert_found(&world, known::LEAD_ALONE, &rows, USUAL).await;
    assert_eq!(connection["nodes"][0]["kind"], "LEAD");
}

#[tokio::test]
async fn only_named_providers_are_called() {
    let world = World::with(60, |_| {}).await;
    let find = "query ($of: [Provider!]) { usersByEmail(email: \"ann@x.test\", providers: $of) {
        nodes { provider } sources { provider } } }";
    for (named, calls) in [
        (json!(["USERTOUR", "ADA"]), [1, 0, 0, 1]),
        (json!(["INTERCOM", "INTERCOM"]), [0, 0, 1, 0]),
        (Value::Null, [1, 1, 1, 1]),
    ] {
        world.forget_calls().await;
        let data = world.data_with(find, json!({ "of": named })).await;

        let order = ["ADA", "DIGITAL_CHALK", "INTERCOM", "USERTOUR"];
        let asked = order.iter().zip(calls).filter(|(_, calls)| *calls > 0);
        let asked: Value = asked
            .map(|(provider, _)| json!({ "provider": provider }))
            .collect();
        let expected = json!({ "usersByEmail": { "nodes": asked, "sources": asked } });
        assert_eq!(data, expected, "{named}");
        assert_eq!(world.tally().await, calls);
    }
}

#[tokio::test]
async fn a_truncated_scan_never_reports_that_the_user_does_not_exist() {
    let world = World::with(known::ENOUGH, |settings| {
        let options = &mut crate::world::account(settings, roster::account::Provider::Ada).options;
        options.insert("scan_pages".to_owned(), 1.into());
    })
    .await;
    let find = "query ($email: String!) { usersByEmail(email: $email, providers: [ADA]) {
        nodes { email } sources { status notices { code message } calls } } }";
    for (email, nodes) in [
        // The last of the first hundred, and the first behind them.
        (known::EDGE_LAST, json!([{ "email": known::EDGE_LAST }])),
        (known::EDGE_FIRST, json!([])),
    ] {
        let data = world.data_with(find, json!({ "email": email })).await;
        let found = &data["usersByEmail"];
        let source = &found["sources"][0];
        assert_eq!(found["nodes"], nodes, "{email}");
        assert_eq!(
            (&source["status"], &source["calls"]),
            (&json!("PARTIAL"), &json!(1))
        );
        let notice = notices(source);
        assert!(notice.contains("not read to its end"), "{notice}");
    }
}
