//! Finding users: by the list, by each kind of key, and not at all.

use roster_sandbox::{Person, known};
use serde_json::{Value, json};

use super::people_held::{USERS, emails, listed};
use crate::subject::Subject;

pub(super) async fn the_list_is_in_the_providers_order(subject: Subject) {
    let world = subject.world(50).await;
    let records = world.listed(subject.provider()).await;
    world.forget_calls().await;
    let list = "query ($of: Provider!) { users(provider: $of, first: 50) {
        nodes { provider remoteId externalId email } totalCount sources { status calls notices { code message } error { code } } } }";

    let data = world.data_with(list, json!({ "of": subject.word() })).await;

    let expected = records.iter().map(|record| {
        json!({
            "provider": subject.word(),
            "remoteId": record["id"],
            "externalId": record["externalId"],
            "email": record["email"],
        })
    });
    assert_eq!(data["users"]["nodes"], Value::from_iter(expected));
    let source = json!({ "status": "COMPLETE", "calls": 1, "notices": [], "error": null });
    assert_eq!(data["users"]["sources"], json!([source]));
    let is_counted = subject.expected().is_counted;
    let total = is_counted.then_some(records.len());
    assert_eq!(data["users"]["totalCount"], json!(total));
    assert_eq!(world.calls(subject.provider()).await.len(), 1);
}

pub(super) async fn leads_are_listed_where_the_provider_lists_them(subject: Subject) {
    let world = subject.world(USERS).await;
    let list =
        "query ($of: Provider!) { users(provider: $of, first: 300) { nodes { email kind } } }";

    let data = world.data_with(list, json!({ "of": subject.word() })).await;

    let kind = |person: &Person| if person.lead { "LEAD" } else { "USER" };
    let people = listed(subject);
    let expected = emails(subject, &people)
        .into_iter()
        .zip(people.iter().map(kind));
    let expected: Value = expected
        .map(|(email, kind)| json!({ "email": email, "kind": kind }))
        .collect();
    assert_eq!(data["users"]["nodes"], expected);
    let leads = people.iter().filter(|person| person.lead).count();
    assert_eq!(leads, subject.expected().leads);
}

pub(super) async fn a_provider_id_is_one_call(subject: Subject) {
    let world = subject.world(20).await;
    let record = &world.listed(subject.provider()).await[7];
    world.forget_calls().await;
    let find = "query ($of: Provider!, $id: ID!) {
        user(provider: $of, by: { remoteId: $id }) { remoteId externalId email } }";

    let variables = json!({ "of": subject.word(), "id": record["id"] });
    let data = world.data_with(find, variables).await;

    let expected = json!({
        "remoteId": record["id"], "externalId": record["externalId"], "email": record["email"],
    });
    assert_eq!(data["user"], expected);
    let calls = world.calls(subject.provider()).await;
    assert_eq!(calls.len(), 1);
    if matches!(subject, Subject::IntercomContacts { .. }) {
        let id = record["id"].as_str().expect("an id");
        assert_eq!(calls[0].request(), format!("GET /contacts/{id}"));
    }
}

pub(super) async fn an_external_id_is_one_call_or_refused_without_one(subject: Subject) {
    let world = subject.world(20).await;
    let record = &world.listed(subject.provider()).await[7];
    world.forget_calls().await;
    let find = "query ($of: Provider!, $id: ID!) {
        user(provider: $of, by: { externalId: $id }) { remoteId externalId } }";
    let id = match &record["externalId"] {
        Value::Null => json!("crm-ann"),
        id => id.clone(),
    };

    let mut answer = world
        .answer_with(find, json!({ "of": subject.word(), "id": id }))
        .await;

    if !subject.expected().has_external_ids {
        let error = answer["errors"][0].take();
        assert_eq!(answer["data"], json!({ "user": null }));
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
        assert_eq!(error["extensions"]["provider"], subject.word());
        let title = subject.expected().title;
        let message =
            format!("{title} keeps no ids of yours: look users up by `remoteId` or by email");
        assert_eq!(error["message"], message);
        assert_eq!(world.called().await, []);
    } else {
        let user = json!({ "remoteId": record["id"], "externalId": id });
        assert_eq!(answer, json!({ "data": { "user": user } }));
        let calls = world.calls(subject.provider()).await;
        assert_eq!(calls.len(), 1);
        if matches!(subject, Subject::IntercomContacts { .. }) {
            let id = id.as_str().expect("an id");
            let request = format!("GET /contacts/find_by_external_id/{id}");
            assert_eq!(calls[0].request(), request);
        }
    }
}

pub(super) async fn an_email_costs_as_few_calls_as_its_search_allows(subject: Subject) {
    let world = subject.world(USERS).await;
    let find = "query ($of: Provider!, $email: String!) {
        usersByEmail(email: $email, providers: [$of]) { nodes { email } sources { calls } } }";
    let cost = &subject.expected().calls;
    for (email, expected) in [
        (known::EVERYWHERE, cost.email),
        ("ANN@x.test", cost.other_case),
        (known::POSITION_101, cost.position_101),
        (known::NOBODY, cost.email),
    ] {
        world.forget_calls().await;
        let variables = json!({ "of": subject.word(), "email": email });
        let data = world.data_with(find, variables).await;

        let is_held = match email {
            known::NOBODY => false,
            known::POSITION_101 => subject.expected().finds_position_101,
            _ => true,
        };
        let nodes = if is_held {
            json!([{ "email": email.to_lowercase() }])
        } else {
            json!([])
        };
        assert_eq!(data["usersByEmail"]["nodes"], nodes, "{email}");
        assert_eq!(
            world.calls(subject.provider()).await.len(),
            expected,
            "{email}"
        );
        assert_eq!(
            data["usersByEmail"]["sources"],
            json!([{ "calls": expected }])
        );
    }
}

pub(super) async fn emails_asked_together_share_what_can_be_shared(subject: Subject) {
    let world = subject.world(USERS).await;
    let find = "query ($of: [Provider!]) {
        a: usersByEmail(email: \"ann@x.test\", providers: $of) { nodes { email } }
        b: usersByEmail(email: \"joann@x.test\", providers: $of) { nodes { email } }
        c: usersByEmail(email: \"ann@x.test\", providers: $of) { nodes { email } }
        d: usersByEmail(email: \"nobody@x.test\", providers: $of) { nodes { email } } }";

    let data = world
        .data_with(find, json!({ "of": [subject.word()] }))
        .await;

    let (ann, joann) = (
        json!([{ "email": "ann@x.test" }]),
        json!([{ "email": "joann@x.test" }]),
    );
    let expected = json!({
        "a": { "nodes": ann }, "b": { "nodes": joann }, "c": { "nodes": ann }, "d": { "nodes": [] },
    });
    assert_eq!(data, expected);
    let calls = subject.expected().calls.three_emails;
    assert_eq!(world.called().await, [(subject.provider(), calls)]);
}

pub(super) async fn an_unknown_user_is_null_and_no_error(subject: Subject) {
    let (world, larger) = (subject.world(30).await, subject.world(45).await);
    let list =
        "query ($of: Provider!) { users(provider: $of, first: 100) { nodes { id remoteId } } }";
    let ids = larger
        .data_with(list, json!({ "of": subject.word() }))
        .await;
    let held = world.listed(subject.provider()).await;
    world.forget_calls().await;
    let ids = ids["users"]["nodes"].as_array().expect("users");
    let absent = ids
        .iter()
        .find(|user| held.iter().all(|record| record["id"] != user["remoteId"]))
        .expect("the larger world holds more");
    let find = "query ($of: Provider!, $id: ID!, $remoteId: ID!, $any: [_Any!]!) {
        user(provider: $of, by: { remoteId: $remoteId }) { id }
        other: user(provider: $of, by: { remoteId: \"no such id\" }) { id }
        node(id: $id) { id } nodes(ids: [$id, $id]) { id } _entities(representations: $any) { __typename } }";
    let variables = json!({
        "of": subject.word(), "id": absent["id"], "remoteId": absent["remoteId"],
        "any": [
            { "__typename": "User", "id": absent["id"] },
            { "__typename": "User", "account": subject.provider().name(), "remoteId": absent["remoteId"] },
        ],
    });

    let data = world.data_with(find, variables).await;

    let expected = json!({
        "user": null, "other": null, "node": null, "nodes": [null, null], "_entities": [null, null],
    });
    assert_eq!(data, expected);
    let calls = subject.expected().calls.two_unknown_ids;
    assert_eq!(world.calls(subject.provider()).await.len(), calls);

    if subject.expected().has_external_ids {
        world.forget_calls().await;
        let find = "query ($of: Provider!) { user(provider: $of, by: { externalId: \"no-such-id\" }) { id } }";
        let data = world.data_with(find, json!({ "of": subject.word() })).await;
        assert_eq!(data, json!({ "user": null }));
        assert_eq!(world.calls(subject.provider()).await.len(), 1);
    }
}

pub(super) async fn an_id_from_the_list_finds_the_same_user_everywhere(subject: Subject) {
    let world = subject.world(40).await;
    let list =
        "query ($of: Provider!) { users(provider: $of, first: 3) { nodes { id remoteId email } } }";
    let mut data = world.data_with(list, json!({ "of": subject.word() })).await;
    let users = data["users"]["nodes"].take();
    let ids = [&users[0]["id"], &users[1]["id"], &users[2]["id"]];
    world.forget_calls().await;
    let find = "query ($id: ID!, $ids: [ID!]!, $any: [_Any!]!) {
        node(id: $id) { ...f } nodes(ids: $ids) { ...f } _entities(representations: $any) { ...f } }
        fragment f on User { id remoteId email }";
    let of = |user: &Value| json!({ "__typename": "User", "account": subject.provider().name(), "remoteId": user["remoteId"] });
    let variables = json!({
        "id": ids[0], "ids": [ids[2], ids[0], ids[1]],
        "any": [of(&users[1]), { "__typename": "User", "id": ids[2] }],
    });

    let data = world.data_with(find, variables).await;

    let expected = json!({
        "node": users[0], "nodes": [users[2], users[0], users[1]], "_entities": [users[1], users[2]],
    });
    assert_eq!(data, expected);
    // One for each user, or one search for all.
    let calls = subject.expected().calls.three_ids;
    assert_eq!(world.calls(subject.provider()).await.len(), calls);
}
