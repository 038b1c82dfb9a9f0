//! A client that scans a list, and the rules that its results must keep.

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use serde_json::{Value, json};

use super::{
    dice::Dice,
    habits::Paging,
    list::{List, email},
    outcome::{Found, Outcome},
    provider::Lists,
    rows,
};

const LIST: &str = "query ($of: Provider!, $first: Int, $after: String, $filter: UserFilter) {
    users(provider: $of, first: $first, after: $after, filter: $filter) {
        edges { cursor node { remoteId email } }
        pageInfo { hasNextPage } sources { status notices { code message } } } }";

/// How long one case may take: every call is answered at once.
const LONGEST: Duration = Duration::from_secs(60);

/// The number of a user who was given.
pub(super) fn number_of(node: &Value) -> usize {
    let id = node["remoteId"].as_str().expect("an id");
    rows::number_of(id).expect("an id that was made")
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
    /// One case: a list, walked, searched or looked up in while things happen to it.
    pub(super) async fn case(&mut self, number: u64, mut dice: Dice) {
        let list = List::of(self.paging, Dice::of(dice.next(), 0, 0));
        let at_first = list.made;
        let (is_calm, is_steady) = (list.is_calm(), list.habits.is_steady());
        self.lists.with(self.paging, |kept| *kept = Some(list));
        let faults = self.outcome.faults.len();
        let act = async {
            match dice.below(20) {
                0..4 => self.search(&mut dice, at_first).await,
                4..7 => self.look_up(&mut dice, at_first).await,
                _ => {
                    self.scanned(&mut dice, at_first, (is_calm, is_steady))
                        .await
                }
            }
        };
        if tokio::time::timeout(LONGEST, act).await.is_err() {
            let habits = self.lists.with(self.paging, |list| format!("{list:?}"));
            println!("{:?}: case {number} has no end: {habits:.900}", self.paging);
            self.outcome.faults.push("no end".to_owned());
        }
        for fault in &mut self.outcome.faults[faults..] {
            fault.insert_str(0, &format!("case {number}: "));
        }
    }

    async fn scanned(
        &mut self,
        dice: &mut Dice,
        at_first: usize,
        (is_calm, is_steady): (bool, bool),
    ) {
        let found = self.scan(dice).await;
        let is_short = is_calm && found.as_ref().is_some_and(|found| !found.is_complete);
        if is_short || (is_steady && found.is_none()) {
            let log = found.map(|found| found.log.join("\n  "));
            let fault = format!("a healthy list is not COMPLETE: {log:?}");
            self.outcome.faults.push(fault);
            return;
        }
        match found {
            None => {}
            Some(found) if !found.is_complete => self.outcome.partial += 1,
            Some(found) => {
                self.outcome.complete += 1;
                let outcome = &mut self.outcome;
                self.lists.with(self.paging, |list| {
                    let list = list.as_ref().expect("a list");
                    outcome.judge(list, at_first, &found, |_| true);
                });
            }
        }
    }

    pub(super) async fn request(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let url = format!("http://{}/graphql", self.gateway);
        let answer = self.client.post(url).json(&body).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    }

    /// Which users, in which order: Usertour's list can be scanned from either end.
    fn filter(&self, dice: &mut Dice) -> Value {
        if self.paging != Paging::Tokens || dice.chance(60) {
            return Value::Null;
        }
        let direction = dice.one_of(&["ASCENDING", "DESCENDING"]);
        json!({ "sort": { "field": "CREATED_AT", "direction": direction } })
    }

    /// Scans in windows of any size, each after the last edge of the one before or any other; `None`
    /// where it ends in an error.
    async fn scan(&mut self, dice: &mut Dice) -> Option<Found> {
        let mut found = Found {
            users: Vec::new(),
            is_complete: true,
            log: Vec::new(),
        };
        let (mut after, filter) = (Value::Null, self.filter(dice));
        for _ in 0..400 {
            let first = dice.one_of(&[3, 7, 20, 50, 59, 60, 61, 99, 100, 101, 150, 300, 500, 500]);
            let variables = json!({ "of": self.paging.word(), "first": first, "after": after,
                "filter": filter });
            let answer = self.request(LIST, variables).await;
            let users = answer["data"].get("users");
            let Some(users) = users.filter(|users| !users.is_null()) else {
                let message = answer["errors"][0]["message"].to_string();
                *self.outcome.failed.entry(message).or_default() += 1;
                return None;
            };
            found.is_complete &= users["sources"][0]["status"] == "COMPLETE";
            let edges = users["edges"].as_array().expect("edges");
            let ids = self.look_at(first, edges, &users["sources"][0], &mut found);
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
            let list = |list: &mut Option<List>| {
                list.as_mut().expect("a list").border = Some(ids[keep - 1]);
            };
            self.lists.with(self.paging, list);
        }
        self.outcome.faults.push("a scan without end".to_owned());
        None
    }

    /// Nobody comes twice in a window, no more than were asked for, and everybody as he is.
    fn look_at(
        &mut self,
        first: usize,
        edges: &[Value],
        source: &Value,
        found: &mut Found,
    ) -> Vec<usize> {
        let ids: Vec<usize> = edges.iter().map(|edge| number_of(&edge["node"])).collect();
        let distinct: HashSet<_> = ids.iter().collect();
        let behind = found.users.len();
        let said = format!("first {first} after {behind}: {ids:?} {source}");
        if distinct.len() != ids.len() || ids.len() > first {
            let fault = format!("doubled or too many: {said}");
            self.outcome.faults.push(fault);
        }
        for (edge, id) in edges.iter().zip(&ids) {
            if edge["node"]["email"] != email(*id).as_str() {
                let fault = format!("a value is lost: {}", edge["node"]);
                self.outcome.faults.push(fault);
            }
        }
        found.log.push(said);
        ids
    }
}
