//! Pagination against a fake provider that shares no code with it: every window from every edge,
//! row for row and call for call.

mod backward;
mod capped;
mod empty;
mod filtered;
mod forward;
mod max_rows;
mod moving;
mod positions;
mod provider;
mod random;
mod scans;
mod segments;

use futures_util::FutureExt;

use super::{ListRange, Page, PageRequest, Position, RowFilter, Window, read_window};
use crate::error::Result;
use provider::{FakeProvider, FakeRecord};

/// `first` and `after`.
fn range(after: Option<&Position>, first: u32) -> ListRange {
    ListRange {
        after: after.cloned(),
        count: first,
        ..ListRange::default()
    }
}

/// A window of the pages that `answer` returns.
fn read(
    provider: &FakeProvider,
    range: &ListRange,
    accept: Option<&(dyn Fn(&FakeRecord) -> bool + Sync)>,
    answer: impl Fn(&PageRequest) -> Result<Page<FakeRecord>>,
) -> Result<Window<FakeRecord>> {
    let listing = provider.listing();
    let accept = accept.map(|belongs| RowFilter {
        matches: belongs,
        is_exact: false,
    });
    let window = read_window(&listing, range, accept, |request| {
        std::future::ready(answer(&request))
    });
    window.now_or_never().expect("the provider answers at once")
}

/// A window of the provider's list.
fn window_of(provider: &FakeProvider, range: &ListRange) -> Window<FakeRecord> {
    read(provider, range, None, |request| provider.answer(request)).unwrap()
}

/// The keys of a window's rows.
fn ids(window: &Window<FakeRecord>) -> Vec<&str> {
    let rows = window.rows.iter();
    rows.map(|row| row.node.key.as_str()).collect()
}

/// Every page size bound within one to seven.
fn bounds() -> impl Iterator<Item = (u32, u32)> {
    (1..=7).flat_map(|min| (min..=7).map(move |max| (min, max)))
}
