//! One address that texts spell in several ways: domains in both forms of IDNA, letters composed and
//! decomposed, invisible characters.

use roster::account::Provider;
use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, StandIn, list, row},
    world::{World, intercom, notices},
};

const FIND: &str =
    "query ($email: String!, $of: [Provider!]) { usersByEmail(email: $email, providers: $of) {
    nodes { remoteId email } sources { status notices { code message } } } }";

/// The spellings of one address, of which a provider that compares texts knows one each.
const IDN: [&str; 3] = [
    "jo@m\u{fc}ller.test",
    "jo@xn--mller-kva.test",
    "jo@mu\u{308}ller.test",
];
const LETTERS: [&str; 2] = ["zo\u{eb}@forms.test", "zoe\u{308}@forms.test"];

/// Makes users with these addresses, as they are.
async fn hold(world: &World, emails: &[&str]) {
    for email in emails {
        let url = format!("http://{}/usertour/v1/users", world.sandbox);
        let token = format!("ak_{}", roster_sandbox::TOKEN);
        let body = json!({ "id": format!("id of {email}"), "attributes": { "email": email } });
        let made = world.client.post(url).bearer_auth(token).json(&body);
        assert_eq!(made.send().await.expect("an answer").status(), 201);
        let url = format!("http://{}/digitalchalk/dc/api/v5/users", world.sandbox);
        let body =
            json!({ "email": email, "firstName": "F", "lastName": "L", "password": "secret-1" });
        let made = world
            .client
            .post(url)
            .bearer_auth(roster_sandbox::TOKEN)
            .json(&body);
        assert_eq!(
            made.send().await.expect("an answer").status(),
            201,
            "{email}"
        );
    }
}

async fn found(world: &World, email: &str, of: &str) -> (Vec<String>, Value) {
    let variables = json!({ "email": email, "of": [of] });
    let data = world.data_with(FIND, variables).await;
    let nodes = data["usersByEmail"]["nodes"].as_array().cloned();
    let emails = nodes.unwrap_or_default();
    let emails = emails.iter().filter_map(|user| user["email"].as_str());
    let mut emails: Vec<_> = emails.map(str::to_owned).collect();
    emails.sort();
    (emails, data["usersByEmail"]["sources"][0].clone())
}

#[tokio::test]
async fn every_spelling_of_an_address_finds_every_other() {
    let world = World::with(3, |_| {}).await;
    hold(&world, &IDN).await;
    hold(&world, &LETTERS).await;
    hold(&world, &["jo@muller.test", "zoe@forms.test"]).await;
    for of in ["USERTOUR", "DIGITAL_CHALK"] {
        for spellings in [&IDN[..], &LETTERS] {
            let mut expected: Vec<String> = spellings.iter().map(|&email| email.into()).collect();
            expected.sort();
            for email in spellings {
                let (emails, source) = found(&world, email, of).await;
                assert_eq!(emails, expected, "{email} {of}");
                let status = if of == "USERTOUR" {
                    "PARTIAL"
                } else {
                    "COMPLETE"
                };
                assert_eq!(source["status"], status, "{email} {of}");
            }
        }
    }
}

#[tokio::test]
async fn the_notice_says_which_spellings_may_still_be_missed() {
    let world = World::with(3, |_| {}).await;
    hold(&world, &IDN).await;
    let (emails, source) = found(&world, IDN[1], "USERTOUR").await;
    assert_eq!(emails.len(), 3);
    let notice = notices(&source);
    assert!(notice.contains("other letter case"), "{notice}");
    assert!(
        notice.contains("NFC, NFD") && notice.contains("IDNA"),
        "{notice}"
    );
    let (_, source) = found(&world, "ann@x.test", "USERTOUR").await;
    let notice = notices(&source);
    assert!(!notice.contains("IDNA"), "{notice}");
}

#[tokio::test]
async fn a_list_of_an_address_holds_its_every_spelling() {
    let world = World::with(3, |_| {}).await;
    hold(&world, &IDN).await;
    let list = "query ($email: String!, $of: Provider!) { users(provider: $of, first: 9, filter: { email: $email }) {
        nodes { email } } }";
    for of in ["USERTOUR", "DIGITAL_CHALK"] {
        for email in IDN {
            let data = world
                .data_with(list, json!({ "email": email, "of": of }))
                .await;
            let nodes = data["users"]["nodes"].as_array().map(Vec::len);
            assert_eq!(nodes, Some(3), "{email} {of}");
        }
    }
}

#[tokio::test]
async fn an_invisible_character_in_an_address_is_refused_by_its_code() {
    let world = World::with(3, |_| {}).await;
    world.forget_calls().await;
    for (email, code) in [
        ("ann@x.test\u{200b}", "U+200B"),
        ("\u{feff}ann@x.test", "U+FEFF"),
        ("ann@x\u{2060}.test", "U+2060"),
    ] {
        let answer = world.answer_with(FIND, json!({ "email": email })).await;
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
        let message = format!(
            "`email` holds an invisible character ({code}): type the address anew; expected name@domain"
        );
        assert_eq!(error["message"], message);
    }
    assert_eq!(world.tally().await, [0, 0, 0, 0]);
}

#[tokio::test]
async fn two_spellings_of_one_address_in_a_request_are_one_call() {
    let world = World::with(200, |_| {}).await;
    let query = "{ a: usersByEmail(email: \"ANN@x.test\") { nodes { provider } }
        b: usersByEmail(email: \"ann@x.test\") { nodes { provider } }
        c: usersByEmail(email: \"Ann@x.test\") { nodes { provider } } }";
    world.forget_calls().await;

    let data = world.data(query).await;

    for alias in ["a", "b", "c"] {
        assert_eq!(
            data[alias]["nodes"].as_array().map(Vec::len),
            Some(4),
            "{alias}"
        );
    }
    // Usertour compares letter case: once for each spelling.
    assert_eq!(world.tally().await, [2, 1, 1, 3]);
    world.forget_calls().await;
    let query = "{ a: usersByEmail(email: \"jo@m\u{fc}ller.test\", providers: [USERTOUR]) { nodes { id } }
        b: usersByEmail(email: \"jo@xn--mller-kva.test\", providers: [USERTOUR]) { nodes { id } } }";
    world.data(query).await;
    assert_eq!(world.calls(Provider::Usertour).await.len(), 3);
}

const LIST: &str = "query ($of: Provider!, $filter: UserFilter!) {
    users(provider: $of, first: 9, filter: $filter) {
        nodes { remoteId } totalCount sources { status notices { code message } error { code } } } }";

async fn listed(world: &World, of: &str, filter: Value) -> (Vec<String>, Value) {
    let data = world
        .data_with(LIST, json!({ "of": of, "filter": filter }))
        .await;
    let nodes = data["users"]["nodes"].as_array().cloned();
    let nodes = nodes.unwrap_or_default().into_iter();
    let ids = nodes.filter_map(|user| user["remoteId"].as_str().map(str::to_owned));
    (ids.collect(), data["users"]["sources"][0].clone())
}

#[tokio::test]
async fn a_list_of_an_address_in_several_spellings_keeps_to_its_other_filters() {
    let providers = StandIn::of(|asked: &Asked| {
        let row = |id, created: u32| {
            let created = format!(",\"created_at\":{created}");
            row(&asked.path, id, "jo@m\u{fc}ller.test", &created)
        };
        list(
            &asked.path,
            &[row("before", 1_700_000_000), row("since", 1_700_080_000)],
        )
    })
    .await;
    let world = providers.world(|settings| intercom(settings, "2.11")).await;

    let filter = json!({ "email": "jo@m\u{fc}ller.test", "createdSince": "2023-11-15T00:00:00Z" });
    let (ids, source) = listed(&world, "INTERCOM", filter).await;

    assert_eq!(ids, ["since"]);
    assert_eq!(source["status"], "COMPLETE", "{source}");
}

#[tokio::test]
async fn a_list_of_a_domain_searches_each_of_its_forms() {
    let providers = StandIn::of(|asked: &Asked| {
        let rows = IDN.map(|email| row(&asked.path, email, email, ""));
        list(&asked.path, &rows)
    })
    .await;
    let world = providers.world(|_| {}).await;
    for domain in [
        "m\u{fc}ller.test",
        "MU\u{308}LLER.test",
        "xn--mller-kva.test",
    ] {
        let (ids, _) = listed(&world, "INTERCOM", json!({ "emailDomain": domain })).await;
        assert_eq!(ids, IDN, "{domain}");
        let forms = [
            "m\u{fc}ller.test",
            "mu\u{308}ller.test",
            "xn--mller-kva.test",
        ];
        let asked = &providers.take()[0].body["query"];
        let expected = json!({ "field": "email_domain", "operator": "IN", "value": forms });
        assert_eq!(asked, &expected, "{domain}");
    }
}

/// A provider that compares an address letter by letter.
fn letter_by_letter(known: &'static [&'static str]) -> impl Fn(&Asked) -> String {
    move |asked| {
        let given = asked.query.get("email").map(String::as_str);
        let known = known.iter().filter(|known| Some(**known) == given);
        let rows: Vec<_> = known
            .map(|email| row(&asked.path, email, email, ""))
            .collect();
        match asked.path.as_str() {
            path if path.contains("intercom") => format!(
                r#"{{"type":"user.list","users":[{}],"total_count":{}}}"#,
                rows.join(","),
                rows.len()
            ),
            path => list(path, &rows),
        }
    }
}

#[tokio::test]
async fn intercoms_list_of_an_address_searches_the_letter_cases_of_a_lookup() {
    let providers = StandIn::of(letter_by_letter(&["jo@x.test"])).await;
    for version in ["1.0", "1.1"] {
        let world = providers
            .world(|settings| intercom(settings, version))
            .await;
        for email in ["jo@x.test", "JO@x.test"] {
            let (ids, _) = listed(&world, "INTERCOM", json!({ "email": email })).await;
            assert_eq!(ids, ["jo@x.test"], "{email} {version}");
            let (emails, _) = found(&world, email, "INTERCOM").await;
            assert_eq!(emails, ["jo@x.test"], "{email} {version}");
        }
    }
    // An address in lower case takes one call.
    providers.take();
    let world = providers.world(|settings| intercom(settings, "1.1")).await;
    listed(&world, "INTERCOM", json!({ "email": "jo@x.test" })).await;
    assert_eq!(providers.take().len(), 1);
}

#[tokio::test]
async fn a_domain_whose_plain_form_is_ascii_is_searched_in_that_form_too() {
    let providers = StandIn::of(letter_by_letter(&["jo@x.test", "jo@y\u{3002}test"])).await;
    let world = providers.world(|settings| intercom(settings, "1.1")).await;
    for of in ["DIGITAL_CHALK", "INTERCOM", "USERTOUR"] {
        for email in ["jo@x.test", "jo@x\u{3002}test", "jo@\u{ff58}.test"] {
            let (emails, _) = found(&world, email, of).await;
            assert_eq!(emails, ["jo@x.test"], "{email} {of}");
            let (ids, _) = listed(&world, of, json!({ "email": email })).await;
            assert_eq!(ids, ["jo@x.test"], "{email} {of}");
        }
    }
    // In one request with another address, which changes nothing.
    let together =
        "{ a: usersByEmail(email: \"jo@y\u{3002}test\", providers: [DIGITAL_CHALK]) { totalCount }
        b: usersByEmail(email: \"al@y.test\", providers: [DIGITAL_CHALK]) { totalCount } }";
    let data = world.data(together).await;
    assert_eq!(data["a"]["totalCount"], 1);
}

#[tokio::test]
async fn letters_beyond_ascii_are_searched_in_lower_case_too() {
    let providers = StandIn::of(letter_by_letter(&["zo\u{eb}@x.test"])).await;
    let world = providers.world(|_| {}).await;
    let (emails, _) = found(&world, "ZO\u{cb}@x.test", "DIGITAL_CHALK").await;
    assert_eq!(emails, ["zo\u{eb}@x.test"]);
}
