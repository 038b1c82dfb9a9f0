//! The page of the providers says what each of them can do as the gateway itself says it.

use roster::account::Provider;
use serde_json::Value;

use super::page::{Rows, page};
use crate::world::{World, intercom, row_of, usertour_v2, word};

const PAGE: &str = "docs/providers.md";

/// The rows of the page: each provider, or each of its versions that can do different things.
fn subjects() -> Vec<(&'static str, Provider, &'static str)> {
    let of_provider = |provider: Provider| match provider {
        Provider::Intercom => vec![
            ("Intercom 2.x", provider, "2.17"),
            ("Intercom 1.x", provider, "1.4"),
        ],
        Provider::Usertour => vec![
            ("Usertour, version 1", provider, ""),
            ("Usertour, version 2", provider, "v2"),
        ],
        _ => vec![(provider.title(), provider, "")],
    };
    Provider::ALL.into_iter().flat_map(of_provider).collect()
}

async fn capabilities(provider: Provider, version: &str) -> Value {
    let world = World::with_providers(&[provider], 1, |settings| match (provider, version) {
        (Provider::Intercom, version) => intercom(settings, version),
        (Provider::Usertour, "v2") => usertour_v2(settings),
        _ => {}
    })
    .await;
    let query = "{ accounts { provider capabilities {
        filters sorts pageSize pagesBackwards reach externalId emailSearch emailMatches nativeUpsert writes
    } } }";
    let data = world.data(query).await;
    row_of(&data["accounts"], provider)["capabilities"].clone()
}

/// A list of values as the page shows it.
fn list(values: &Value) -> String {
    let values = values.as_array().expect("a list").iter();
    let values: Vec<_> = values
        .map(|value| format!("`{}`", value.as_str().unwrap_or_default()))
        .collect();
    match values.is_empty() {
        true => "–".to_owned(),
        false => values.join(", "),
    }
}

fn yes(value: &Value) -> String {
    if value == true { "yes" } else { "–" }.to_owned()
}

/// The rows of the two tables that capabilities make.
fn rows(title: &str, of: &Value) -> [Vec<String>; 2] {
    let reach = of["reach"].as_u64();
    let paging = vec![
        title.to_owned(),
        of["pageSize"].to_string(),
        reach.map_or_else(|| "all".to_owned(), |reach| reach.to_string()),
        yes(&of["pagesBackwards"]),
        list(&of["filters"]),
        list(&of["sorts"]),
    ];
    let finding = vec![
        title.to_owned(),
        format!("`{}`", of["emailSearch"].as_str().unwrap_or_default()),
        list(&of["emailMatches"]),
        yes(&of["externalId"]),
        yes(&of["nativeUpsert"]),
        list(&of["writes"]),
    ];
    [paging, finding]
}

#[tokio::test]
async fn the_tables_of_the_page_are_the_capabilities_of_the_accounts() {
    let (mut paging, mut finding) = (Rows::new(), Rows::new());
    for (title, provider, version) in subjects() {
        let capabilities = capabilities(provider, version).await;
        assert!(capabilities.is_object(), "{title} is {}", word(provider));
        let [one, other] = rows(title, &capabilities);
        paging.push(one);
        finding.push(other);
    }

    let page = page(PAGE);
    assert_eq!(page.rows("Lists"), paging, "{}", shown(&paging));
    assert_eq!(
        page.rows("Finding and writing"),
        finding,
        "{}",
        shown(&finding)
    );
}

/// Rows as a page shows them.
fn shown(rows: &Rows) -> String {
    let rows = rows.iter().map(|row| format!("| {} |", row.join(" | ")));
    rows.collect::<Vec<_>>().join("\n")
}
