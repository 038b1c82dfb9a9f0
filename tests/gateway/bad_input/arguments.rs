//! Arguments that cannot be meant.

use serde_json::{Value, json};

use super::{calls, codes, refused, refused_with};
use crate::world::{World, intercom};

#[tokio::test]
async fn a_number_of_users_out_of_bounds_is_refused() {
    let world = World::with(0, |_| {}).await;
    let users =
        |arguments: &str| format!("{{ users(provider: INTERCOM, {arguments}) {{ totalCount }} }}");
    let by_email = |arguments: &str| {
        format!("{{ usersByEmail(email: \"a@b.test\", {arguments}) {{ totalCount }} }}")
    };
    for (query, words) in [
        (users("first: -1"), "`first` is -1: it cannot be negative"),
        (
            users("first: 501"),
            "`first` is 501: at most 500 users come at a time",
        ),
        (
            users("first: 2147483647"),
            "`first` is 2147483647: at most 500",
        ),
        (users("last: -1"), "`last` is -1: it cannot be negative"),
        (users("last: 501"), "`last` is 501: at most 500"),
        (
            users("first: 1, last: 1"),
            "`first` and `last` exclude each other",
        ),
        (
            by_email("first: -1"),
            "`first` is -1: it cannot be negative",
        ),
        (by_email("first: 501"), "`first` is 501: at most 500"),
    ] {
        let answer = refused(&world, &query, words).await;
        assert_eq!(
            answer["data"].as_object().map(|data| data.len()),
            Some(1),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_first_of_zero_is_valid_and_says_whether_there_are_users() {
    let world = World::with(0, |_| {}).await;

    let data = world
        .data(
            "{ users(provider: ADA, first: 0) { nodes { id } pageInfo { hasNextPage } }
                 usersByEmail(email: \"a@b.test\", first: 0) { nodes { id } } }",
        )
        .await;

    let users = json!({ "nodes": [], "pageInfo": { "hasNextPage": false } });
    assert_eq!(
        data,
        json!({ "users": users, "usersByEmail": { "nodes": [] } })
    );
    assert_eq!(calls(&world).await, 1, "it looks");

    let world = World::with(3, |_| {}).await;
    for provider in ["ADA", "DIGITAL_CHALK", "INTERCOM", "USERTOUR"] {
        let query = format!(
            "{{ users(provider: {provider}, first: 0) {{ nodes {{ id }} pageInfo {{ hasNextPage }} }} }}"
        );
        let users = json!({ "nodes": [], "pageInfo": { "hasNextPage": true } });
        assert_eq!(world.data(&query).await["users"], users, "{provider}");
    }
    assert_eq!(calls(&world).await, 4);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_backwards_says_so() {
    let world = World::with(3, |_| {}).await;
    for provider in ["ADA", "INTERCOM", "USERTOUR"] {
        let list =
            format!("{{ users(provider: {provider}, first: 1) {{ pageInfo {{ endCursor }} }} }}");
        let cursor = world.data(&list).await["users"]["pageInfo"]["endCursor"].take();
        let cursor = cursor.as_str().expect("a cursor");
        for arguments in [
            "last: 2".to_owned(),
            format!("before: \"{cursor}\""),
            format!("first: 1, before: \"{cursor}\""),
        ] {
            let query = format!("{{ users(provider: {provider}, {arguments}) {{ totalCount }} }}");
            refused(&world, &query, "use `first` and `after`").await;
        }
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_wherever_one_is_taken() {
    let world = World::with(0, |_| {}).await;
    let long = format!("{}@x.test", "a".repeat(400));
    for (email, words) in [
        ("", "`email` is empty; expected name@domain"),
        ("  \t ", "`email` is empty"),
        ("ann", "`email` is not an address; expected name@domain"),
        ("@x.test", "is not an address"),
        ("ann@", "is not an address"),
        ("a b@x.test", "white space or control characters"),
        ("a\u{0}b@x.test", "white space or control characters"),
        (&long, "longer than 254 bytes"),
    ] {
        for query in [
            "query($email: String!) { usersByEmail(email: $email) { totalCount } }",
            "query($email: String!) { person(email: $email) { email } }",
            "query($email: String!) { users(provider: INTERCOM, filter: { email: $email }) { totalCount } }",
        ] {
            refused_with(&world, query, json!({ "email": email }), words).await;
        }
    }
}

#[tokio::test]
async fn a_fragment_of_an_address_must_be_worth_searching_for() {
    let world = World::with(0, |_| {}).await;
    let query =
        "query($email: String!) { usersByEmail(email: $email, match: SUBSTRING) { totalCount } }";
    for (email, words) in [
        ("", "shorter than 3 characters"),
        (" ab ", "shorter than 3 characters"),
        ("a bc", "white space"),
    ] {
        refused_with(&world, query, json!({ "email": email }), words).await;
    }
}

#[tokio::test]
async fn an_empty_list_of_providers_is_refused() {
    let world = World::with(0, |_| {}).await;

    refused(
        &world,
        "{ usersByEmail(email: \"a@b.test\", providers: []) { totalCount } }",
        "`providers` is empty: name at least one, or leave it out",
    )
    .await;
}

#[tokio::test]
async fn a_filter_that_the_provider_does_not_have_names_those_it_has() {
    let world = World::with(0, |_| {}).await;
    let users = |provider: &str, filter: &str| {
        format!("{{ users(provider: {provider}, filter: {{ {filter} }}) {{ totalCount }} }}")
    };
    for (query, words) in [
        (users("ADA", "email: \"a@b.test\""), "see `accounts"),
        (users("ADA", "sort: { field: CREATED_AT }"), "see `accounts"),
        (users("DIGITAL_CHALK", "tagId: \"1\""), "see `accounts"),
        (
            users("DIGITAL_CHALK", "createdSince: \"2026-01-01T00:00:00Z\""),
            "see `accounts",
        ),
        (users("USERTOUR", "tagId: \"1\""), "see `accounts"),
        (
            users("USERTOUR", "sort: { field: UPDATED_AT }"),
            "see `accounts",
        ),
        (
            users("INTERCOM", "companyId: \"1\", tagId: \"2\""),
            "drop `companyId`",
        ),
        (
            users("INTERCOM", "companyId: \"1\", sort: { field: CREATED_AT }"),
            "drop `companyId`",
        ),
        (
            users("INTERCOM", "segmentId: \"\""),
            "`filter.segmentId` is empty",
        ),
        (
            users("INTERCOM", "companyId: \"  \""),
            "`filter.companyId` is empty",
        ),
        (users("INTERCOM", "tagId: \"\""), "`filter.tagId` is empty"),
    ] {
        refused(&world, &query, words).await;
    }
}

#[tokio::test]
async fn filters_that_exclude_each_other_in_versions_1_x_of_intercom_are_refused() {
    let world = World::with(0, |settings| intercom(settings, "1.1")).await;
    for (filter, words) in [
        ("tagId: \"1\", segmentId: \"2\"", "at a time"),
        ("tagId: \"1\", sort: { field: CREATED_AT }", "drop `sort`"),
        (
            "email: \"a@b.test\", createdSince: \"2026-01-01T00:00:00Z\"",
            "drop `sort` and `createdSince`",
        ),
        ("kind: LEAD", "see `accounts"),
    ] {
        let query =
            format!("{{ users(provider: INTERCOM, filter: {{ {filter} }}) {{ totalCount }} }}");
        refused(&world, &query, words).await;
    }
}

#[tokio::test]
async fn an_empty_range_and_an_invalid_domain_are_refused() {
    let world = World::with(0, |_| {}).await;
    let moment = "2026-01-01T00:00:00Z";
    for name in ["created", "updated", "lastSeen"] {
        let query = format!(
            "{{ users(provider: INTERCOM, filter: {{ {name}Since: \"{moment}\", {name}Before: \"{moment}\" }}) {{ totalCount }} }}"
        );
        let words = format!("`filter.{name}Since` is not before `filter.{name}Before`");
        refused(&world, &query, &words).await;
    }
    for domain in ["", " ", "a@b.test", "two words"] {
        let query = format!(
            "{{ users(provider: INTERCOM, filter: {{ emailDomain: \"{domain}\" }}) {{ totalCount }} }}"
        );
        refused(&world, &query, "`filter.emailDomain` is not a domain").await;
    }
}

#[tokio::test]
async fn an_invalid_key_is_refused_or_finds_no_user() {
    let world = World::with(3, |_| {}).await;
    let user =
        |provider: &str, by: &str| format!("{{ user(provider: {provider}, by: {by}) {{ id }} }}");
    for by in [
        "{}",
        "{ remoteId: \"1\", externalId: \"2\" }",
        "{ remoteId: null }",
        "{ email: \"a@b.test\" }",
        "\"1\"",
    ] {
        refused(&world, &user("ADA", by), "").await;
    }
    refused(
        &world,
        &user("DIGITAL_CHALK", "{ externalId: \"1\" }"),
        "look users up by `remoteId` or by email",
    )
    .await;
    refused(&world, &user("ADA", "{ remoteId: \"..\" }"), "dots").await;

    world.forget_calls().await;
    for provider in ["ADA", "DIGITAL_CHALK", "INTERCOM", "USERTOUR"] {
        let data = world.data(&user(provider, "{ remoteId: \"\" }")).await;
        assert_eq!(data, json!({ "user": null }));
    }
    assert_eq!(calls(&world).await, 0);
}

#[tokio::test]
async fn a_damaged_global_id_is_refused_and_its_neighbours_live() {
    let world = World::with(3, |_| {}).await;
    let list = world
        .data("{ users(provider: ADA, first: 1) { nodes { id remoteId } } }")
        .await;
    let good = &list["users"]["nodes"][0];
    let bad = [
        "",
        "nonsense",
        "WyJjb21wYW55IiwiYWRhIiwiMSJd", // ["company","ada","1"]
        "WyJ1c2VyIiwibm9ib2R5IiwiMSJd", // ["user","nobody","1"]
        "WyJ1c2VyIiwiYWRhIiwx",         // ["user","ada",1
    ];
    for id in bad {
        let query = "query($id: ID!) { node(id: $id) { id } }";
        refused_with(
            &world,
            query,
            json!({ "id": id }),
            "take one from `Node.id`",
        )
        .await;
    }
    let ids: Vec<Value> = [bad[0].into(), good["id"].clone(), bad[1].into()].into();

    let answer = world
        .answer_with(
            "query($ids: [ID!]!) { nodes(ids: $ids) { id } }",
            json!({ "ids": ids }),
        )
        .await;

    assert_eq!(
        answer["data"]["nodes"],
        json!([null, { "id": good["id"] }, null])
    );
    assert_eq!(codes(&answer), ["BAD_USER_INPUT", "BAD_USER_INPUT"]);
    let mut paths: Vec<_> = [0, 1]
        .map(|n| answer["errors"][n]["path"].to_string())
        .into();
    paths.sort();
    assert_eq!(paths, ["[\"nodes\",0]", "[\"nodes\",2]"]);
}

#[tokio::test]
async fn a_bad_representation_fails_itself_alone() {
    let world = World::with(3, |_| {}).await;
    let list = world
        .data("{ users(provider: USERTOUR, first: 1) { nodes { id remoteId } } }")
        .await;
    let good = &list["users"]["nodes"][0];
    let representations = json!([
        { "__typename": "User", "id": "nonsense" },
        { "__typename": "User", "id": good["id"] },
        { "__typename": "User" },
        { "__typename": "User", "account": "nobody", "remoteId": "1" },
        { "__typename": "User", "account": "usertour", "remoteId": good["remoteId"] },
        { "__typename": "Person", "email": "no address" },
        { "__typename": "Company", "id": "1" },
        { "id": good["id"] },
        { "__typename": "User", "account": "usertour", "remoteId": "unknown" },
    ]);
    let query = "query($of: [_Any!]!) { _entities(representations: $of) { ... on User { id } } }";

    let answer = world
        .answer_with(query, json!({ "of": representations }))
        .await;

    let user = json!({ "id": good["id"] });
    let entities = json!([null, user, null, null, user, null, null, null, null]);
    assert_eq!(answer["data"]["_entities"], entities, "{answer}");
    assert!(
        codes(&answer).iter().all(|code| *code == "BAD_USER_INPUT"),
        "{answer}"
    );
    assert_eq!(
        answer["errors"].as_array().map(Vec::len),
        Some(6),
        "{answer}"
    );
}
