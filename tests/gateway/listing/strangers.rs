//! A provider answers users that do not match the filter. The gateway removes those whose record shows it,
//! and no others.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, StandIn, row},
    world::World,
};

const LIST: &str = "query ($filter: UserFilter, $first: Int!, $after: String) {
    users(provider: INTERCOM, first: $first, after: $after, filter: $filter) {
        nodes { remoteId } pageInfo { hasNextPage endCursor } totalCount
        sources { status notices { code message } calls } } }";

/// A provider that gives these rows whatever it is asked for, in pages.
async fn deaf(rows: impl Fn(&str) -> Vec<String> + Send + Sync + 'static) -> StandIn {
    StandIn::of(move |asked: &Asked| {
        let rows = rows(&asked.path);
        let asks = &asked.body["pagination"];
        let from = asks["starting_after"].as_str().unwrap_or("0");
        let from: usize = from.parse().expect("a place");
        let size = asks["per_page"].as_u64().unwrap_or(150) as usize;
        let page = rows.iter().skip(from).take(size).cloned();
        let page = page.collect::<Vec<_>>().join(",");
        let next = (from + size < rows.len())
            .then(|| json!({ "starting_after": (from + size).to_string() }));
        format!(
            r#"{{"type":"list","data":[{page}],"pages":{{"type":"pages","next":{}}},"total_count":{}}}"#,
            next.unwrap_or_default(),
            rows.len()
        )
    })
    .await
}

async fn page(world: &World, filter: &Value, first: usize, after: Option<&str>) -> Value {
    let variables = json!({ "filter": filter, "first": first, "after": after });
    world.data_with(LIST, variables).await["users"].take()
}

fn ids(page: &Value) -> Vec<String> {
    let nodes = page["nodes"].as_array().cloned().unwrap_or_default();
    let ids = nodes.iter().filter_map(|user| user["remoteId"].as_str());
    ids.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_user_whose_record_does_not_match_the_filter_is_left_out() {
    let providers = deaf(|path| {
        let old = r#","created_at":1600000000,"updated_at":1600000000,"last_seen_at":1600000000"#;
        let new = r#","created_at":1800000000,"updated_at":1800000000,"last_seen_at":1800000000"#;
        let lead = row(path, "lead", "a@other.test", old).replace("\"user\"", "\"lead\"");
        vec![lead, row(path, "user", "a@shop.test", new)]
    })
    .await;
    let world = providers.world(|_| {}).await;
    let moment = "2023-11-15T00:00:00Z";
    for (filter, expected) in [
        (json!({ "emailDomain": "shop.test" }), "user"),
        (json!({ "emailDomain": "other.test" }), "lead"),
        (json!({ "kind": "USER" }), "user"),
        (json!({ "kind": "LEAD" }), "lead"),
        (json!({ "createdSince": moment }), "user"),
        (json!({ "createdBefore": moment }), "lead"),
        (json!({ "updatedSince": moment }), "user"),
        (json!({ "updatedBefore": moment }), "lead"),
        (json!({ "lastSeenSince": moment }), "user"),
        (json!({ "lastSeenBefore": moment }), "lead"),
        (json!({ "segmentId": "s", "kind": "USER" }), "user"),
    ] {
        let page = page(&world, &filter, 9, None).await;
        assert_eq!(ids(&page), [expected], "{filter}");
        assert_eq!(page["sources"][0]["status"], "COMPLETE", "{filter}");
        // The provider's count is of others too.
        assert_eq!(page["totalCount"], Value::Null, "{filter}");
    }
}

#[tokio::test]
async fn a_value_that_a_record_does_not_carry_is_not_held_against_it() {
    let providers = deaf(|path| vec![row(path, "user", "a@shop.test", "")]).await;
    let world = providers.world(|_| {}).await;
    let filter = json!({ "createdSince": "2023-11-15T00:00:00Z" });

    let page = page(&world, &filter, 9, None).await;

    assert_eq!(ids(&page), ["user"]);
    assert_eq!(page["totalCount"], 1);
}

#[tokio::test]
async fn removed_users_hide_no_user_behind_them() {
    // Two in three are strangers; the last twenty all are.
    let providers = deaf(|path| {
        let rows = (0..200).map(|n| {
            let domain = if n % 3 == 0 && n < 180 {
                "shop"
            } else {
                "other"
            };
            row(path, &format!("u{n}"), &format!("a{n}@{domain}.test"), "")
        });
        rows.collect()
    })
    .await;
    let world = providers.world(|_| {}).await;
    let filter = json!({ "emailDomain": "shop.test" });
    for first in [1, 7, 60, 500] {
        let (mut scanned, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = page(&world, &filter, first, after.as_deref()).await;
            assert_eq!(page["sources"][0]["status"], "COMPLETE", "{first}: {page}");
            scanned.extend(ids(&page));
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            assert_eq!(ids(&page).len(), first, "{page}");
            after = page["pageInfo"]["endCursor"].as_str().map(str::to_owned);
        }
        let expected = (0..180).step_by(3).fold(String::new(), |mut all, n| {
            write!(all, "u{n} ").expect("a text");
            all
        });
        assert_eq!(scanned.join(" "), expected.trim_end(), "{first}");
    }
}

#[tokio::test]
async fn a_filter_that_the_provider_keeps_to_costs_no_call_more() {
    let providers = deaf(|path| {
        let rows = (0..200).map(|n| row(path, &format!("u{n}"), &format!("a{n}@shop.test"), ""));
        rows.collect()
    })
    .await;
    let world = providers.world(|_| {}).await;
    for (first, calls) in [(0, 1), (20, 1), (150, 1), (200, 2)] {
        let page = page(&world, &json!({ "emailDomain": "shop.test" }), first, None).await;
        assert_eq!(ids(&page).len(), first);
        assert_eq!(page["sources"][0]["calls"], calls, "{first}");
        assert_eq!(page["totalCount"], 200, "{first}");
    }
}

#[tokio::test]
async fn a_record_whose_role_cannot_be_read_is_neither_a_user_nor_a_lead() {
    for odd in [r#"["user"]"#, r#"{"role":"user"}"#, "true", "7", "[]"] {
        let providers = deaf(move |path| {
            let strange = row(path, "strange", "a@x.test", "");
            let lead = row(path, "lead", "b@x.test", "").replace("\"user\"", "\"lead\"");
            vec![
                strange.replace("\"user\"", odd),
                row(path, "user", "c@x.test", ""),
                lead,
            ]
        })
        .await;
        let world = providers.world(|_| {}).await;
        for (kind, expected) in [("USER", "user"), ("LEAD", "lead")] {
            let page = page(&world, &json!({ "kind": kind }), 9, None).await;
            assert_eq!(ids(&page), [expected], "{odd}");
            assert_eq!(page["sources"][0]["status"], "PARTIAL", "{odd} {page}");
        }
    }
}
