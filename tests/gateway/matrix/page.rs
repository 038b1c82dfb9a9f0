//! The table as a page of the documents.

use roster::account::Provider;

use super::{Found, Outcome, When};

const HEAD: &str = "# Faults

What a client is told when one provider fails, and what that costs the provider. Each fault is tried at each provider's
sandbox by `tests/gateway/matrix.rs`, which fails when this page says something else. There an attempt is made twice at
most, an answer may hold a megabyte, and the breaker is off. A provider in good health gets one call for a search by email,
and Ada two: its list has two pages there. (Usertour's searches are always PARTIAL: they may miss other spellings.)

\"At once\" is without a wait of the gateway's own; \"after retries\" with the wait before another attempt, or the one
that the provider asks for; \"by the attempts' timeout\" when each attempt was given up; \"by the deadline\" when the
request's time is over.

| fault | provider | source | code | calls | answered |
|---|---|---|---|---|---|
";

/// The outcome of one query, in words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Words {
    status: String,
    code: String,
    calls: u64,
    when: String,
}

pub(super) fn expected(outcome: Outcome) -> Words {
    Words {
        status: outcome.status.to_owned(),
        code: outcome.code.unwrap_or("–").to_owned(),
        calls: outcome.calls,
        when: word(outcome.when).to_owned(),
    }
}

/// The outcome that a test saw. Its time is only known to fit or not.
pub(super) fn seen(expected: Outcome, found: &Found) -> Words {
    let (least, most) = expected.when.bounds();
    let when = if (least..=most).contains(&found.took) {
        word(expected.when).to_owned()
    } else {
        format!("after {:?}", found.took)
    };
    Words {
        status: found.status.clone(),
        code: found.code.clone().unwrap_or_else(|| "–".to_owned()),
        calls: found.calls,
        when,
    }
}

fn word(when: When) -> &'static str {
    match when {
        When::AtOnce => "at once",
        When::AfterRetries => "after retries",
        When::ByAttempts => "by the attempts' timeout",
        When::ByDeadline => "by the deadline",
    }
}

/// The page, with one line for all providers that do the same.
pub(super) fn render(rows: &[(&str, Vec<(Provider, Words)>)]) -> String {
    let mut page = HEAD.to_owned();
    for (name, outcomes) in rows {
        let mut name = *name;
        for (place, (_, words)) in outcomes.iter().enumerate() {
            if outcomes[..place].iter().any(|(_, other)| other == words) {
                continue;
            }
            let same = outcomes.iter().filter(|(_, other)| other == words);
            let same: Vec<_> = same.map(|(provider, _)| provider.title()).collect();
            let providers = match same.len() == outcomes.len() {
                true => "all".to_owned(),
                false => same.join(", "),
            };
            let Words {
                status,
                code,
                calls,
                when,
            } = words;
            page.push_str(&format!(
                "| {name} | {providers} | {status} | {code} | {calls} | {when} |\n"
            ));
            name = "";
        }
    }
    page
}
