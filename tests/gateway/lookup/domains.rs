//! DigitalChalk finds parts of addresses: several addresses of one small domain are one search, and of
//! a large domain no more pages are read than there are addresses.

use std::collections::BTreeMap;

use roster::account::Provider::DigitalChalk;
use roster_sandbox::known;
use serde_json::{Value, json};

use crate::world::World;

/// Asks for addresses in one request, and gives each its users' addresses.
async fn asked(world: &World, emails: &[String]) -> (Vec<Vec<String>>, Vec<Value>, usize) {
    world.forget_calls().await;
    let fields = emails.iter().enumerate().map(|(at, email)| {
        format!(
            "a{at}: usersByEmail(email: \"{email}\", providers: [DIGITAL_CHALK]) {{
                nodes {{ email }} sources {{ status calls }} }}"
        )
    });
    let query = format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "));
    let data = world.data(&query).await;
    let of = |at: usize| &data[format!("a{at}")];
    let users = (0..emails.len()).map(|at| {
        let users = of(at)["nodes"].as_array().into_iter().flatten();
        let spellings = users.filter_map(|user| user["email"].as_str());
        spellings.map(str::to_lowercase).collect()
    });
    let sources = (0..emails.len()).map(|at| of(at)["sources"][0].clone());
    let calls = world.calls(DigitalChalk).await.len();
    (users.collect(), sources.collect(), calls)
}

/// Addresses of a domain that has more than `least` users, at least, and at most `most`.
async fn domain(world: &World, least: usize, most: usize) -> Vec<String> {
    let mut domains: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in world.records(DigitalChalk).await {
        let email = record["email"].as_str().unwrap_or_default().to_lowercase();
        if let Some((_, domain)) = email.rsplit_once('@') {
            domains.entry(domain.to_owned()).or_default().push(email);
        }
    }
    let fits = |emails: &Vec<String>| (least..=most).contains(&emails.len());
    domains.into_values().find(fits).expect("such a domain")
}

#[tokio::test]
async fn addresses_of_a_small_domain_are_one_search_and_only_those_are_answered() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let emails = [known::PREFIX, "c@b.test", "d@b.test"].map(str::to_owned);

    let (users, sources, calls) = asked(&world, &emails).await;

    // `a@b.test.example` is in the provider's answer too.
    assert_eq!(users, [vec![known::PREFIX.to_owned()], vec![], vec![]]);
    let shared = json!({ "status": "COMPLETE", "calls": 1 });
    assert_eq!(sources, [shared.clone(), shared.clone(), shared]);
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn addresses_of_several_domains_are_one_search_for_each_domain() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let emails = [
        known::PREFIX,
        known::EVERYWHERE,
        known::JOANN,
        known::SHARED,
        "c@b.test",
    ];

    let (users, _, calls) = asked(&world, &emails.map(str::to_owned)).await;

    let count: Vec<_> = users.iter().map(Vec::len).collect();
    assert_eq!(count, [1, 1, 1, 2, 0]);
    assert_eq!(calls, 3);
}

#[tokio::test]
async fn a_large_domain_is_tried_once_and_then_each_address_alone() {
    let world = World::with(3000, |_| {}).await;
    let emails = domain(&world, 201, 3000).await;
    let expected = |many: usize| -> Vec<_> {
        emails
            .iter()
            .take(many)
            .map(|one| vec![one.clone()])
            .collect()
    };

    let (users, sources, calls) = asked(&world, &emails[..2]).await;
    assert_eq!(users, expected(2));
    assert_eq!(calls, 3, "a page of the domain, and two searches");
    assert!(
        sources.iter().all(|source| source["calls"] == 2),
        "{sources:?}"
    );

    let (users, _, calls) = asked(&world, &emails[..2]).await;
    assert_eq!((users, calls), (expected(2), 2), "now it is known");

    for many in [3, 4, 5, 9] {
        let (users, _, calls) = asked(&world, &emails[..many]).await;
        assert_eq!(users, expected(many));
        assert!(calls <= 2 * many, "{many}: {calls}");
    }
}

#[tokio::test]
async fn a_domain_of_two_pages_pays_from_three_addresses_on() {
    let world = World::with(1200, |_| {}).await;
    let emails = domain(&world, 101, 200).await;
    asked(&world, &emails[..2]).await;

    let (users, _, calls) = asked(&world, &emails[..20]).await;

    assert_eq!(calls, 2);
    for (email, users) in emails.iter().zip(users) {
        assert_eq!(users, std::slice::from_ref(email));
    }
    assert_eq!(asked(&world, &emails[..3]).await.2, 2);
    assert_eq!(asked(&world, &emails[..2]).await.2, 2);
}

#[tokio::test]
async fn one_address_is_searched_for_as_it_is() {
    let world = World::with(known::ENOUGH, |_| {}).await;

    asked(&world, &[known::EVERYWHERE.to_owned()]).await;

    let calls = world.calls(DigitalChalk).await;
    assert!(
        calls[0].query.starts_with("email=ann%40x.test&"),
        "{}",
        calls[0].query
    );
}

#[tokio::test]
async fn a_search_of_a_domain_that_fails_is_said_of_each_of_its_addresses_and_of_no_other() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let emails = [known::EVERYWHERE, known::JOANN, known::PREFIX].map(str::to_owned);
    let fault = json!({ "kind": "status", "status": 403, "count": 1 });
    world.fault(DigitalChalk, fault).await;

    let (_, sources, _) = asked(&world, &emails).await;

    let mut failed: Vec<_> = sources
        .iter()
        .map(|source| source["status"].clone())
        .collect();
    assert!(failed[0] == failed[1], "they share their search");
    failed.dedup();
    assert_eq!(failed.len(), 2, "{sources:?}");
}
