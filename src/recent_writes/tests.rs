use std::sync::Arc;

use serde_json::value::RawValue;

use super::{Duration, MAX_IDS, RecentWrites, Timestamp, User, WriteKey};
use crate::account::{Account, Provider};

#[tokio::test]
async fn each_address_of_a_user_finds_it() {
    let recent = RecentWrites::new(None);
    let user = User {
        other_emails: vec!["two@x.test".to_owned()],
        ..user("a", None, "{}")
    };
    recent.remember(&user).await;

    let addresses = ["one@x.test", "two@x.test"];
    let known = recent.look_up(addresses.map(WriteKey::email)).await;

    for address in addresses {
        assert_eq!(known.with_email(address), ["a"], "{address}");
    }
}

fn user(id: &str, changed: Option<i64>, raw: &str) -> User {
    let raw = RawValue::from_string(raw.to_owned()).expect("JSON");
    let changed = changed.map(|second| Timestamp::from_second(second).expect("a moment"));
    User {
        email: Some("One@x.test".to_owned()),
        updated_at: changed,
        ..User::new(
            Account::default_for(Provider::Intercom),
            id.to_owned(),
            Arc::from(raw),
        )
    }
}

#[tokio::test]
async fn an_address_has_the_users_that_were_written_last() {
    let recent = RecentWrites::new(None);
    for at in 0..MAX_IDS + 3 {
        recent.remember(&user(&at.to_string(), None, "{}")).await;
    }

    let known = recent.look_up([WriteKey::email("one@x.test")]).await;

    let last = (3..MAX_IDS + 3).map(|at| at.to_string());
    assert_eq!(known.with_email("one@x.test"), last.collect::<Vec<_>>());
    assert_eq!(known.with_email("other@x.test"), Vec::<String>::new());
}

#[tokio::test]
async fn a_record_is_outdated_until_it_is_as_it_was_written() {
    let recent = RecentWrites::new(None);
    recent.remember(&user("a", Some(10), "{\"v\":2}")).await;
    recent.remember(&user("b", None, "{\"v\":2}")).await;
    let keys = ["a", "b"].map(WriteKey::id);
    let known = recent.look_up(keys).await;

    for (id, changed, raw, is_outdated) in [
        ("a", Some(9), "{\"v\":2}", true),
        ("a", Some(10), "{\"v\":1}", true),
        ("a", Some(10), "{\"v\":2}", false),
        ("a", Some(11), "{\"v\":1}", false),
        ("a", None, "{\"v\":2}", true),
        ("b", Some(11), "{\"v\":2}", true),
        ("c", Some(1), "{\"v\":1}", false),
    ] {
        let found = user(id, changed, raw);
        assert_eq!(known.is_outdated(&found), is_outdated, "{id} {changed:?}");
    }
}

#[tokio::test]
async fn nothing_is_remembered_where_nothing_lags() {
    let recent = RecentWrites::new(None).with_lag(Duration::ZERO);
    recent.remember(&user("a", None, "{}")).await;

    let known = recent.look_up([WriteKey::email("one@x.test")]).await;

    assert_eq!(known.with_email("one@x.test"), Vec::<String>::new());
}
