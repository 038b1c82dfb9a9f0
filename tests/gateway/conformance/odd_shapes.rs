//! Where a vendor's documents leave its answers' shape open, every shape gives the same answer.

use roster::user::Provider;
use serde_json::{Value, json};

use super::records::FIELDS;
use crate::world::{World, word};

fn shapes(provider: Provider) -> &'static [(&'static str, &'static str)] {
    match provider {
        Provider::Ada => &[
            ("unset", "omit"),
            ("unset", "empty_object"),
            ("dates", "naive_micro"),
            ("dates", "z"),
            ("cursor", "exclusive"),
            ("end", "absent"),
            ("next", "foreign_host"),
        ],
        Provider::DigitalChalk => &[
            ("empty", "null"),
            ("end", "null"),
            ("back", "previous"),
            ("links", "other_prefix"),
            ("not_found", "html"),
            ("empty", "empty_string"),
        ],
        Provider::Intercom => &[
            ("owner_id", "int"),
            ("avatar", "string"),
            ("next", "absent"),
            ("next", "same_host"),
        ],
        Provider::Usertour => &[("cursor", "slow")],
    }
}

pub(super) async fn an_answer_in_another_documented_shape_is_the_same_answer(provider: Provider) {
    let world = World::with(40, |_| {}).await;
    let read = format!(
        "query ($of: Provider!) {{ users(provider: $of, first: 40) {{
            nodes {{ {FIELDS} }} pageInfo {{ hasNextPage }} totalCount }}
            user(provider: $of, by: {{ vendorId: \"nobody\" }}) {{ id }} }}"
    );
    let of = json!({ "of": word(provider) });
    let expected = world.data_with(&read, of.clone()).await;

    for (name, value) in shapes(provider) {
        world.behave(provider, name, value).await;
        let mut answer = world.data_with(&read, of.clone()).await;
        if (*name, *value) == ("empty", "empty_string") {
            forget_empty_tags(&mut answer);
        }
        let users = |data: &Value| data["users"]["nodes"].as_array().cloned().expect("users");
        for (user, expected) in users(&answer).iter().zip(users(&expected)) {
            assert_eq!(*user, expected, "{name}={value}");
        }
        assert!(answer == expected, "{name}={value}");
    }
}

/// In this shape the vendor does say that there are no tags, which its own fields tell.
fn forget_empty_tags(answer: &mut Value) {
    let users = answer["users"]["nodes"].as_array_mut();
    for user in users.into_iter().flatten() {
        if user["details"]["tags"] == json!([]) {
            user["details"]["tags"] = Value::Null;
        }
    }
}
