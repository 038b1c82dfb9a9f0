//! Usertour v2.

mod authorization;
mod filters;
mod rate;
mod writes;

use roster_sandbox::known;
use serde_json::{Value, json};

use crate::in_process::{Reply, Sandbox, column};

/// The users of the environment that the token has.
fn users() -> String {
    environment(known::USERTOUR_PROJECT, known::USERTOUR_ENVIRONMENT)
}

fn environment(project: &str, environment: &str) -> String {
    format!("/v2/projects/{project}/environments/{environment}/users")
}

fn usertour(users: usize) -> Sandbox {
    Sandbox::with_users(users).header("authorization", "Bearer utp_sandbox-token")
}

/// `path` is relative to the users.
async fn get(sandbox: &Sandbox, path: &str) -> Reply {
    sandbox.get(&format!("/usertour{}{path}", users())).await
}

fn refusal(reply: &Reply) -> (u16, String) {
    let code = reply.json()["error"]["code"].as_str().map(str::to_owned);
    (reply.status.as_u16(), code.unwrap_or_default())
}

fn ids(page: &Value) -> Vec<String> {
    column(&page["results"], "id")
}

/// All pages from a link on, each as its ids.
async fn walk(sandbox: &Sandbox, first: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(link) = next {
        let page = sandbox.get(&format!("/usertour{link}")).await.json();
        pages.push(ids(&page));
        next = page["next"].as_str().map(str::to_owned);
        assert!(pages.len() < 1000, "the walk ends");
    }
    pages
}

async fn held(sandbox: &Sandbox) -> Vec<String> {
    column(&json!(sandbox.records("usertour").await), "id")
}

#[tokio::test]
async fn a_walk_lists_every_user_once_in_either_order() {
    let sandbox = usertour(450);
    let held = held(&sandbox).await;

    for (query, pages) in [
        ("", 23),
        ("?limit=100", 5),
        ("?limit=90", 5),
        ("?limit=7", 65),
    ] {
        let walked = walk(&sandbox, &format!("{}{query}", users())).await;
        assert_eq!(
            (walked.concat(), walked.len()),
            (held.clone(), pages),
            "{query}"
        );
    }
    let newest_first = format!("{}?orderBy=-createdAt&limit=100", users());
    let reversed: Vec<String> = held.into_iter().rev().collect();
    assert_eq!(walk(&sandbox, &newest_first).await.concat(), reversed);
}

#[tokio::test]
async fn users_of_one_moment_are_neither_lost_nor_repeated() {
    let sandbox = usertour(200);
    let mut held = held(&sandbox).await;
    sandbox.set_switch("usertour", "ties", "shuffled").await;
    held.sort_unstable();

    for query in ["?limit=7", "?limit=20", "?limit=7&orderBy=-createdAt"] {
        let mut found = walk(&sandbox, &format!("{}{query}", users()))
            .await
            .concat();
        found.sort_unstable();
        assert_eq!(found, held, "{query}");
    }
}

#[tokio::test]
async fn previous_leads_to_exactly_the_page_before() {
    let sandbox = usertour(50);
    let forward = walk(&sandbox, &format!("{}?limit=15", users())).await;
    let mut link = format!("{}?limit=15", users());
    for _ in 1..forward.len() {
        let page = sandbox.get(&format!("/usertour{link}")).await.json();
        link = page["next"].as_str().expect("a next page").to_owned();
    }
    let mut backward = Vec::new();
    let mut previous = Some(link);
    while let Some(link) = previous {
        let page = sandbox.get(&format!("/usertour{link}")).await.json();
        backward.insert(0, ids(&page));
        previous = page["previous"].as_str().map(str::to_owned);
    }

    assert_eq!(backward, forward);
}

#[tokio::test]
async fn a_page_that_starts_within_the_first_page_has_the_first_page_before_it() {
    let sandbox = usertour(20);
    let page = get(&sandbox, "?limit=5").await.json();
    let next = page["next"].as_str().expect("a next page");
    let wider = next.replace("limit=5", "limit=7");
    let page = sandbox.get(&format!("/usertour{wider}")).await.json();

    assert_eq!(page["previous"], json!(format!("{}?limit=7", users())));
}

#[tokio::test]
async fn a_cursor_that_is_unknown_or_exhausted_gives_an_empty_page() {
    let sandbox = usertour(5);
    let empty = json!({"results": [], "next": null, "previous": null});
    let page = get(&sandbox, "?limit=1&orderBy=-createdAt").await.json();
    let next = page["next"].as_str().expect("a next page");
    let (_, last) = next.split_once("cursor=").expect("a cursor");
    let last = last.split('&').next().unwrap_or_default();

    assert_eq!(last.len(), 25, "an internal identifier");
    for cursor in [last, "crm-ann", "nope"] {
        let reply = get(&sandbox, &format!("?cursor={cursor}")).await;
        assert_eq!(
            (reply.status.as_u16(), reply.json()),
            (200, empty.clone()),
            "{cursor}"
        );
    }
    let none = get(&sandbox, "?cursor=&limit=1").await.json();
    assert_eq!((ids(&none).len(), &none["previous"]), (1, &Value::Null));
}

#[tokio::test]
async fn a_walk_ends_early_where_the_user_of_its_cursor_is_deleted() {
    let sandbox = usertour(10);
    sandbox
        .set_switch("usertour", "delete_cursor", "once")
        .await;

    let pages = walk(&sandbox, &format!("{}?limit=3", users())).await;

    assert_eq!(pages.concat().len(), 3);
}

#[tokio::test]
async fn links_are_relative_and_keep_the_whole_query() {
    let sandbox = usertour(50);
    let link = async |query: &str| {
        let page = get(&sandbox, query).await.json();
        let next = page["next"].as_str().unwrap_or_default().to_owned();
        let cursor = next
            .split(['?', '&'])
            .find_map(|pair| pair.strip_prefix("cursor="));
        let next = next.replace(cursor.unwrap_or("no cursor"), "C");
        next.strip_prefix(&users()).map(str::to_owned)
    };
    for (query, expected) in [
        ("", "?cursor=C&limit=20"),
        ("?limit=2&x=a%20b", "?limit=2&x=a+b&cursor=C"),
        (
            "?expand=companies&expand=memberships",
            "?expand=companies&expand=memberships&cursor=C&limit=20",
        ),
        ("?limit=3&q=what?&z=1", "?limit=3&q=what%3F&z=1&cursor=C"),
    ] {
        assert_eq!(link(query).await.as_deref(), Some(expected), "{query}");
    }
}

#[tokio::test]
async fn memberships_show_external_ids() {
    let sandbox = usertour(known::ENOUGH);
    let user = get(
        &sandbox,
        "/crm-ann?expand=companies&expand=memberships.company",
    )
    .await;
    let user = user.json();

    assert_eq!(column(&user["companies"], "id"), ["c-1"]);
    let membership = &user["memberships"][0];
    assert_eq!(membership["userId"], "crm-ann");
    assert_eq!(membership["companyId"], "c-1");
    assert_eq!(membership["company"]["id"], "c-1");
    let plain = get(&sandbox, "/crm-ann").await.json();
    assert_eq!(
        (&plain["companies"], &plain["memberships"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn both_versions_show_the_same_users() {
    let sandbox = usertour(known::ENOUGH);
    let v1 = sandbox.header("authorization", "Bearer ak_sandbox-token");

    let old = v1
        .get("/usertour/v1/users?limit=100&expand=companies")
        .await
        .json();
    let new = get(&sandbox, "?limit=100&expand=companies").await.json();

    assert_eq!(new["results"], old["results"]);
}
