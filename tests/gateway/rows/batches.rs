//! Addresses that are searched for together do not suffer from one another.

use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, Said, StandIn},
    world::{World, account},
};
use roster::account::Provider::Intercom;

/// How many leads share one address.
const LEADS: usize = 4_000;

fn contact(id: usize, email: &str) -> Value {
    json!({ "type": "contact", "id": format!("c{id}"), "role": "lead", "email": email })
}

/// The addresses that a search names.
fn wanted(asked: &Asked) -> Vec<String> {
    let values = asked.body["query"]["value"].as_array();
    let values = values.into_iter().flatten().filter_map(Value::as_str);
    values.map(str::to_owned).collect()
}

/// Search of contacts in which `many@x.test` is shared, and `nobody…` is nobody's.
fn search(asked: &Asked) -> Said {
    let wanted = wanted(asked);
    let mut rows: Vec<Value> = Vec::new();
    if wanted.iter().any(|email| email == "many@x.test") {
        rows.extend((0..LEADS).map(|id| contact(id, "many@x.test")));
    }
    let others = wanted
        .iter()
        .enumerate()
        .filter(|(_, email)| email.starts_with('p'));
    rows.extend(others.map(|(at, email)| contact(LEADS + at, email)));
    let token = asked.body["pagination"]["starting_after"].as_str();
    let from: usize = token.and_then(|token| token.parse().ok()).unwrap_or(0);
    let size = asked.body["pagination"]["per_page"].as_u64().unwrap_or(50) as usize;
    let (total, end) = (rows.len(), (from + size).min(rows.len()));
    let next = (end < total).then(|| json!({ "starting_after": end.to_string() }));
    let pages = json!({ "type": "pages", "next": next });
    json!({ "type": "list", "data": rows[from..end], "total_count": total, "pages": pages }).into()
}

/// The results for some addresses: how many users, and the status.
async fn found(world: &World, emails: &[&str]) -> Vec<(usize, String)> {
    let fields = emails.iter().enumerate().map(|(at, email)| {
        format!(
            "a{at}: usersByEmail(email: \"{email}\", providers: [INTERCOM], first: 50) {{
                nodes {{ id }} sources {{ status }} }}"
        )
    });
    let query = format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "));
    let data = world.data(&query).await;
    let users = (0..emails.len()).map(|at| &data[format!("a{at}")]);
    let users = users.map(|users| {
        let status = users["sources"][0]["status"].as_str().unwrap_or_default();
        (
            users["nodes"].as_array().map_or(0, Vec::len),
            status.to_owned(),
        )
    });
    users.collect()
}

#[tokio::test]
async fn one_address_that_thousands_share_spoils_no_other() {
    let providers = StandIn::of(search).await;
    let world = providers.world(|_| {}).await;
    let emails = [
        "p1@x.test",
        "many@x.test",
        "nobody1@x.test",
        "p2@x.test",
        "nobody2@x.test",
    ];

    let answers = found(&world, &emails).await;

    let complete = |users| (users, "COMPLETE".to_owned());
    assert_eq!(answers[1].1, "PARTIAL");
    assert_eq!(answers[1].0, 50);
    assert_eq!(
        [&answers[0], &answers[2], &answers[3], &answers[4]],
        [&complete(1), &complete(0), &complete(1), &complete(0)]
    );
    // Ten pages for all, ten for the address alone, one for the others.
    assert_eq!(providers.take().len(), 21);
}

#[tokio::test]
async fn it_does_not_matter_which_of_several_searches_fails() {
    // Each is asked for in two spellings, so that a few of them are several searches.
    let emails = [
        "P1@x.test",
        "P2@x.test",
        "P3@x.test",
        "P4@x.test",
        "Nobody@x.test",
    ];
    for failing in emails.map(str::to_lowercase) {
        let of = failing.clone();
        let providers = StandIn::of(move |asked: &Asked| match wanted(asked) {
            wanted if wanted.contains(&of) => {
                (500, json!({ "type": "error.list", "errors": [] })).into()
            }
            _ => search(asked),
        })
        .await;
        let two = |settings: &mut roster::config::Settings| {
            let options = &mut account(settings, Intercom).options;
            options.insert("search_batch".to_owned(), 2.into());
        };
        let world = providers.world(two).await;

        let answers = found(&world, &emails).await;

        let at = emails
            .iter()
            .position(|email| email.to_lowercase() == failing)
            .expect("one");
        assert_eq!(answers[at], (0, "FAILED".to_owned()), "{failing}");
        for (other, answer) in answers.iter().enumerate().filter(|(other, _)| *other != at) {
            let users = usize::from(emails[other].starts_with('P'));
            assert_eq!(*answer, (users, "COMPLETE".to_owned()), "{failing} {other}");
        }
    }
}

#[tokio::test]
async fn an_address_that_the_provider_refuses_is_refused_alone() {
    let providers = StandIn::of(|asked: &Asked| match wanted(asked) {
        wanted if wanted.iter().any(|email| email == "bad@x.test") => {
            let error = json!({ "code": "parameter_invalid", "message": "bad" });
            (400, json!({ "type": "error.list", "errors": [error] })).into()
        }
        _ => search(asked),
    })
    .await;
    let world = providers.world(|_| {}).await;

    let answers = found(
        &world,
        &["p1@x.test", "nobody@x.test", "bad@x.test", "p2@x.test"],
    )
    .await;

    let statuses: Vec<_> = answers.iter().map(|(_, status)| status.as_str()).collect();
    assert_eq!(statuses, ["COMPLETE", "COMPLETE", "FAILED", "COMPLETE"]);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_costs_its_own_address() {
    // As many as halve well: their order in a search is not known.
    let emails = ["p1@x.test", "p2@x.test", "p3@x.test", "nobody@x.test"];
    for (bad, calls) in [(Some("p2@x.test"), 5), (None, 3)] {
        let providers = StandIn::of(move |asked: &Asked| {
            let wanted = wanted(asked);
            let mut rows: Vec<_> = wanted
                .iter()
                .enumerate()
                .filter(|(_, email)| email.starts_with('p') && Some(email.as_str()) != bad)
                .map(|(at, email)| contact(at, email))
                .collect();
            if bad.is_none_or(|bad| wanted.iter().any(|email| email == bad)) {
                rows.push(Value::Null);
            }
            json!({ "type": "list", "data": rows, "total_count": rows.len(), "pages": {} })
        })
        .await;
        let world = providers.world(|_| {}).await;

        let answers = found(&world, &emails).await;

        for (email, (users, status)) in emails.iter().zip(&answers) {
            let is_odd = bad.is_none_or(|bad| bad == *email);
            let there = usize::from(email.starts_with('p') && Some(*email) != bad);
            let expected = if is_odd { "PARTIAL" } else { "COMPLETE" };
            assert_eq!((*users, status.as_str()), (there, expected), "{email}");
        }
        assert_eq!(providers.take().len(), calls);
    }
}
