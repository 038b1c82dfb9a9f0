//! Windows and scans of rows that are no users: a connection of segments, as a client pages it.

use std::{future::ready, time::Duration};

use futures_util::FutureExt;
use tokio::time::Instant;

use super::range;
use crate::{
    error::Result,
    pagination::{
        IncompleteReason, NextPage, Page, PageAddress, PageRequest, PaginationSpec,
        PaginationStrategy, Position, Row, ScanLimits, Window, read_window, scan,
    },
};

/// A segment; `None` where its row cannot be read.
#[derive(Clone, Debug)]
struct FakeSegment {
    id: u32,
    key: String,
    name: Option<String>,
}

impl Row for FakeSegment {
    const PLURAL: &'static str = "segments";

    fn key(&self) -> &str {
        &self.key
    }

    fn unreadable_text(&self) -> Option<&str> {
        self.name.is_none().then_some("no segment")
    }
}

const PAGINATION: PaginationSpec = PaginationSpec {
    strategy: PaginationStrategy::Token,
    position_param: "cursor",
    size_param: "limit",
    min_page_size: 1,
    max_page_size: 4,
    max_rows: None,
    is_counted: false,
};

/// Ten segments, the third of which cannot be read. The token of a page is the number of rows
/// before it.
fn answer(request: &PageRequest) -> Result<Page<FakeSegment>> {
    let from = match &request.address {
        PageAddress::Token(Some(token)) => token.parse().expect("a token of this list"),
        _ => 0,
    };
    let end = (from + request.size).min(10);
    let segment = |id| FakeSegment {
        id,
        key: format!("s{id}"),
        name: (id != 2).then(|| format!("Segment {id}")),
    };
    let next = NextPage::Token {
        next: (end < 10).then(|| end.to_string()),
        total: None,
    };
    Ok(Page::new((from..end).map(segment).collect(), next))
}

fn segments(after: Option<&Position>, first: u32) -> Window<FakeSegment> {
    let range = range(after, first);
    let window = read_window(&PAGINATION, &range, None, |request| ready(answer(&request)));
    window.now_or_never().expect("at once").expect("a window")
}

#[test]
fn a_connection_of_segments_resumes_after_each_of_its_edges() {
    let all = segments(None, 20);

    let ids: Vec<u32> = all.rows.iter().map(|row| row.node.id).collect();
    assert_eq!(ids, [0, 1, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!((all.has_next, all.unreadable.len()), (false, 1));
    for (index, edge) in all.rows.iter().enumerate() {
        for first in 1..=9 {
            let window = segments(Some(&edge.position), first);

            let end = ids.len().min(index + 1 + first as usize);
            let found: Vec<u32> = window.rows.iter().map(|row| row.node.id).collect();
            assert_eq!(found, ids[index + 1..end], "{first} after {index}");
            let has_next = end < ids.len();
            assert_eq!((window.has_previous, window.has_next), (true, has_next));
        }
    }
}

#[tokio::test]
async fn a_scan_of_segments_keeps_the_wanted_ones() {
    let limits = ScanLimits {
        pages: 9,
        until: Instant::now() + Duration::from_secs(60),
    };
    let is_even = |segment: &FakeSegment| segment.id.is_multiple_of(2);

    let scan = scan(&PAGINATION, limits, is_even, |request| {
        ready(answer(&request))
    })
    .await;

    let names: Vec<_> = scan
        .rows
        .iter()
        .filter_map(|row| row.name.as_deref())
        .collect();
    assert_eq!(names, ["Segment 0", "Segment 4", "Segment 6", "Segment 8"]);
    assert_eq!((scan.pages, scan.truncation.is_none()), (3, true));
    assert_eq!(scan.unreadable.len(), 1);
}

#[test]
fn a_notice_names_the_rows_of_its_list() {
    let notice = IncompleteReason::DeadlineReached.notice::<FakeSegment>();

    assert_eq!(
        notice.message,
        "the time was over before all of the list was read: there are more segments"
    );
}
