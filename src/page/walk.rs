//! A walk: every page of a list, from its start, within limits. For searches that a vendor answers
//! with more than was asked for, or cannot answer at all.

use std::time::Duration;

use tokio::time::Instant;

use super::{Ask, Listing, Mark, Page};
use crate::{
    error::{Error, Kind, Reach, Result},
    user::User,
};

/// How far a walk may go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many pages.
    pub pages: u32,
    /// Until when. What fetches a page does well to end a little earlier by itself: what is cut off
    /// from outside is not measured.
    pub until: Instant,
}

/// Why a walk ended before its list did.
#[derive(Clone, Debug)]
pub enum Cut {
    /// The limit on pages or time was reached.
    Limit {
        /// How many pages were read.
        pages: u32,
    },
    /// A page could not be had.
    Failed(Error),
}

/// What a walk found.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// The users that were wanted, each once.
    pub users: Vec<User>,
    /// How many pages were read.
    pub pages: u32,
    /// Why the walk did not see the whole list; `None` when it did.
    pub cut: Option<Cut>,
}

/// Walks a list from its start and keeps the users that are wanted.
pub async fn walk<F, R>(
    listing: &Listing,
    limits: Limits,
    wanted: impl Fn(&User) -> bool,
    fetch: F,
) -> Walk
where
    F: Fn(Ask) -> R,
    R: Future<Output = Result<Page>>,
{
    let mut found = Walk::default();
    let mut seen = std::collections::HashSet::new();
    let mut visited = std::collections::HashSet::new();
    let (mut at, mut earlier) = (Mark::Start, None);
    for pages in 0.. {
        let is_over = Instant::now() >= limits.until;
        if is_over && pages == 0 {
            let late = Error::late().reaching(Reach::Nowhere);
            found.cut = Some(Cut::Failed(late));
            break;
        }
        if is_over || pages >= limits.pages || listing.is_beyond_reach(&at) {
            found.cut = Some(Cut::Limit { pages });
            break;
        }
        let step = async {
            let ask = listing.ask(&at, listing.max)?;
            let page = fetch(ask.clone()).await?.checked()?;
            Ok::<_, Error>((ask, page))
        };
        let step = tokio::time::timeout_at(limits.until, step).await;
        let (ask, page) = match step.unwrap_or_else(|_| Err(Error::late())) {
            Ok(step) => step,
            Err(error) => match earlier.take().filter(|_| is_stale(&error)) {
                // The list changed behind the mark: what is there now, the page before it says.
                Some(earlier) => {
                    at = earlier;
                    continue;
                }
                None => {
                    found.cut = Some(cut_by(error, pages, limits));
                    break;
                }
            },
        };
        found.pages += 1;
        // A page that is read again may have other rows now: who is new to the walk says `seen`.
        let rows = page.users.iter().filter(|user| !user.is_unreadable);
        found.users.extend(
            rows.filter(|user| wanted(user) && seen.insert(user.vendor_id.clone()))
                .cloned(),
        );
        let Some((next, _)) = ask.next(&page) else {
            break;
        };
        let onward = page.onward().filter(|onward| !visited.contains(onward));
        earlier = if onward.is_some() {
            Some(next.clone())
        } else {
            next.without_next()
        };
        at = onward.unwrap_or(next);
        if !visited.insert(at.clone()) {
            found.cut = Some(Cut::Failed(Error::malformed(
                "the vendor's list runs in a circle",
            )));
            break;
        }
    }
    found
}

/// How much earlier than the walk its last call may give up.
const SLACK: Duration = Duration::from_millis(50);

/// A page that was not there when the time was over ends the walk as its limit; one that was the first
/// is a failure, for nothing was read.
fn cut_by(error: Error, pages: u32, limits: Limits) -> Cut {
    let is_over = matches!(error.kind(), Kind::TimedOut | Kind::Late)
        && Instant::now() + SLACK >= limits.until;
    if is_over && pages > 0 {
        Cut::Limit { pages }
    } else {
        Cut::Failed(error)
    }
}

/// Whether a vendor may have forgotten the place that it named itself.
fn is_stale(error: &Error) -> bool {
    matches!(error.kind(), Kind::Expired | Kind::Rejected)
}
