//! The links in a provider's answers: whatever they look like and wherever they lead, they are not
//! followed, and the scan is the same.

use roster::account::Provider;
use serde_json::json;

use super::page::{assert_whole, least};
use crate::{subject::Subject, world::World};

const USERS: Subject = Subject::IntercomUsers { version: "1.1" };
const CONTACTS: Subject = Subject::IntercomContacts { version: "2.17" };

/// Walks the list as the provider now behaves; no other host is asked, as every call is in the log.
async fn assert_unchanged(world: &World, subject: Subject) {
    for first in [20, 100] {
        assert_whole(world, subject, first, least).await;
    }
}

#[tokio::test]
async fn digital_chalks_links_may_be_of_any_form() {
    for (name, value) in [
        ("links", "relative"),
        ("links", "other_prefix"),
        ("links", "drop_filters"),
        ("links", "foreign_host"),
        ("back", "previous"),
        ("back", "none"),
        ("end", "null"),
        ("limit", "reject"),
    ] {
        let world = World::with(130, |_| {}).await;
        world.behave(Provider::DigitalChalk, name, value).await;
        assert_unchanged(&world, Subject::DigitalChalk).await;
    }
}

#[tokio::test]
async fn digital_chalks_search_keeps_its_filter_when_the_links_drop_it() {
    let world = World::with(200, |_| {}).await;
    world
        .behave(Provider::DigitalChalk, "links", "drop_filters")
        .await;
    let find = "{ usersByEmail(email: \"hundred@pages.test\", providers: [DIGITAL_CHALK]) { nodes { email } } }";

    let data = world.data(find).await;

    let expected = json!([{ "email": roster_sandbox::known::POSITION_101 }]);
    assert_eq!(data["usersByEmail"]["nodes"], expected);
    let calls = world.calls(Provider::DigitalChalk).await;
    let queries: Vec<_> = calls.iter().map(|call| call.query.as_str()).collect();
    let expected = [
        "email=hundred%40pages.test&offset=0&limit=100",
        "email=hundred%40pages.test&offset=99&limit=100",
    ];
    assert_eq!(queries, expected);
}

#[tokio::test]
async fn intercoms_links_may_be_absent_or_lead_home() {
    for (name, value) in [
        ("next", "absent"),
        ("next", "same_host"),
        ("per_page", "reject"),
    ] {
        let world = USERS.world(130).await;
        world.behave(Provider::Intercom, name, value).await;
        assert_unchanged(&world, USERS).await;
    }
}

#[tokio::test]
async fn the_end_of_intercoms_contacts_may_be_a_null() {
    for (name, value) in [("next", "null"), ("per_page", "reject")] {
        let world = CONTACTS.world(170).await;
        world.behave(Provider::Intercom, name, value).await;
        assert_unchanged(&world, CONTACTS).await;
    }
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed_and_changes_nothing() {
    let others = [
        Subject::Ada,
        Subject::DigitalChalk,
        Subject::Usertour,
        Subject::UsertourV2,
    ];
    for subject in others.into_iter().chain([USERS, CONTACTS]) {
        let world = subject.world(170).await;
        let fault = json!({ "kind": "foreign_link" });
        world.fault(subject.provider(), fault).await;
        assert_unchanged(&world, subject).await;
    }
}
