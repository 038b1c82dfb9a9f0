//! Links lead somewhere, and the README leads to every page.

use std::{collections::BTreeMap, path::Path};

use super::page::{Page, guide, page, pages, root};

/// The address of a heading, as GitHub makes it.
fn anchor(title: &str) -> String {
    let kept = title
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c })
        .collect::<String>()
        .to_lowercase()
}

/// The addresses of all headings of a page: the second of a name has a number.
fn anchors(page: &Page) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = Vec::new();
    for title in page.headings() {
        // The text of a link is its title.
        let title = title.split("](").next().unwrap_or_default();
        let anchor = anchor(title);
        let count = seen.entry(anchor.clone()).or_default();
        anchors.push(match *count {
            0 => anchor,
            count => format!("{anchor}-{count}"),
        });
        *count += 1;
    }
    anchors
}

/// The targets of a page's links, with their lines.
fn links(page: &Page) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (at, line) in page.prose() {
        let outside: Vec<_> = line.split('`').step_by(2).collect();
        for link in outside.join("").split("](").skip(1) {
            let target = link.split(')').next().unwrap_or_default();
            links.push((at, target.to_owned()));
        }
    }
    links
}

/// The path below the root that a link of a page names.
fn resolved(from: &str, path: &str) -> String {
    if path.is_empty() {
        return from.to_owned();
    }
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The mistake of a link, if it leads nowhere.
fn mistake(from: &Page, target: &str) -> Option<String> {
    let (path, wanted) = target.split_once('#').unwrap_or((target, ""));
    let file = resolved(&from.name, path);
    if !root().join(&file).exists() {
        return Some(format!("{file} does not exist"));
    }
    let has_anchors = Path::new(&file).extension().is_some_and(|end| end == "md");
    let is_there = wanted.is_empty()
        || !has_anchors
        || anchors(&page(&file)).iter().any(|there| there == wanted);
    (!is_there).then(|| format!("{file} has no heading #{wanted}"))
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut wrong = Vec::new();
    let mut number = 0;
    for page in pages() {
        for (at, target) in links(&page) {
            if target.contains("://") {
                continue;
            }
            number += 1;
            let mistake = mistake(&page, &target);
            wrong.extend(mistake.map(|what| format!("{}:{at}: {what}", page.name)));
        }
    }

    assert_eq!(wrong, Vec::<String>::new());
    assert!(number > 40, "{number}");
}

#[test]
fn the_readme_leads_to_every_page() {
    let readme = page("README.md");
    let targets = links(&readme).into_iter();
    let targets: Vec<_> = targets
        .map(|(_, target)| target.split('#').next().unwrap_or_default().to_owned())
        .collect();
    let others = ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/adr"];
    let pages = guide().into_iter().map(|page| page.name).skip(1);
    let pages = pages.chain(others.map(str::to_owned));

    let missing: Vec<_> = pages.filter(|page| !targets.contains(page)).collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn an_address_of_a_heading_is_made_as_github_makes_it() {
    for (title, expected) in [
        ("Codes of errors", "codes-of-errors"),
        ("`[accounts.NAME.breaker]`", "accountsnamebreaker"),
        ("When a provider is ill", "when-a-provider-is-ill"),
        ("Usertour's two versions", "usertours-two-versions"),
    ] {
        assert_eq!(anchor(title), expected);
    }
}
