//! DigitalChalk finds parts of addresses: five addresses of one small domain are one search. A page of the
//! domain is read for each five addresses; of a larger domain each is searched for by itself.

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

/// Five addresses: these, and more of the first one's domain, which nobody has.
fn with_strangers(emails: &[&str]) -> Vec<String> {
    let (_, domain) = emails[0].rsplit_once('@').expect("an address");
    let strangers = (emails.len()..5).map(|at| format!("nobody{at}@{domain}"));
    let emails = emails.iter().map(|&email| email.to_owned());
    emails.chain(strangers).collect()
}

#[tokio::test]
async fn five_addresses_of_a_small_domain_are_one_search_and_only_those_are_answered() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let emails = with_strangers(&[known::PREFIX]);

    let (users, sources, calls) = asked(&world, &emails).await;

    // `a@b.test.example` is in the provider's answer too.
    assert_eq!(users[0], [known::PREFIX]);
    assert!(users[1..].iter().all(Vec::is_empty), "{users:?}");
    let shared = json!({ "status": "COMPLETE", "calls": 1 });
    assert_eq!(sources, vec![shared; 5]);
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn four_addresses_of_a_domain_are_searched_for_one_by_one() {
    let world = World::with(known::ENOUGH, |_| {}).await;

    let (_, sources, calls) = asked(&world, &with_strangers(&[known::PREFIX])[..4]).await;

    let alone = json!({ "status": "COMPLETE", "calls": 1 });
    assert_eq!((sources, calls), (vec![alone; 4], 4));
}

#[tokio::test]
async fn addresses_of_several_domains_are_one_search_for_each_domain() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let mut emails = with_strangers(&[known::EVERYWHERE, known::JOANN]);
    emails.extend(with_strangers(&[known::PREFIX]));
    emails.push(known::SHARED.to_owned());

    let (users, _, calls) = asked(&world, &emails).await;

    let count: Vec<_> = users.iter().map(Vec::len).collect();
    assert_eq!(count, [1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 2]);
    assert_eq!(calls, 3);
}

#[tokio::test]
async fn a_large_domain_is_tried_for_each_five_addresses_and_then_each_is_searched_for() {
    let world = World::with(3000, |_| {}).await;
    let emails = domain(&world, 201, 3000).await;

    for (many, tried) in [(2, 0), (4, 0), (5, 1), (9, 1), (10, 2)] {
        let (users, sources, calls) = asked(&world, &emails[..many]).await;

        assert_eq!(calls, tried + many, "{many}");
        for (email, users) in emails.iter().zip(users) {
            assert_eq!(users, std::slice::from_ref(email));
        }
        let each = json!({ "status": "COMPLETE", "calls": tried + 1 });
        assert_eq!(sources, vec![each; many]);
    }
}

#[tokio::test]
async fn a_domain_of_two_pages_is_read_for_ten_addresses() {
    let world = World::with(1200, |_| {}).await;
    let emails = domain(&world, 101, 200).await;

    let (users, sources, calls) = asked(&world, &emails[..10]).await;

    assert_eq!(calls, 2);
    for (email, users) in emails.iter().zip(users) {
        assert_eq!(users, std::slice::from_ref(email));
    }
    let shared = json!({ "status": "COMPLETE", "calls": 2 });
    assert_eq!(sources, vec![shared; 10]);
    assert_eq!(asked(&world, &emails[..9]).await.2, 10);
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
    let mut emails = with_strangers(&[known::EVERYWHERE, known::JOANN]);
    emails.extend(with_strangers(&[known::PREFIX]));
    let fault = json!({ "kind": "status", "status": 403, "count": 1 });
    world.fault(DigitalChalk, fault).await;

    let (_, sources, _) = asked(&world, &emails).await;

    let status = |at: usize| sources[at]["status"].clone();
    let mut failed: Vec<_> = (0..10).map(status).collect();
    failed.dedup();
    assert_eq!(failed.len(), 2, "each five share their search: {sources:?}");
    assert!(status(0) != status(9), "{sources:?}");
}
