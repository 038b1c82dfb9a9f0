//! The scan of Ada's list, which has no search by email: its rows by address. One scan serves all
//! requests that want it while it runs, and as long as its pages would be kept.

use std::{collections::HashMap, time::Duration};

use futures_util::FutureExt;
use tokio::time::Instant;

use super::{AdaOptions, PAGINATION, page_call, page_in};
use crate::{
    client::{
        Client, Operation, Snapshots,
        cache::{BuildOutcome, SnapshotBuilder, SnapshotContent, SnapshotView},
    },
    connectors::{SearchResult, rows},
    context::RequestContext,
    error::{Error, ErrorKind, FailureStage, Result},
    pagination::{IncompleteReason, Page, PageAddress, Scan, ScanLimits, Truncation},
    user::{Email, User, email::fold},
};

/// How long before its deadline a caller takes what has been found: an answer, if not the whole.
const MARGIN: Duration = Duration::from_millis(100);

/// No scan takes so long: what bounds it is how long callers wait.
const FOREVER: Duration = Duration::from_secs(86_400);

/// The rows of Ada's list by address, as far as it has been read.
#[derive(Default)]
pub(super) struct AdaUserIndex {
    by_email: HashMap<String, Vec<User>>,
    bytes: usize,
    pages: u32,
    /// Why the scan did not see the whole list; known when it has ended.
    truncation: Option<Truncation>,
    /// Why it may have missed somebody all the same.
    incomplete: Option<IncompleteReason>,
}

impl SnapshotContent for AdaUserIndex {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

impl AdaUserIndex {
    fn add(&mut self, page: &Page<User>) {
        self.pages += 1;
        for user in &page.rows {
            for email in user.all_emails().map(fold) {
                // The fields of a user repeat parts of its text.
                self.bytes += size_of::<User>() + email.len() + 2 * user.raw.get().len();
                let known = self.by_email.entry(email).or_default();
                // Pages may overlap where the list changes between them.
                if !known.iter().any(|known| known.remote_id == user.remote_id) {
                    known.push(user.clone());
                }
            }
        }
    }

    /// The users of some addresses, and why there may be more.
    fn find(&self, emails: &[Email], is_ended: bool) -> Scan<User> {
        let mut addresses: Vec<&str> = emails.iter().map(Email::folded).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let users = addresses
            .into_iter()
            .filter_map(|address| self.by_email.get(address));
        Scan {
            rows: users.flatten().cloned().collect(),
            pages: self.pages,
            truncation: if is_ended {
                self.truncation.clone()
            } else {
                Some(self.cut_by_caller())
            },
            incomplete: self.incomplete,
            unreadable: Vec::new(),
        }
    }

    /// Why a caller whose time is over does not see the whole list.
    fn cut_by_caller(&self) -> Truncation {
        match self.pages {
            0 => Truncation::Failed(Error::deadline_exceeded().at_stage(FailureStage::NotSent)),
            pages => Truncation::PageLimit { pages },
        }
    }
}

/// The scans of Ada's list within a connector's options.
pub(super) fn scans(http: Client, options: &AdaOptions) -> Snapshots<AdaUserIndex> {
    let pages = options.scan_pages;
    let longest = Duration::from_secs(options.scan_seconds);
    Snapshots::new(http, "list by email", longest, move |building| {
        scan(building, pages).boxed()
    })
}

async fn scan(building: SnapshotBuilder<AdaUserIndex>, pages: u32) -> BuildOutcome {
    let limits = ScanLimits {
        pages,
        // The building itself knows how much time there is: more, when somebody joins.
        until: Instant::now() + FOREVER,
    };
    let building = &building;
    let nobody = |_: &User| false;
    let Scan {
        truncation,
        pages: read,
        incomplete,
        ..
    } = rows::scan(
        building.context(),
        &PAGINATION,
        limits,
        nobody,
        |request| async move {
            if building.has_passed_deadline() {
                return Err(Error::deadline_exceeded().at_stage(FailureStage::NotSent));
            }
            // Pages that were kept do not go together with others: the list is read from its start
            // again.
            let is_read_again =
                request.since.is_some() && request.address == PageAddress::Key(None);
            let read = building.send(page_call(Operation::ByEmail, &request));
            let page = page_in(building.context(), &read.await?);
            rows::note_unreadable_emails(building.context(), &page.rows);
            building.change(|rows| {
                if is_read_again {
                    *rows = AdaUserIndex::default();
                }
                rows.add(&page);
            });
            Ok(page)
        },
    )
    .await;
    let is_late = |error: &Error| {
        matches!(
            error.kind(),
            ErrorKind::DeadlineExceeded | ErrorKind::TimedOut
        ) && building.has_passed_deadline()
    };
    let (truncation, ending) = match truncation {
        // The next scan ends at its bound too.
        None | Some(Truncation::PageLimit { .. } | Truncation::DeadlineReached { .. }) => {
            (truncation, BuildOutcome::Complete)
        }
        Some(Truncation::Failed(error)) if read > 0 && is_late(&error) => (
            Some(Truncation::PageLimit { pages: read }),
            BuildOutcome::DeadlineReached,
        ),
        Some(Truncation::Failed(error)) => (
            Some(Truncation::Failed(error.clone())),
            BuildOutcome::Failed(error),
        ),
    };
    building.change(|rows| (rows.truncation, rows.incomplete) = (truncation, incomplete));
    ending
}

/// Users by address.
///
/// # Errors
/// Why the scan failed, while none of them was found.
pub(super) async fn find(
    scans: &Snapshots<AdaUserIndex>,
    context: &RequestContext,
    emails: &[Email],
) -> Result<SearchResult> {
    let until = context.deadline().checked_sub(MARGIN);
    let until = until.unwrap_or_else(Instant::now);
    let taken = scans.take(context, until).await;
    let is_late = Instant::now() + MARGIN >= until;
    SearchResult::from_scans(
        [found(&taken, emails, is_late)],
        "Ada's list of users, which has no search by email,",
        "scan_pages, scan_seconds",
    )
}

/// The scan as a caller sees it, whose time may be over.
fn found(taken: &SnapshotView<AdaUserIndex>, emails: &[Email], is_late: bool) -> Scan<User> {
    let is_ended = taken.outcome.is_some();
    let mut found = taken.read(|rows| rows.find(emails, is_ended));
    let is_bounded = matches!(taken.outcome, Some(BuildOutcome::Complete));
    if let Some(Truncation::PageLimit { pages }) = found.truncation
        && is_late
        && !is_bounded
    {
        found.truncation = Some(Truncation::DeadlineReached { pages });
    }
    // A scan that ended in a fault of the gateway has not set a truncation.
    if let Some(BuildOutcome::Failed(error)) = &taken.outcome {
        found.truncation = Some(Truncation::Failed(error.clone()));
    }
    found
}
