//! A scan: every page of a list, from its start, within limits. For searches that a provider answers
//! with more than was asked for, or cannot answer at all.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    IncompleteReason, Listing, Page, PageRequest, Position, Row,
    reader::{PageReader, ReadStep},
};
use crate::error::{Error, ErrorKind, FailureStage, Result};

/// How far a scan may go.
#[derive(Clone, Copy, Debug)]
pub struct ScanLimits {
    /// How many pages.
    pub pages: u32,
    /// Until when. What fetches a page does well to end a little earlier by itself: what is cut off
    /// from outside is not measured.
    pub until: Instant,
}

/// Why a scan ended before its list did.
#[derive(Clone, Debug)]
pub enum Truncation {
    /// The limit on pages was reached.
    Limit {
        /// How many pages were read.
        pages: u32,
    },
    /// The time was over.
    Late {
        /// How many pages were read.
        pages: u32,
    },
    /// A page could not be had.
    Failed(Error),
}

/// What a scan found.
#[derive(Clone, Debug)]
pub struct Scan<T> {
    /// The users that were wanted, each once.
    pub rows: Vec<T>,
    /// How many pages were read.
    pub pages: u32,
    /// Why the scan did not see the whole list; `None` when it did.
    pub truncation: Option<Truncation>,
    /// Why it may have missed somebody all the same.
    pub incomplete: Option<IncompleteReason>,
    /// A number for each row that cannot be read.
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

/// Walks a list from its start and keeps the users that are wanted.
pub async fn scan<T, F, R>(
    listing: &Listing,
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
    let mut reading = PageReader::new(*listing, Position::Start, fetch);
    loop {
        let pages = found.pages;
        let is_over = Instant::now() >= limits.until;
        if is_over && pages == 0 {
            let late = Error::late().at_stage(FailureStage::Nowhere);
            found.truncation = Some(Truncation::Failed(late));
            break;
        }
        if is_over {
            found.truncation = Some(Truncation::Late { pages });
            break;
        }
        if reading.pages >= limits.pages {
            found.truncation = Some(Truncation::Limit { pages });
            break;
        }
        let step = reading.step(listing.max, 1);
        let step = tokio::time::timeout_at(limits.until, step).await;
        match step.unwrap_or_else(|_| Err(Error::late())) {
            Ok(ReadStep::Page(brought)) => {
                found.pages += 1;
                let rows = brought.rows.into_iter().map(|(row, _)| row);
                let rows = rows.filter(|row| !row.is_unreadable() && wanted(row));
                found.rows.extend(rows);
                if brought.more.is_none() {
                    break;
                }
            }
            Ok(ReadStep::Again) => found.rows.clear(),
            Ok(ReadStep::Beyond) => {
                found.truncation = Some(Truncation::Limit { pages });
                break;
            }
            Err(error) => {
                found.truncation = Some(truncated_by(error, found.pages, limits));
                break;
            }
        }
    }
    (found.incomplete, found.unreadable) = (reading.incomplete, reading.unreadable);
    found
}

/// How much earlier than the scan its last call may give up.
const SLACK: Duration = Duration::from_millis(50);

/// A page that was not there when the time was over ends the scan; one that was the first is a failure,
/// for nothing was read.
fn truncated_by(error: Error, pages: u32, limits: ScanLimits) -> Truncation {
    let is_over = matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Late)
        && Instant::now() + SLACK >= limits.until;
    if is_over && pages > 0 {
        Truncation::Late { pages }
    } else {
        Truncation::Failed(error)
    }
}
