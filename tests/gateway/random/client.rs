//! A client that walks a list and searches for addresses, and what must be true of what it finds.

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
};

use serde_json::{Value, json};

use super::{
    list::{Dice, List, Paging, email},
    provider::Lists,
};

const LIST: &str = "query ($of: Provider!, $first: Int, $after: String) {
    users(provider: $of, first: $first, after: $after) { edges { cursor node { vendorId } }
        pageInfo { hasNextPage } sources { status notice } } }";

const SEARCH: &str = "query ($of: [Provider!], $email: String!) {
    usersByEmail(email: $email, providers: $of, first: 500) { nodes { vendorId email }
        sources { status notice } } }";

/// What became of the cases of one paging.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    complete: usize,
    partial: usize,
    /// Walks that ended in an error, by its message.
    failed: BTreeMap<String, usize>,
    /// Cases in which somebody was missed of whom nothing is promised.
    missed_unsettled: usize,
    /// Cases in which somebody was missed whom the provider withheld, and no client could know.
    missed_withheld: usize,
    searches: usize,
    pub(super) faults: Vec<String>,
}

impl Outcome {
    pub(super) fn told(&self) -> String {
        format!(
            "{} walks complete, {} partial, failed: {:?}; missed: {} unsettled, {} withheld; {} searches; {} faults",
            self.complete,
            self.partial,
            self.failed,
            self.missed_unsettled,
            self.missed_withheld,
            self.searches,
            self.faults.len()
        )
    }
}

fn number_of(node: &Value) -> usize {
    let id = node["vendorId"].as_str().expect("an id");
    id[1..].parse().expect("an id that was made")
}

/// What a walk to the end found, or a search.
struct Found {
    users: Vec<usize>,
    is_complete: bool,
    log: Vec<String>,
}

/// The cases of one paging, one after another.
pub(super) struct Lane<'a> {
    pub(super) client: reqwest::Client,
    pub(super) gateway: SocketAddr,
    pub(super) lists: &'a Lists,
    pub(super) paging: Paging,
    pub(super) outcome: Outcome,
}

impl Lane<'_> {
    /// One case: a list, walked or searched while things happen to it.
    pub(super) async fn case(&mut self, mut dice: Dice) {
        let list = List::of(self.paging, Dice::of(dice.next(), 0, 0));
        let at_first = list.made;
        self.lists.with(self.paging, |kept| *kept = Some(list));
        if dice.chance(30) {
            return self.search(&mut dice, at_first).await;
        }
        match self.walk(&mut dice).await {
            None => {}
            Some(found) if !found.is_complete => self.outcome.partial += 1,
            Some(found) => {
                self.outcome.complete += 1;
                self.judge(at_first, &found, |_| true);
            }
        }
    }

    /// Nobody who was there all the time is missed, but those of whom nothing is promised.
    fn judge(&mut self, at_first: usize, found: &Found, has: impl Fn(&str) -> bool) {
        let outcome = &mut self.outcome;
        self.lists.with(self.paging, |list| {
            let list = list.as_ref().expect("a list");
            let users: HashSet<usize> = found.users.iter().copied().collect();
            let there = list.there(has);
            let missed = there.iter().map(|user| user.number);
            let missed = missed.filter(|user| *user < at_first && !users.contains(user));
            let (unsettled, settled): (Vec<_>, Vec<_>) =
                missed.partition(|user| list.unsettled.contains(user));
            outcome.missed_unsettled += usize::from(!unsettled.is_empty());
            if settled.is_empty() {
                return;
            }
            // A count that did not change contradicts what is withheld.
            let is_counted = list.paging.is_counted() && list.totals.len() == 1;
            if list.lied && !(is_counted && list.habits.off == 0) {
                outcome.missed_withheld += 1;
                return;
            }
            let (habits, log) = (&list.habits, found.log.join("\n  "));
            let fault = format!("missed {settled:?} under COMPLETE; {habits:?}\n  {log}");
            outcome.faults.push(fault);
        });
    }

    async fn ask(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let url = format!("http://{}/graphql", self.gateway);
        let answer = self.client.post(url).json(&body).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    }

    /// Walks by windows of any size, each after the last edge of the one before or any other; `None`
    /// where it ends in an error.
    async fn walk(&mut self, dice: &mut Dice) -> Option<Found> {
        let mut found = Found {
            users: Vec::new(),
            is_complete: true,
            log: Vec::new(),
        };
        let mut after = Value::Null;
        for _ in 0..400 {
            let first = dice.one_of(&[3, 7, 20, 50, 59, 60, 61, 99, 100, 101, 150, 500]);
            let variables = json!({ "of": self.paging.word(), "first": first, "after": after });
            let answer = self.ask(LIST, variables).await;
            let users = answer["data"].get("users");
            let Some(users) = users.filter(|users| !users.is_null()) else {
                let message = answer["errors"][0]["message"].to_string();
                *self.outcome.failed.entry(message).or_default() += 1;
                return None;
            };
            found.is_complete &= users["sources"][0]["status"] == "COMPLETE";
            let edges = users["edges"].as_array().expect("edges");
            let ids: Vec<usize> = edges.iter().map(|edge| number_of(&edge["node"])).collect();
            self.look_at(first, &ids, &users["sources"][0], &mut found);
            let keep = match ids.len() {
                0 => 0,
                rows if dice.chance(25) => 1 + dice.below(rows),
                rows => rows,
            };
            found.users.extend(&ids[..keep]);
            if keep == ids.len() && users["pageInfo"]["hasNextPage"] != true {
                return Some(found);
            }
            let Some(edge) = keep.checked_sub(1).and_then(|last| edges.get(last)) else {
                let nowhere = "more, and no cursor".to_owned();
                *self.outcome.failed.entry(nowhere).or_default() += 1;
                return None;
            };
            after = edge["cursor"].clone();
        }
        self.outcome.faults.push("a walk without end".to_owned());
        None
    }

    /// Nobody comes twice in a window, and no more than were asked for.
    fn look_at(&mut self, first: usize, ids: &[usize], source: &Value, found: &mut Found) {
        let distinct: HashSet<_> = ids.iter().collect();
        let behind = found.users.len();
        let said = format!("first {first} after {behind}: {ids:?} {source}");
        if distinct.len() != ids.len() || ids.len() > first {
            let fault = format!("doubled or too many: {said}");
            self.outcome.faults.push(fault);
        }
        found.log.push(said);
    }

    /// Searches for an address.
    async fn search(&mut self, dice: &mut Dice, at_first: usize) {
        self.outcome.searches += 1;
        let address = email(dice.below(at_first.max(1)));
        let variables = json!({ "of": [self.paging.word()], "email": address });
        let answer = self.ask(SEARCH, variables).await;
        let searched = &answer["data"]["usersByEmail"];
        let nodes = searched["nodes"].as_array().expect("nodes");
        let users: Vec<usize> = nodes.iter().map(number_of).collect();
        let distinct: HashSet<_> = users.iter().collect();
        let is_foreign = nodes.iter().any(|node| node["email"] != address.as_str());
        if distinct.len() != users.len() || is_foreign {
            let fault = format!("{address}: doubled or foreign: {nodes:?}");
            self.outcome.faults.push(fault);
        }
        // Usertour's searches may always pass over other spellings, of which there are none here.
        let source = &searched["sources"][0];
        let notice = source["notice"].as_str().unwrap_or_default();
        let is_complete = source["status"] == "COMPLETE" || notice.starts_with("Usertour compares");
        let log = vec![format!("searched for {address}: {users:?} {source}")];
        if is_complete {
            let found = Found {
                users,
                is_complete,
                log,
            };
            self.judge(at_first, &found, |email| email == address);
        }
    }
}
