//! Records of the same id in several accounts, and accounts that fail.

use serde_json::{Value, json};

use super::{ACCOUNTS, account_of, answer, named, settings, world};
use crate::{
    stand_in::{Asked, Said, StandIn, list},
    world::World,
};

#[tokio::test]
async fn the_same_id_is_another_user_in_each_account() {
    for seconds in [0.0, 60.0] {
        let (world, stand_in) = world(|all| all.cache.seconds = seconds).await;
        let fields = ACCOUNTS.map(|(name, _, _)| {
            format!(
                "{}: user({}, by: {{ remoteId: \"1\" }}) {{ account remoteId name }}",
                name.replace('-', "_"),
                named(name)
            )
        });
        let query = format!("{{ {} }}", fields.join(" "));
        for round in 0..2 {
            let data = world.data(&query).await;

            for (name, _, _) in ACCOUNTS {
                let user = &data[name.replace('-', "_")];
                assert_eq!(
                    user,
                    &json!({ "account": name, "remoteId": "1", "name": name }),
                    "round {round}, cache {seconds}"
                );
            }
        }
        let calls = stand_in.take().len();
        assert_eq!(calls, if seconds == 0.0 { 8 } else { 4 }, "cache {seconds}");
    }
}

#[tokio::test]
async fn ids_and_cursors_lead_back_to_their_own_account() {
    let (world, _stand_in) = world(|_| {}).await;
    for (name, _, _) in ACCOUNTS {
        let query = format!(
            "{{ users({}, first: 1) {{ nodes {{ id name }} pageInfo {{ endCursor hasNextPage }} }} }}",
            named(name)
        );
        let data = world.data(&query).await;
        let list = &data["users"];
        assert_eq!(list["nodes"][0]["name"], name);
        let id = list["nodes"][0]["id"].as_str().expect("an id");
        let cursor = list["pageInfo"]["endCursor"].as_str().expect("a cursor");

        let node = world
            .data(&format!(
                "{{ node(id: \"{id}\") {{ ... on User {{ account name }} }} }}"
            ))
            .await;

        assert_eq!(node["node"], json!({ "account": name, "name": name }));
        for (other, _, _) in ACCOUNTS {
            let query = format!(
                "{{ users({}, first: 1, after: \"{cursor}\") {{ nodes {{ remoteId }} }} }}",
                named(other)
            );
            let answer = world.answer(&query).await;
            match other == name {
                true => {
                    let next = &answer["data"]["users"]["nodes"];
                    assert_eq!(next, &json!([{ "remoteId": "2" }]), "{answer}");
                }
                false => {
                    let code = &answer["errors"][0]["extensions"]["code"];
                    assert_eq!(code, "BAD_USER_INPUT", "{name} at {other}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_account_that_fails_fails_alone() {
    let stand_in = StandIn::of(|asked: &crate::stand_in::Asked| match account_of(asked) {
        "intercom-old" => Said::from((503, json!({ "errors": [] }))),
        _ => answer(asked),
    })
    .await;
    let address = stand_in.address();
    let world = World::over(address, |all| {
        settings(address, all);
        for account in all.accounts.values_mut() {
            account.attempts = 1;
            account.breaker.enabled = true;
            account.breaker.failures = 1;
            account.breaker.failure_rate = 0.01;
        }
    })
    .await;
    let query = "{ usersByEmail(email: \"ann@people.test\") { nodes { account } sources { account status error { code } } } }";
    for _ in 0..2 {
        let data = world.data(query).await;

        let sources = data["usersByEmail"]["sources"].as_array().expect("sources");
        for source in sources {
            let is_ill = source["account"] == "intercom-old";
            let expected = match is_ill {
                true => json!("PROVIDER_UNAVAILABLE"),
                false => Value::Null,
            };
            assert_eq!(source["error"]["code"], expected, "{source}");
        }
        assert_eq!(sources.len(), 4);
    }
    let circuits = world.data("{ accounts { name provider circuit } }").await;
    let expected = ACCOUNTS.map(|(name, provider, _)| {
        let circuit = if name == "intercom-old" {
            "OPEN"
        } else {
            "CLOSED"
        };
        let provider = provider.name().to_uppercase();
        json!({ "name": name, "provider": provider, "circuit": circuit })
    });
    assert_eq!(circuits["accounts"], json!(expected));
    let error = world
        .answer(&format!(
            "{{ user({}, by: {{ remoteId: \"1\" }}) {{ id }} }}",
            named("intercom-old")
        ))
        .await;
    let extensions = &error["errors"][0]["extensions"];
    assert_eq!(extensions["provider"], "INTERCOM");
    assert_eq!(extensions["account"], "intercom-old");
}

#[tokio::test]
async fn the_budget_of_one_account_is_not_spent_by_another() {
    let (world, _stand_in) = world(|all| {
        for (name, account) in &mut all.accounts {
            let calls = if name == "ada-eu" { 1 } else { 100 };
            account.budget = Some(vec![roster::connectors::QuotaWindow {
                calls,
                seconds: 600,
            }]);
        }
    })
    .await;
    let query = |name: &str, id: &str| {
        format!(
            "{{ user({}, by: {{ remoteId: \"{id}\" }}) {{ name }} }}",
            named(name)
        )
    };
    assert_eq!(
        world.data(&query("ada-eu", "1")).await["user"]["name"],
        "ada-eu"
    );

    let spent = world.answer(&query("ada-eu", "2")).await;
    let other = world.data(&query("ada", "2")).await;

    let code = &spent["errors"][0]["extensions"]["code"];
    assert_eq!(code, "PROVIDER_RATE_LIMITED", "{spent}");
    assert_eq!(other["user"]["name"], "ada");
}

#[tokio::test]
async fn a_router_gets_records_of_both() {
    let (world, stand_in) = world(|_| {}).await;
    let representations = [
        "intercom-new",
        "intercom-old",
        "ada",
        "ada-eu",
        "intercom-new",
    ]
    .map(|account| json!({ "__typename": "User", "account": account, "remoteId": "1" }));
    let query = "query($all: [_Any!]!) { _entities(representations: $all) { ... on User { account name } } }";

    let data = world
        .data_with(query, json!({ "all": representations }))
        .await;

    let names = data["_entities"].as_array().expect("entities").iter();
    let names: Vec<_> = names
        .map(|user| user["name"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(
        names,
        [
            "intercom-new",
            "intercom-old",
            "ada",
            "ada-eu",
            "intercom-new"
        ]
    );
    assert_eq!(stand_in.take().len(), 4, "equal keys are one call");
}

#[tokio::test]
async fn an_id_may_be_a_number_in_one_account_and_a_text_in_another() {
    let stand_in = StandIn::of(|asked: &Asked| {
        let quote = match account_of(asked) {
            "intercom-old" => "",
            _ => "\"",
        };
        let rows = [11, 12].map(|id| {
            format!(
                r#"{{"type":"contact","id":{quote}{id}{quote},"role":"user","email":"ann@people.test"}}"#
            )
        });
        list("/intercom", &rows)
    })
    .await;
    let address = stand_in.address();
    let world = World::over(address, |all| {
        settings(address, all);
        for name in ["intercom-new", "intercom-old"] {
            let account = all.accounts.get_mut(name).expect("an account");
            let version = "2.17".into();
            account.options.insert("version".to_owned(), version);
        }
    })
    .await;
    let fields = ["intercom-new", "intercom-old"].map(|name| {
        let label = name.replace("intercom-", "");
        [11, 12].map(|id| {
            format!(
                "{label}{id}: user({}, by: {{ remoteId: \"{id}\" }}) {{ account remoteId }}",
                named(name)
            )
        })
    });
    let query = format!("{{ {} }}", fields.concat().join(" "));

    let answer = world.answer(&query).await;

    assert_eq!(answer["errors"], Value::Null, "{answer}");
    for name in ["new", "old"] {
        for id in ["11", "12"] {
            let user = json!({ "account": format!("intercom-{name}"), "remoteId": id });
            assert_eq!(answer["data"][format!("{name}{id}")], user, "{answer}");
        }
    }
}
