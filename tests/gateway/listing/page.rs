//! A page of a provider's list as a client sees it, and how many calls it must cost.

use roster::account::Provider;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    subject::Subject,
    world::{World, word},
};

const LIST: &str = "query ($of: Provider!, $filter: UserFilter, $first: Int, $after: String, $last: Int,
        $before: String) {
    users(provider: $of, filter: $filter, first: $first, after: $after, last: $last, before: $before) {
        edges { cursor node { remoteId } } nodes { remoteId }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        totalCount sources { status notices { code message } calls } } }";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    pub(super) edges: Vec<Edge>,
    pub(super) nodes: Vec<Node>,
    pub(super) page_info: PageInfo,
    pub(super) total_count: Option<usize>,
    sources: Vec<Source>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Edge {
    pub(super) cursor: String,
    pub(super) node: Node,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Node {
    pub(super) remote_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub(super) has_next_page: bool,
    pub(super) has_previous_page: bool,
    pub(super) start_cursor: Option<String>,
    pub(super) end_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Source {
    pub(super) status: String,
    pub(super) notices: Vec<Notice>,
    pub(super) calls: usize,
}

#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Notice {
    pub(super) code: String,
    pub(super) message: String,
}

impl Notice {
    pub(super) fn new(code: &str, message: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }
}

impl Page {
    pub(super) fn ids(&self) -> Vec<String> {
        let ids = self.edges.iter().map(|edge| edge.node.remote_id.clone());
        ids.collect()
    }

    pub(super) fn source(&self) -> &Source {
        &self.sources[0]
    }

    /// Asserts that the page is this slice of the list, with the right cursors and page info.
    pub(super) fn assert_is(&self, records: &[String], from: usize, to: usize) {
        assert_eq!(self.ids(), records[from..to]);
        let nodes: Vec<_> = self.edges.iter().map(|edge| &edge.node).collect();
        assert_eq!(self.nodes.iter().collect::<Vec<_>>(), nodes);
        let info = &self.page_info;
        let flags = (info.has_previous_page, info.has_next_page);
        assert_eq!(flags, (from > 0, to < records.len()), "{from}..{to}");
        let cursor = |edge: Option<&Edge>| edge.map(|edge| edge.cursor.clone());
        assert_eq!(info.start_cursor, cursor(self.edges.first()));
        assert_eq!(info.end_cursor, cursor(self.edges.last()));
    }
}

/// The answer to one slice of a provider's list, errors and all.
pub(super) async fn answer(world: &World, provider: Provider, slice: Value) -> Value {
    let mut variables = slice;
    variables["of"] = word(provider).into();
    world.answer_with(LIST, variables).await
}

/// One slice of a provider's list.
pub(super) async fn page(world: &World, provider: Provider, slice: Value) -> Page {
    let mut answer = answer(world, provider, slice.clone()).await;
    assert_eq!(answer.get("errors"), None, "{slice}");
    serde_json::from_value(answer["data"]["users"].take()).expect("a connection")
}

/// The pages of a scan to the end.
pub(super) async fn scan(world: &World, provider: Provider, first: usize) -> Vec<Page> {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let slice = json!({ "first": first, "after": after });
        let page = page(world, provider, slice).await;
        after = page.page_info.end_cursor.clone();
        let is_last = !page.page_info.has_next_page;
        pages.push(page);
        if is_last {
            return pages;
        }
        assert!(pages.len() < 1000, "the scan does not end");
    }
}

/// The ids of a provider's list, in its order: a scan must return these.
pub(super) async fn ids(world: &World, provider: Provider) -> Vec<String> {
    let records = world.listed(provider).await;
    let id = |record: &Value| record["id"].as_str().map(str::to_owned).expect("an id");
    records.iter().map(id).collect()
}

/// Asserts that a scan returns every user once, each page in the fewest calls.
pub(super) async fn assert_whole(
    world: &World,
    subject: Subject,
    first: usize,
    least: fn(Subject, usize, usize) -> usize,
) {
    let provider = subject.provider();
    let records = ids(world, provider).await;
    world.forget_calls().await;

    let pages = scan(world, provider, first).await;

    let (mut from, mut calls) = (0, 0);
    for page in &pages {
        let to = records.len().min(from + first);
        page.assert_is(&records, from, to);
        let total = subject.expected().is_counted.then_some(records.len());
        assert_eq!(page.total_count, total);
        let source = page.source();
        assert_eq!((&*source.status, &*source.notices), ("COMPLETE", &[][..]));
        assert_eq!(
            source.calls,
            least(subject, from, to - from),
            "{from}..{to}"
        );
        calls += source.calls;
        from = to;
    }
    assert_eq!(from, records.len());
    assert_eq!(world.calls(provider).await.len(), calls);
}

/// The fewest calls that return `rows` rows behind the first `from`.
pub(super) fn least(subject: Subject, from: usize, rows: usize) -> usize {
    (subject.expected().list_calls)(from, rows)
}
