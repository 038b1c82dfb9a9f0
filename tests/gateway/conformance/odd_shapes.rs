//! Where a provider's documents leave its answers' shape open, every shape gives the same answer.

use serde_json::{Value, json};

use super::records::fields;
use crate::subject::Subject;

pub(super) async fn an_answer_in_another_documented_shape_is_the_same_answer(subject: Subject) {
    let world = subject.world(40).await;
    let fields = fields();
    let read = format!(
        "query ($of: Provider!) {{ users(provider: $of, first: 40) {{
            nodes {{ {fields} }} pageInfo {{ hasNextPage }} totalCount }}
            user(provider: $of, by: {{ remoteId: \"nobody\" }}) {{ id }} }}"
    );
    let of = json!({ "of": subject.word() });
    let expected = world.data_with(&read, of.clone()).await;

    for (name, value) in subject.expected().shapes {
        world.behave(subject.provider(), name, value).await;
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

/// Shapes in which a value is missing that is there otherwise.
pub(super) async fn a_field_that_a_shape_omits_is_null_and_the_others_are_equal(subject: Subject) {
    let world = subject.world(40).await;
    let fields = fields();
    let read = format!(
        "query ($of: Provider!) {{ users(provider: $of, first: 40) {{ nodes {{ {fields} }} }} }}"
    );
    let of = json!({ "of": subject.word() });
    let mut whole = world.data_with(&read, of.clone()).await;

    for (name, value, emptied) in [
        ("avatar", "null", &["/avatarUrl", "/details/avatarUrl"][..]),
        (
            "location",
            "empty_object",
            &["/timezone", "/details/location", "/details/locationData"],
        ),
    ] {
        world.behave(subject.provider(), name, value).await;
        let mut was_there = false;
        for user in whole["users"]["nodes"].as_array_mut().expect("users") {
            for path in emptied {
                let field = user.pointer_mut(path).map(Value::take);
                was_there |= field.is_some_and(|field| !field.is_null());
            }
        }
        assert!(was_there, "{name}");
        let answer = world.data_with(&read, of.clone()).await;
        assert!(answer == whole, "{name}={value}");
    }
}

/// In this shape the provider does say that there are no tags, which its own fields tell.
fn forget_empty_tags(answer: &mut Value) {
    let users = answer["users"]["nodes"].as_array_mut();
    for user in users.into_iter().flatten() {
        if user["details"]["labels"] == json!([]) {
            user["details"]["labels"] = Value::Null;
        }
    }
}
