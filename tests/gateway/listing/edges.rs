//! A list resumes from any edge of any window, with any size.

use roster::account::Provider;
use serde_json::json;

use super::page::{ids, page};
use crate::{
    subject::{Paging, Subject, for_each_subject},
    world::World,
};

/// From each edge of windows at the start, in the middle and at the end: the next 20, in one call.
async fn any_edge_resumes(subject: Subject) {
    let (world, provider) = (subject.world(150).await, subject.provider());
    let records = ids(&world, provider).await;
    let start = page(&world, provider, json!({ "first": 20 })).await;
    let longer = page(&world, provider, json!({ "first": 60 })).await;
    let middle = json!({ "first": 20, "after": longer.page_info.end_cursor });
    let middle = page(&world, provider, middle).await;
    let rest = json!({ "first": 100, "after": middle.page_info.end_cursor });
    let rest = page(&world, provider, rest).await;
    assert_eq!(rest.ids(), records[80..]);

    let edges = start.edges.iter().enumerate();
    let edges = edges.chain((60..).zip(&middle.edges));
    let last = rest.edges.len() - 20;
    for (at, edge) in edges.chain((80 + last..).zip(&rest.edges[last..])) {
        let slice = json!({ "first": 20, "after": edge.cursor });
        let resumed = page(&world, provider, slice).await;

        let (from, to) = (at + 1, records.len().min(at + 21));
        resumed.assert_is(&records, from, to);
        assert_eq!(resumed.source().calls, 1, "{from}..{to}");
    }
}

/// From edges of a window that fills the provider's largest page: what the page still holds of the next
/// window, and what it does not.
async fn an_edge_of_a_full_page_resumes(subject: Subject) {
    let full = subject.page();
    let (world, provider) = (subject.world(full + 50).await, subject.provider());
    let records = ids(&world, provider).await;
    let window = page(&world, provider, json!({ "first": full })).await;

    for (at, edge) in window.edges.iter().enumerate().skip(2).step_by(9) {
        for first in [1, 15, 40] {
            let slice = json!({ "first": first, "after": edge.cursor });
            let resumed = page(&world, provider, slice).await;

            let (from, to) = (at + 1, records.len().min(at + 1 + first));
            resumed.assert_is(&records, from, to);
            // A token opens the page that it opened before: its rows are read again up to the edge.
            let calls = match subject.expected().paging {
                Paging::Token if from + first > full => 2,
                // No numbered page holds both ends of the window.
                Paging::Number if !(1..=full).any(|size| from / size == (to - 1) / size) => 2,
                _ => 1,
            };
            assert_eq!(resumed.source().calls, calls, "{from}..{to}");
        }
    }
}

macro_rules! edges {
    ($provider:ident, $subject:expr) => {
        mod $provider {
            use super::Subject;

            const SUBJECT: Subject = $subject;

            #[tokio::test]
            async fn any_edge_resumes_the_list_in_one_call() {
                super::any_edge_resumes(SUBJECT).await;
            }

            #[tokio::test]
            async fn an_edge_of_a_full_page_resumes_the_list_in_the_fewest_calls() {
                super::an_edge_of_a_full_page_resumes(SUBJECT).await;
            }
        }
    };
}

for_each_subject!(edges);

#[tokio::test]
async fn a_search_that_finds_parts_is_read_in_full_pages_whatever_the_window() {
    let world = World::with(200, |_| {}).await;
    let filter = json!({ "email": roster_sandbox::known::POSITION_101 });

    for first in [1, 20] {
        world.forget_calls().await;
        let slice = json!({ "first": first, "filter": filter });
        let found = page(&world, Provider::DigitalChalk, slice).await;

        assert_eq!(found.edges.len(), 1);
        assert!(!found.page_info.has_next_page);
        // Of the 101 addresses that hold this one, the last is this one.
        assert_eq!(world.calls(Provider::DigitalChalk).await.len(), 2);
    }
}
