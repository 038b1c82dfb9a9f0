//! A scan: reads every page of a list from its start, within limits. For lists that are needed
//! whole, and for searches that a provider answers with too much or not at all.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    IncompleteReason, Page, PageRequest, PaginationSpec, Position, Row,
    reader::{PageReader, ReadStep},
};
use crate::error::{Error, ErrorKind, FailureStage, Result};

/// How far a scan may go.
#[derive(Clone, Copy, Debug)]
pub struct ScanLimits {
    /// The largest number of pages.
    pub pages: u32,
    /// The deadline. The function that fetches a page should give up a little earlier: a call that
    /// is cancelled from outside is not measured.
    pub until: Instant,
}

/// Why a scan ended before its list did.
#[derive(Clone, Debug)]
pub enum Truncation {
    /// The limit on pages was reached.
    PageLimit {
        /// How many pages were read.
        pages: u32,
    },
    /// The deadline passed.
    DeadlineReached {
        /// How many pages were read.
        pages: u32,
    },
    /// A page could not be read.
    Failed(Error),
}

/// The result of a scan.
#[derive(Clone, Debug)]
pub struct Scan<T> {
    /// The wanted rows, each once.
    pub rows: Vec<T>,
    /// How many pages were read.
    pub pages: u32,
    /// Why the scan did not see the whole list; `None` when it did.
    pub truncation: Option<Truncation>,
    /// Why it may have missed rows all the same.
    pub incomplete: Option<IncompleteReason>,
    /// A number for each unreadable row.
    pub unreadable: Vec<u64>,
}

impl<T> Default for Scan<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            pages: 0,
            truncation: None,
            incomplete: None,
            unreadable: Vec::new(),
        }
    }
}

/// Reads a list from its start and keeps the wanted rows.
pub async fn scan<T, F, R>(
    listing: &PaginationSpec,
    limits: ScanLimits,
    wanted: impl Fn(&T) -> bool,
    fetch: F,
) -> Scan<T>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    let mut found = Scan::default();
    let mut reader = PageReader::new(*listing, Position::Start, fetch);
    loop {
        let pages = found.pages;
        let is_over = Instant::now() >= limits.until;
        if is_over && pages == 0 {
            let late = Error::deadline_exceeded().at_stage(FailureStage::NotSent);
            found.truncation = Some(Truncation::Failed(late));
            break;
        }
        if is_over {
            found.truncation = Some(Truncation::DeadlineReached { pages });
            break;
        }
        if reader.pages >= limits.pages {
            found.truncation = Some(Truncation::PageLimit { pages });
            break;
        }
        let step = reader.step(listing.max_page_size, 1);
        let step = tokio::time::timeout_at(limits.until, step).await;
        match step.unwrap_or_else(|_| Err(Error::deadline_exceeded())) {
            Ok(ReadStep::Page(new)) => {
                found.pages += 1;
                let rows = new.rows.into_iter().map(|(row, _)| row);
                let rows = rows.filter(|row| !row.is_unreadable() && wanted(row));
                found.rows.extend(rows);
                if new.more.is_none() {
                    break;
                }
            }
            Ok(ReadStep::Restart) => found.rows.clear(),
            Ok(ReadStep::MaxRows) => {
                found.truncation = Some(Truncation::PageLimit { pages });
                break;
            }
            Err(error) => {
                found.truncation = Some(truncated_by(error, found.pages, limits));
                break;
            }
        }
    }
    (found.incomplete, found.unreadable) = (reader.incomplete, reader.unreadable);
    found
}

/// How much earlier than the scan its last call may give up.
const SLACK: Duration = Duration::from_millis(50);

/// A page that misses the deadline ends the scan. If it is the first one, the scan has failed:
/// nothing was read.
fn truncated_by(error: Error, pages: u32, limits: ScanLimits) -> Truncation {
    let is_over = matches!(
        error.kind(),
        ErrorKind::TimedOut | ErrorKind::DeadlineExceeded
    ) && Instant::now() + SLACK >= limits.until;
    if is_over && pages > 0 {
        Truncation::DeadlineReached { pages }
    } else {
        Truncation::Failed(error)
    }
}
