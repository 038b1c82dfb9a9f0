//! The page of the configuration has every setting, with its default and its range.

mod names;

use std::collections::BTreeMap;

use roster::{
    account::Provider,
    app,
    config::{
        AccountSettings, BreakerSettings, CacheOverrides, CacheSettings, ConfigErrors,
        LimitSettings, LogSettings, ServerSettings, Settings, SharedSettings,
    },
    connectors::connector_spec,
};

use self::names::names;
use super::page::{name, page};

const PAGE: &str = "docs/configuration.md";
const ACCOUNT: &str = "accounts.NAME";

/// A row of the page: a setting with the table that it is in.
struct Row {
    table: String,
    setting: String,
    default: String,
    range: String,
}

impl Row {
    /// A configuration with this setting alone, and the tables that it needs.
    fn configuration(&self, value: Option<&str>) -> String {
        let table = self.table.replace("NAME", "intercom");
        let line = value.map_or_else(String::new, |value| format!("{} = {value}\n", self.setting));
        let url = match (self.table.as_str(), self.setting.as_str()) {
            ("shared", "url") | (_, "base_url" | "region") => "",
            ("shared", _) => "url = \"redis://127.0.0.1:1\"\n",
            _ => "",
        };
        format!("[{table}]\n{url}{line}")
    }

    fn settings(&self, value: Option<&str>) -> Result<Settings, ConfigErrors> {
        Settings::parse(&self.configuration(value))
    }
}

/// The rows under the headings of tables: `[server]`.
fn rows() -> Vec<Row> {
    let page = page(PAGE);
    let tables = page.tables().into_iter();
    let rows = tables.filter_map(|(title, cells)| {
        let table = name_of_table(title)?;
        let [setting, default, range, _] = cells.try_into().expect("four cells");
        Some(Row {
            table,
            setting: name(&setting).to_owned(),
            default,
            range,
        })
    });
    rows.collect()
}

/// The table of a heading like `[server]`, which is in backticks.
fn name_of_table(title: &str) -> Option<String> {
    let table = title.strip_prefix("`[")?.strip_suffix("]`")?;
    Some(table.to_owned())
}

fn tables_of_structs() -> BTreeMap<String, Vec<&'static str>> {
    let tables = [
        ("server", names::<ServerSettings>()),
        ("limits", names::<LimitSettings>()),
        ("log", names::<LogSettings>()),
        ("cache", names::<CacheSettings>()),
        ("shared", names::<SharedSettings>()),
        (ACCOUNT, names::<AccountSettings>()),
        ("accounts.NAME.cache", names::<CacheOverrides>()),
        ("accounts.NAME.breaker", names::<BreakerSettings>()),
    ];
    let tables = tables.into_iter();
    let tables = tables.map(|(table, mut names)| {
        // These are tables of their own.
        names.retain(|name| table != ACCOUNT || !["cache", "breaker"].contains(name));
        names.sort_unstable();
        (table.to_owned(), names)
    });
    tables.collect()
}

#[test]
fn every_setting_has_a_row_in_its_table() {
    let mut documented: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows() {
        documented.entry(row.table).or_default().push(row.setting);
    }
    for settings in documented.values_mut() {
        settings.sort_unstable();
    }
    let expected = tables_of_structs().into_iter();
    let expected = expected.map(|(table, names)| {
        let names: Vec<_> = names.into_iter().map(str::to_owned).collect();
        (table, names)
    });

    assert_eq!(documented, expected.collect());
    for table in names::<Settings>() {
        let has_table = documented.keys().any(|name| name.starts_with(table));
        assert!(has_table, "[{table}] has no section");
    }
}

#[test]
fn every_default_of_the_page_is_the_default() {
    for row in rows() {
        let absent = format!("{:?}", row.settings(None).expect("a configuration"));
        match row.default.starts_with('`') {
            true => {
                let given = row.settings(Some(name(&row.default)));
                let given = given.unwrap_or_else(|error| panic!("{}: {error}", row.setting));
                assert_eq!(format!("{given:?}"), absent, "{}", row.setting);
            }
            false => {
                let none = format!("{}: None", row.setting);
                assert!(absent.contains(&none), "{} has a default", row.setting);
            }
        }
    }
}

/// The first error of a configuration whose accounts all have a token.
fn errors(mut settings: Settings) -> String {
    for account in settings.accounts.values_mut() {
        account.token = Some("secret".into());
    }
    match app::open(&settings) {
        Ok(_) => String::new(),
        Err(errors) => errors.to_string(),
    }
}

#[tokio::test]
async fn every_range_of_the_page_is_the_range() {
    let mut number = 0;
    for row in rows() {
        let words: Vec<_> = row.range.split_whitespace().collect();
        let ([low, "to", high] | [low, "to", high, "seconds"]) = words[..] else {
            continue;
        };
        let beyond = 2.0 * high.parse::<f64>().expect("a number");
        let beyond = match row.default.contains('.') || row.range.ends_with('s') {
            true => format!("{beyond:?}"),
            false => format!("{beyond:.0}"),
        };
        let settings = row.settings(Some(&beyond));
        let settings = settings.unwrap_or_else(|error| panic!("{}: {error}", row.setting));

        let errors = errors(settings);

        let expected = format!("{} is {}", row.setting, beyond.trim_end_matches(".0"));
        let line = errors.lines().find(|line| line.contains(&expected));
        let line = line.unwrap_or_else(|| panic!("{}: {errors}", row.setting));
        let range = format!("expected {low} to {high}");
        assert!(line.contains(&range), "{range}: {line}");
        number += 1;
    }
    assert!(number >= 18, "{number}");
}

/// The error of an option of a provider.
fn error_of_option(provider: Provider, option: &str) -> String {
    let table = format!("[accounts.{}]\n", provider.name());
    let lines = format!("base_url = \"https://a.example\"\noptions = {{ {option} }}\n");
    errors(Settings::parse(&(table + &lines)).expect("a configuration"))
}

/// The options that the error of an unknown one lists.
fn options_of(provider: Provider) -> Vec<String> {
    let error = error_of_option(provider, "unheard_of = 1");
    let (_, expected) = error.split_once("one of").expect("a list");
    let words = expected.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    let names = words.filter(|word| !word.is_empty() && *word != "or");
    let mut names: Vec<_> = names.map(str::to_owned).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn every_option_of_a_provider_has_a_row() {
    let page = page(PAGE);
    for provider in Provider::ALL {
        let rows = page.rows(&format!("Options of {}", provider.title()));
        let mut documented: Vec<_> = rows.iter().map(|row| name(&row[0])).collect();
        documented.sort_unstable();

        assert_eq!(documented, options_of(provider), "{}", provider.title());

        for row in rows {
            let Some((_, high)) = row[2].split_once(" to ") else {
                continue;
            };
            let beyond = high.parse::<u64>().expect("a number") + 1;
            let option = format!("{} = {beyond}", name(&row[0]));
            let error = error_of_option(provider, &option);
            assert!(error.contains(&format!(" to {high}")), "{option}: {error}");
        }
    }
}

/// The row of a provider's defaults.
fn defaults(provider: Provider) -> Vec<String> {
    let spec = connector_spec(provider);
    let budget = spec.budget.iter();
    let budget: Vec<_> = budget
        .map(|window| format!("{} in {} s", window.calls, window.seconds))
        .collect();
    let or_none = |text: String| {
        if text.is_empty() {
            "none".to_owned()
        } else {
            text
        }
    };
    let regions = spec.regions.iter();
    let regions: Vec<_> = regions.map(|(name, _)| format!("`\"{name}\"`")).collect();
    vec![
        format!("`\"{}\"`", provider.name()),
        or_none(
            spec.base_url
                .map_or_else(String::new, |base| format!("`\"{base}\"`")),
        ),
        or_none(regions.join(", ")),
        spec.timeout.as_secs_f64().to_string(),
        spec.concurrency.to_string(),
        or_none(budget.join(", ")),
    ]
}

#[test]
fn the_defaults_of_each_provider_are_those_of_its_connector() {
    let rows = page(PAGE).rows("Defaults of each provider");

    assert_eq!(rows, Provider::ALL.map(defaults));
}

/// The lines of the full example that have no remark, by table: settings with their values.
fn full_example() -> BTreeMap<String, Vec<(String, String)>> {
    let mut blocks = page(PAGE).blocks().into_iter();
    let block = blocks.rfind(|block| block.language == "toml");
    let mut tables: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut table = String::new();
    for line in block.expect("an example").text.lines() {
        if let Some(title) = line.strip_prefix('[') {
            table = title.trim_end_matches(']').replace("intercom", "NAME");
        } else if let Some((setting, value)) = line.split_once(" = ")
            && !line.contains('#')
        {
            let entry = (setting.to_owned(), value.to_owned());
            tables.entry(table.clone()).or_default().push(entry);
        }
    }
    tables
}

#[test]
fn the_full_example_has_the_defaults_of_the_tables() {
    let example = full_example();
    let mut number = 0;
    for row in rows() {
        let lines = example.get(&row.table).into_iter().flatten();
        for (_, value) in lines.filter(|(setting, _)| *setting == row.setting) {
            if !row.default.starts_with('`') || row.setting == "options" {
                continue;
            }
            assert_eq!(value, name(&row.default), "{}.{}", row.table, row.setting);
            number += 1;
        }
    }
    assert!(number >= 25, "{number}");
}
