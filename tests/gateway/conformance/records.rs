//! One record, field by field: what the provider holds is what the graph shows, and what it has no value
//! for is null.

use roster::config::Settings;
use roster_sandbox::known;
use serde_json::{Value, json};

use super::people_held::USERS;
use crate::{
    subject::{Subject, subjects},
    world::World,
};

/// Everything of a user but `raw` and what names it.
pub(super) const FIELDS: &str = "
    email emails phone name firstName lastName username avatarUrl locale timezone kind tags
    companies { remoteId externalId name } createdAt updatedAt signedUpAt lastSeenAt profileUrl attributes
";

/// [`FIELDS`], and those of every provider's own record.
pub(super) fn fields() -> String {
    let mut details: Vec<_> = subjects()
        .into_iter()
        .map(|of| of.expected().details)
        .collect();
    details.dedup();
    format!("{FIELDS} details {{ __typename {} }}", details.join(" "))
}

/// The one user of an address, whose other fields are asked for by name.
async fn user(world: &World, subject: Subject, email: &str, fields: &str) -> Value {
    let find = format!(
        "query ($of: Provider!, $email: String!) {{
            usersByEmail(email: $email, providers: [$of]) {{ nodes {{ {fields} }} }} }}"
    );
    let variables = json!({ "of": subject.word(), "email": email });
    let mut data = world.data_with(&find, variables).await;
    let nodes = data["usersByEmail"]["nodes"].take();
    assert_eq!(nodes.as_array().map(Vec::len), Some(1), "{email}");
    nodes[0].clone()
}

pub(super) async fn raw_is_the_record_that_the_provider_sends(subject: Subject) {
    let world = subject.world(60).await;
    let list =
        "query ($of: Provider!) { users(provider: $of, first: 60) { nodes { remoteId raw } } }";

    let data = world.data_with(list, json!({ "of": subject.word() })).await;

    let users = data["users"]["nodes"].as_array().expect("users");
    assert_eq!(users.len(), world.listed(subject.provider()).await.len());
    let plain = |user: &&Value| {
        let id = user["remoteId"].as_str().unwrap_or_default();
        id.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    for user in users.iter().filter(plain) {
        let id = user["remoteId"].as_str().expect("an id");
        let path = format!("{}/{id}", (subject.expected().users_path)());
        assert_eq!(
            user["raw"],
            world.at_provider(subject.provider(), &path).await,
            "{id}"
        );
    }
}

pub(super) async fn attributes_keep_numbers_beyond_doubles(subject: Subject) {
    let world = subject.world(USERS).await;

    let user = user(&world, subject, known::BIG_NUMBER, "attributes raw").await;

    (subject.expected().assert_big_numbers)(&user);
}

pub(super) async fn an_empty_record_has_nulls_and_no_empty_texts(subject: Subject) {
    // Intercom's tags are a call for each contact.
    let every_call = |settings: &mut Settings| settings.limits.calls = 1_000;
    let world = subject.world_with(USERS, every_call).await;
    let list = format!(
        "query ($of: Provider!) {{ users(provider: $of, first: 300) {{ nodes {{ remoteId externalId {} }} }} }}",
        fields()
    );
    let data = world
        .data_with(&list, json!({ "of": subject.word() }))
        .await;
    let users = data["users"]["nodes"].as_array().expect("users");
    for user in users {
        assert_eq!(empty_texts("user", user), Vec::<String>::new());
    }

    // Without external ids, the one record that has neither address nor name.
    let is_empty = |user: &&Value| match subject.expected().has_external_ids {
        false => user["email"].is_null() && user["name"].is_null(),
        true => user["externalId"] == known::EMPTY_EXTERNAL_ID,
    };
    let empty: Vec<_> = users.iter().filter(is_empty).collect();
    assert_eq!(empty.len(), 1);
    assert_eq!(empty[0]["emails"], json!([]));
    for field in [
        "email",
        "phone",
        "profileUrl",
        "name",
        "firstName",
        "lastName",
        "username",
        "avatarUrl",
        "locale",
        "timezone",
    ] {
        assert_eq!(empty[0][field], Value::Null, "{field}");
    }
    assert_eq!(empty[0]["kind"], "USER");
    let none_or_no_such_thing = |can: bool| if can { json!([]) } else { Value::Null };
    let has_tags = subject.expected().has_tags;
    let has_companies = subject.expected().has_companies;
    assert_eq!(empty[0]["tags"], none_or_no_such_thing(has_tags));
    assert_eq!(empty[0]["companies"], none_or_no_such_thing(has_companies));
}

fn empty_texts(path: &str, value: &Value) -> Vec<String> {
    let below = |at: &str, value: &Value| empty_texts(&format!("{path}.{at}"), value);
    match value {
        Value::String(text) if text.is_empty() => vec![path.to_owned()],
        Value::Array(items) => items.iter().flat_map(|item| below("[]", item)).collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| below(name, value))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

pub(super) async fn a_known_record_is_complete_in_every_field(subject: Subject) {
    let world = subject.world(USERS).await;

    let user = user(&world, subject, known::EVERYWHERE, &fields()).await;

    assert_eq!(user, (subject.expected().record)());
}
