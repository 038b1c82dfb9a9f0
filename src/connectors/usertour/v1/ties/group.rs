//! Users of one moment who cannot be read whole.

use std::collections::BTreeMap;

use super::{
    MAX, NOTICE, Start, TieReader, TiedPage, Watermark, digest, last_page, moment, next_of,
    page_with_next,
};
use crate::{error::Result, pagination::Page, user::User};

/// How many pages are read to see users of one moment.
const PAGES: usize = 10;

/// Users of one moment, as far as they were seen, by the order of their digests.
#[derive(Default)]
pub(super) struct TieGroup {
    moment: Option<i64>,
    users: BTreeMap<String, User>,
}

impl TieGroup {
    /// Adds users of one moment; those of another one are forgotten.
    pub(super) fn add(&mut self, users: Vec<User>) {
        let moment = users.first().and_then(moment);
        if moment != self.moment {
            self.users.clear();
            self.moment = moment;
        }
        let users = users.into_iter().map(|user| (digest(&user), user));
        self.users.extend(users);
    }

    /// Whether no page shows that they are all.
    pub(super) fn is_too_large(&self) -> bool {
        self.users.len() >= MAX as usize
    }

    /// Whether they could not be read whole before.
    pub(super) fn is_doubtful(&self, floor: &Watermark) -> bool {
        floor.may_be_incomplete && Some(floor.moment) == self.moment
    }
}

impl<F, R> TieReader<F>
where
    F: Fn(Option<String>, u32) -> R,
    R: Future<Output = Result<Page<User>>>,
{
    /// The users of a moment that a few pages show, from a cursor on and from the next one. The
    /// place behind them is within their moment, at a page that shows its end.
    pub(super) async fn read_large_group(
        &self,
        mut crowd: TieGroup,
        cursor: Option<String>,
        next: String,
        floor: Option<&Watermark>,
    ) -> Result<TiedPage> {
        let mut end = next;
        let mut is_last = false;
        for _ in 0..PAGES {
            let page = self.fetch(Some(end.clone()), MAX).await?;
            let onward = next_of(&page);
            let (some, others): (Vec<User>, Vec<User>) = page
                .rows
                .into_iter()
                .partition(|user| moment(user) == crowd.moment);
            crowd.add(some);
            is_last = onward.is_none() && others.is_empty();
            match onward.filter(|_| others.is_empty()) {
                Some(onward) => end = onward,
                None => break,
            }
        }
        let mut given = self.not_yet_returned(crowd.users.into_values().collect(), floor);
        let most = self.page_limit(floor);
        let is_truncated = given.len() > most;
        given.truncate(most);
        let floor = Watermark::after_rows(&given, floor).or_else(|| floor.cloned());
        let floor = floor.map(|floor| Watermark {
            may_be_incomplete: true,
            ..floor
        });
        let start = Start {
            cursor: if is_truncated { cursor } else { Some(end) },
            reread: None,
            watermark: floor,
        };
        let read = match is_last && !is_truncated {
            true => last_page(given),
            false => page_with_next(given, &start),
        };
        Ok(TiedPage {
            incomplete: Some(NOTICE),
            ..read
        })
    }
}
