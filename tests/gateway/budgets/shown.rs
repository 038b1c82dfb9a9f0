//! Budgets in the graph and in the configuration.

use roster::{
    account::{Account, Provider},
    config::Settings,
};
use serde_json::{Value, json};

use super::{ids, request, world};
use crate::world::account;

#[tokio::test]
async fn providers_show_every_window_and_its_remaining_calls() {
    let world = world(Provider::Ada, &[(5, 30), (50, 3_600)], |settings| {
        account(settings, Provider::Usertour).budget = Some(Vec::new());
        account(settings, Provider::DigitalChalk).enabled = false;
    })
    .await;
    let ids = ids(&world, Provider::Ada).await;
    let query = "{ accounts { provider budget { window limit remaining resetsAt } } }";
    let shown = async || -> [Value; 4] {
        let providers = world.data(query).await["accounts"].take();
        let budget = |place: usize| providers[place]["budget"].clone();
        std::array::from_fn(budget)
    };

    let [ada, digital_chalk, _, usertour] = shown().await;
    assert_eq!(
        ada,
        json!([
            { "window": 30, "limit": 5, "remaining": 5, "resetsAt": null },
            { "window": 3600, "limit": 50, "remaining": 50, "resetsAt": null },
        ])
    );
    assert_eq!((digital_chalk, usertour), (json!([]), json!([])));

    request(&world, Provider::Ada, &ids[0]).await;
    let [ada, ..] = shown().await;

    assert_eq!(
        (&ada[0]["remaining"], &ada[1]["remaining"]),
        (&json!(4), &json!(49))
    );
    let moment = |place: usize| {
        let text = ada[place]["resetsAt"].as_str().expect("a moment");
        text.parse::<jiff::Timestamp>().expect("a moment")
    };
    assert!(moment(0) < moment(1));
    let metrics = format!("http://{}/metrics", world.gateway);
    let metrics = world.client.get(metrics).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    for name in [
        "roster_provider_budget_remaining_calls",
        "roster_provider_budget_wait_seconds",
    ] {
        assert!(metrics.contains(name), "{name} is not in /metrics");
    }
}

#[test]
fn an_invalid_budget_is_refused_with_its_place() {
    for (budget, says) in [
        (
            "[{ calls = 0, seconds = 60 }]",
            "accounts.usertour.budget[0].calls is 0: expected 1 to 1000000",
        ),
        (
            "[{ calls = 1, seconds = 0 }]",
            "accounts.usertour.budget[0].seconds is 0: expected 1 to 2678400",
        ),
        (
            "[{ calls = 1, seconds = 9 }, { calls = 2, seconds = 9 }]",
            "accounts.usertour.budget[1] is a second window of 9 seconds",
        ),
    ] {
        let text = format!("[accounts.usertour]\nbudget = {budget}\n");
        let mut settings = Settings::parse(&text).expect("a configuration");
        let usertour = account(&mut settings, Provider::Usertour);
        usertour.token = Some("t".to_owned().into());

        let mistakes = usertour
            .setup(Account::default_for(Provider::Usertour))
            .expect_err("mistakes");

        assert!(mistakes.to_string().contains(says), "{mistakes}");
    }
    for unknown in [
        "[{ calls = 1 }]",
        "[{ calls = 1, seconds = 2, minutes = 3 }]",
        "\"10/s\"",
    ] {
        let text = format!("[accounts.usertour]\nbudget = {unknown}\n");
        assert!(Settings::parse(&text).is_err(), "{unknown}");
    }
}
