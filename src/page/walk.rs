//! A walk: every page of a list, from its start, within limits. For searches that a vendor answers
//! with more than was asked for, or cannot answer at all.

use tokio::time::Instant;

use super::{Ask, Listing, Mark, Page};
use crate::{
    error::{Error, Kind, Result},
    user::User,
};

/// How far a walk may go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many pages.
    pub pages: u32,
    /// Until when.
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
    let mut at = Mark::Start;
    for pages in 0.. {
        if pages >= limits.pages || listing.is_beyond_reach(&at) || Instant::now() >= limits.until {
            found.cut = Some(Cut::Limit { pages });
            break;
        }
        let step = async {
            let ask = listing.ask(&at, listing.max)?;
            let page = fetch(ask.clone()).await?;
            Ok::<_, Error>((ask, page))
        };
        let (ask, page) = match tokio::time::timeout_at(limits.until, step).await {
            Ok(Ok(step)) => step,
            Ok(Err(error)) => match at.without_next().filter(|_| error.kind() == Kind::Expired) {
                // The list changed behind the token: what is there now, the page before it says.
                Some(earlier) => {
                    at = earlier;
                    continue;
                }
                None => {
                    found.cut = Some(Cut::Failed(error));
                    break;
                }
            },
            // Not one page came: that is a failure, and no short answer.
            Err(_) if pages == 0 => {
                let late = "the vendor did not answer in time; try again, or raise its timeout in the configuration";
                found.cut = Some(Cut::Failed(Error::new(Kind::TimedOut, late)));
                break;
            }
            Err(_) => {
                found.cut = Some(Cut::Limit { pages });
                break;
            }
        };
        // A page that is read again may have other rows now: who is new to the walk says `seen`.
        let rows = page.users.iter();
        found.users.extend(
            rows.filter(|user| wanted(user) && seen.insert(user.vendor_id.clone()))
                .cloned(),
        );
        let Some((next, _)) = ask.next(&page) else {
            break;
        };
        if !visited.insert(next.clone()) {
            found.cut = Some(Cut::Failed(Error::malformed(
                "the vendor's list runs in a circle",
            )));
            break;
        }
        at = next;
    }
    found
}
