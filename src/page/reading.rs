//! The pages of a list, one after another: which of their rows are new, where the list goes on, and
//! whether anybody may have been missed between two of them. Windows and walks are made of it.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::{
    Ask, Count, Listing, Mark, Next, Page, Paging, Place,
    unreadable::{Unreadable, run},
};
use crate::{
    error::{Error, Kind, Result},
    user::User,
};

/// How many more calls one window or walk makes to find places again whose rows have shifted.
pub const SEARCHES: u32 = 8;

/// How many of them are made for one place.
const SEARCHES_A_PLACE: u64 = 4;

/// How many pages without a row that can be read are read one after another, where each of them names a
/// next one.
pub const EMPTY_PAGES: u32 = 10;

/// How many pages one after another may hold nothing but rows that were read before.
const REPEATED_PAGES: u32 = 2;

/// How many earlier pages are read again where a token is no longer known.
const DETOURS: usize = 3;

/// How far apart in time pages may have been read that were kept and are joined: as far as one slow
/// request reads them.
const TOGETHER: Duration = Duration::from_secs(10);

/// Why somebody may be missing from what was read, or may come again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Doubt {
    /// Rows shifted, and the place between the read and the unread was not found again.
    Shifted,
    /// The rows before a cursor are gone: what is read may have been read before.
    Repeats,
    /// The provider counts more or fewer users than it gave.
    Miscounted,
    /// The last page holds a user twice.
    Doubled,
    /// The provider named a next page after one that held nobody, and whom it should have held is not known.
    Empty,
    /// The time was over.
    Late,
}

impl Doubt {
    /// What to tell a client.
    #[must_use]
    pub fn notice(self) -> &'static str {
        match self {
            Self::Shifted => {
                "users came or went while the list was read, and its place was not found again: some may be missing, or come twice"
            }
            Self::Repeats => {
                "the users before this cursor are gone: some of these may have come before"
            }
            Self::Miscounted => {
                "the provider counts another number of users than it gave: some may be missing"
            }
            Self::Doubled => {
                "the provider's last page holds a user twice: another may be missing in his place"
            }
            Self::Empty => {
                "the provider names a next page after one without a user: some may be missing"
            }
            Self::Late => "the time was over before all of the list was read: there are more users",
        }
    }
}

/// What a step brings.
pub(super) enum Step {
    /// A page.
    Page(Brought),
    /// The list has rows that the provider refuses to page to.
    Beyond,
    /// Pages of different ages do not go together: what was read is void, and read again.
    Again,
}

/// What a page brings.
pub(super) struct Brought {
    /// The rows that are new, each with the mark after it; those that cannot be read hold their places.
    pub(super) rows: Vec<(User, Mark)>,
    /// Whether there is more and whether the provider vouches for it; `None` at the end.
    pub(super) more: Option<bool>,
}

/// The way through a list.
pub(super) struct Reading<F> {
    listing: Listing,
    fetch: F,
    origin: Mark,
    at: Mark,
    /// Other ways on, the best last, where the provider no longer knows the first.
    detours: Vec<Mark>,
    /// The starts of the pages read, where they are named by tokens.
    starts: Vec<Mark>,
    is_first: bool,
    /// The ordinal of the first row that is wanted.
    start: u64,
    /// The keys of the rows read, and of those that the first mark names.
    seen: HashSet<String>,
    /// Those of them that a page held beyond what it was asked for, where rows are counted: where they are
    /// in the list is not known.
    strays: HashSet<String>,
    /// Whether nothing but a short page tells the size of the provider's pages.
    is_size_guessed: bool,
    /// The last row read, of those that can be.
    last: Option<String>,
    /// How many rows that cannot be read come behind it, up to where the list was read.
    trailing: usize,
    /// The ordinal behind the rows read, where rows are counted.
    end: u64,
    numbers: Unreadable,
    visited: HashSet<String>,
    empty: u32,
    repeated: u32,
    searches: u32,
    /// How many rows the pages had, each counted once.
    count: u64,
    /// The least and the greatest number of rows that the provider counted.
    totals: Option<(u64, u64)>,
    ahead: VecDeque<(Ask, Result<Page>)>,
    /// Whether a page that was asked for ahead was of no use.
    shifts: bool,
    /// Why the list cannot be read on.
    broken: Option<Error>,
    began: Instant,
    /// When the first page was read, if it was kept.
    first: Option<Option<Instant>>,
    since: Option<Instant>,
    /// How many pages were read.
    pub(super) pages: u32,
    /// How many rows the whole list has, where the provider says so.
    pub(super) total: Option<u64>,
    /// Why somebody may be missing.
    pub(super) doubt: Option<Doubt>,
    /// A number for each row that cannot be read.
    pub(super) unreadable: Vec<u64>,
}

impl<F, R> Reading<F>
where
    F: Fn(Ask) -> R,
    R: Future<Output = Result<Page>>,
{
    /// A reading that begins at a mark.
    pub(super) fn new(listing: Listing, origin: Mark, fetch: F) -> Self {
        let mut reading = Self {
            listing,
            fetch,
            origin,
            at: Mark::Start,
            detours: Vec::new(),
            starts: Vec::new(),
            is_first: true,
            start: 0,
            seen: HashSet::new(),
            strays: HashSet::new(),
            is_size_guessed: false,
            last: None,
            trailing: 0,
            end: 0,
            numbers: Unreadable::default(),
            visited: HashSet::new(),
            empty: 0,
            repeated: 0,
            searches: SEARCHES,
            count: 0,
            totals: None,
            ahead: VecDeque::new(),
            shifts: false,
            broken: None,
            began: Instant::now(),
            first: None,
            since: None,
            pages: 0,
            total: None,
            doubt: None,
            unreadable: Vec::new(),
        };
        reading.begin();
        reading
    }

    /// Forgets what was read.
    fn begin(&mut self) {
        self.at = self.origin.clone();
        let anchor = self.at.anchor();
        self.last = anchor.map(|anchor| anchor.row().to_owned());
        let keys = anchor.into_iter().flat_map(super::Anchor::keys);
        self.seen = keys.map(str::to_owned).collect();
        self.detours = match &self.at {
            Mark::Key(anchor) => vec![before(anchor)],
            at => at.without_next().into_iter().collect(),
        };
        (self.count, self.totals) = match &self.at {
            Mark::Token {
                count: Some(Count(before, least, most)),
                ..
            } => (*before, Some((*least, *most))),
            _ => (0, None),
        };
        (self.is_first, self.start) = (true, 0);
        (self.trailing, self.end) = (0, 0);
        self.numbers = Unreadable::default();
        self.unreadable.clear();
        self.strays.clear();
        self.starts.clear();
        self.visited.clear();
        self.ahead.clear();
        (self.empty, self.repeated, self.searches) = (0, 0, SEARCHES);
        (self.doubt, self.broken) = (None, None);
    }

    /// Reads the next page, `want` rows of it. Where the number of rows is known, up to `ahead` pages are
    /// asked for at the same time.
    pub(super) async fn step(&mut self, want: u32, ahead: usize) -> Result<Step> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        if self.is_beyond_reach() {
            return Ok(Step::Beyond);
        }
        // Behind a page of nobody the largest is the nearest to somebody.
        let want = match self.empty {
            0 => want,
            _ => self.listing.max,
        };
        let (ask, page) = self.next_page(want, ahead).await?;
        if self.is_of_another_age(&page) {
            self.since = Some(self.began);
            self.first = Some(None);
            self.begin();
            return Ok(Step::Again);
        }
        let (ask, page) = self.joined(ask, page, want).await?;
        self.take_total(&page);
        self.doubt = self.doubt.or(page.doubt);
        let from = self.first_new(&ask, &page);
        let unread = self.first_unread(&ask, &page, from);
        let is_new = self.has_new(&ask, &page, from, unread);
        let has_new_user = self.has_new_user(&page, from);
        let mut more = ask.more(&page);
        if !is_new && self.is_size_guessed {
            more = None;
        }
        if !is_new && self.is_counted_only(&ask, &page) {
            (more, self.doubt) = (None, Some(Doubt::Miscounted));
        }
        let next = more.map(|_| self.following(&ask, &page, has_new_user));
        self.note(&page, has_new_user);
        let is_doubled = more.is_none() && has_doubles(&page);
        self.check_page(&ask, &page);
        let rows = self.rows(&ask, page, from, unread);
        if more.is_none() {
            self.check_count(is_doubled);
        }
        self.is_first = false;
        let more = match next.map(|next| next.and_then(|next| self.advance(next))) {
            Some(Ok(true)) => more,
            Some(Ok(false)) | None => None,
            Some(Err(error)) => {
                self.broken = Some(error);
                more
            }
        };
        Ok(Step::Page(Brought { rows, more }))
    }

    /// Whether the provider refuses every page that could hold the next row.
    pub(super) fn is_beyond_reach(&self) -> bool {
        self.listing.is_beyond_reach(&self.at)
    }

    /// The page at the mark: one that was asked for ahead if it is of use, else one that is asked for.
    async fn next_page(&mut self, want: u32, ahead: usize) -> Result<(Ask, Page)> {
        if let Some((ask, page)) = self.ahead.pop_front() {
            let page = page?;
            let begins_before = ask.ordinal < self.at.ordinal();
            if begins_before && ask.end() > self.at.ordinal() && self.knows_one_of(&page) {
                return Ok((ask, page));
            }
            self.ahead.clear();
            self.shifts = true;
        }
        let mut asks = self.plan(want, ahead)?;
        if asks.len() > 1 {
            let first = asks.remove(0);
            let fetched = self.fetch_all(first, asks, ahead).await;
            self.pages += u32::try_from(fetched.len()).unwrap_or(u32::MAX);
            self.ahead = fetched;
            if let Some((ask, page)) = self.ahead.pop_front() {
                return Ok((ask, page?));
            }
        }
        let mut at = self.at.clone();
        loop {
            let mut ask = self.ask(&at, want)?;
            let error = match self.fetch(&ask).await {
                Ok(page) if !self.take_size(&mut ask, &page) => continue,
                Ok(page) if !self.is_a_dead_end(&page) => return Ok((ask, page)),
                Ok(page) => match self.try_detours(want).await {
                    Some(better) => return Ok(better),
                    // Not even the row before, behind which there is this one, is known.
                    None => {
                        self.doubt = Some(Doubt::Shifted);
                        return Ok((ask, page));
                    }
                },
                Err(error) => error,
            };
            match self.detours.pop().filter(|_| self.is_stale(&error)) {
                Some(detour) => at = detour,
                None => return Err(error),
            }
        }
    }

    /// The request for the page at a mark. Where a list of keys is read from its start for want of a row
    /// that is known, those up to the row that was named are not wanted.
    fn ask(&self, at: &Mark, want: u32) -> Result<Ask> {
        let ask = self.listing.ask(at, want)?;
        let is_restart = self.listing.paging == Paging::Key && *at == Mark::Start;
        Ok(match self.at.anchor().filter(|_| is_restart) {
            Some(anchor) => Ask {
                overlaps: true,
                ..ask.anchored(Some(anchor))
            },
            None => ask,
        })
    }

    /// Takes note of the size of the provider's pages, where it gives fewer rows than it is asked for:
    /// their numbers count pages of that size. Whether the page is the one that was asked for.
    fn take_size(&mut self, ask: &mut Ask, page: &Page) -> bool {
        let is_less = |size: &u32| (self.listing.min..ask.size).contains(size);
        let is_by_number = matches!(ask.place, Place::Page(_));
        let is_guess = page.next == Next::Silent;
        let size = page.size.filter(is_less);
        let size = size.filter(|_| !(is_guess && self.is_size_guessed));
        let Some(size) = size.filter(|_| is_by_number) else {
            return true;
        };
        self.listing.max = size;
        self.is_size_guessed = is_guess;
        (ask.listing, ask.size) = (self.listing, size);
        ask.ordinal == 0
    }

    async fn fetch(&mut self, ask: &Ask) -> Result<Page> {
        self.pages += 1;
        let since = self.since;
        (self.fetch)(Ask {
            since,
            ..ask.clone()
        })
        .await?
        .checked()
    }

    /// Pages that are asked for side by side, in order; what follows an error is dropped.
    async fn fetch_all(
        &self,
        first: Ask,
        others: Vec<Ask>,
        ahead: usize,
    ) -> VecDeque<(Ask, Result<Page>)> {
        let (fetch, since) = (&self.fetch, self.since);
        let asks = std::iter::once(first).chain(others);
        let pages = asks.map(|ask| async move {
            let asked = Ask {
                since,
                ..ask.clone()
            };
            let page = fetch(asked).await.and_then(Page::checked);
            (ask, page)
        });
        let mut pages = stream::iter(pages).buffered(ahead);
        let mut fetched = VecDeque::new();
        while let Some((ask, page)) = pages.next().await {
            let is_failed = page.is_err();
            fetched.push_back((ask, page));
            if is_failed {
                break;
            }
        }
        fetched
    }

    /// The requests for the pages after the mark: one, or as many as hold the rows wanted where their
    /// places are known.
    fn plan(&self, want: u32, ahead: usize) -> Result<Vec<Ask>> {
        let mut asks = vec![self.listing.ask(&self.at, want)?];
        let Some(total) = self
            .total
            .filter(|_| ahead > 1 && !self.shifts && self.listing.is_ordinal())
        else {
            return Ok(asks);
        };
        let end = self.at.ordinal().saturating_add(u64::from(want)).min(total);
        while let Some(from) = asks.last().map(Ask::end).filter(|&from| from < end) {
            let left = u32::try_from(end - from).unwrap_or(u32::MAX);
            if self.listing.is_beyond_reach(&Mark::Nth(from)) {
                break;
            }
            match self.listing.overlapping(from, left) {
                Some(ask) => asks.push(ask),
                None => break,
            }
        }
        Ok(asks)
    }

    /// Whether a page says that nothing follows a place that the provider may not know any more: it
    /// answers so where others answer an error.
    fn is_a_dead_end(&self, page: &Page) -> bool {
        let is_end = page.next == Next::Key(None);
        is_end && page.sent == 0 && !self.detours.is_empty()
    }

    /// The page behind a row further up, where there is one.
    async fn try_detours(&mut self, want: u32) -> Option<(Ask, Page)> {
        while let Some(detour) = self.detours.pop() {
            let ask = self.ask(&detour, want).ok()?;
            match self.fetch(&ask).await {
                Ok(page) if page.sent > 0 => return Some((ask, page)),
                Ok(_) | Err(_) => {}
            }
        }
        None
    }

    /// Whether a provider may have forgotten the place that it named itself, or that a row named.
    fn is_stale(&self, error: &Error) -> bool {
        matches!(
            (self.listing.paging, error.kind()),
            (Paging::Token, Kind::Expired)
                | (Paging::Key, Kind::Expired | Kind::Rejected | Kind::Missing)
        )
    }

    /// Whether a page is not as old as those before it: some were kept and others were not, or they were
    /// kept at different times.
    fn is_of_another_age(&mut self, page: &Page) -> bool {
        let kept = page.kept.filter(|at| *at < self.began);
        let Some(first) = self.first else {
            self.first = Some(kept);
            if kept.is_none() {
                self.since = Some(self.began);
            }
            return false;
        };
        match (first, kept) {
            (Some(first), Some(this)) => {
                let apart = this.max(first).saturating_duration_since(this.min(first));
                apart > TOGETHER
            }
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    fn knows_one_of(&self, page: &Page) -> bool {
        page.users.iter().any(|user| self.knows(user))
    }

    /// Whether a page has a row that is wanted and was not read: a user who is not known, or a row that
    /// cannot be read behind all that were.
    fn has_new(&self, ask: &Ask, page: &Page, from: usize, unread: usize) -> bool {
        let rows = page.users.iter().enumerate().skip(from);
        let mut rows = rows.map(|(place, user)| (place, user.is_unreadable));
        let is_new = |(place, is_unreadable): (usize, bool)| {
            is_unreadable && place >= unread && place < ask.placed(page)
        };
        rows.any(is_new) || self.has_new_user(page, from)
    }

    fn has_new_user(&self, page: &Page, from: usize) -> bool {
        let mut users = page.users.iter().skip(from);
        users.any(|user| !user.is_unreadable && !self.seen.contains(&user.vendor_id))
    }

    /// Whether a user was read, at a place that is known. Nothing is told by rows that cannot be.
    fn knows(&self, user: &User) -> bool {
        let is_read = !user.is_unreadable && self.seen.contains(&user.vendor_id);
        is_read && !self.strays.contains(&user.vendor_id)
    }

    /// A page that goes on where the read part ends: this one, or another where rows have shifted.
    async fn joined(&mut self, ask: Ask, page: Page, want: u32) -> Result<(Ask, Page)> {
        if ask.names_more_than_nothing(&page) {
            // Whom it should have held nobody can say.
            self.doubt = self.doubt.or(Some(Doubt::Empty));
            return Ok((ask, page));
        }
        if !ask.overlaps || self.knows_one_of(&page) {
            return Ok((ask, page));
        }
        match ask.place {
            Place::Page(_) | Place::Offset(_) => self.searched(ask, page).await,
            Place::Token(_) | Place::Key(_) if self.is_first => {
                self.searched_behind(ask, page, want).await
            }
            Place::Token(_) | Place::Key(_) => Ok((ask, page)),
        }
    }

    /// Looks for the last row read among the rows before the page and behind it.
    async fn searched(&mut self, ask: Ask, page: Page) -> Result<(Ask, Page)> {
        self.ahead.clear();
        let (place, step) = (self.at.ordinal(), u64::from(self.listing.max));
        let is_more = ask.more(&page).is_some();
        let directions = if self.is_first { 2 } else { 1 };
        for distance in 1..=SEARCHES_A_PLACE / directions {
            let back = place.saturating_sub(distance * step);
            let onward = ask.end() + (distance - 1) * step;
            let is_new = place > (distance - 1) * step;
            let places = [
                is_new.then_some(back),
                (is_more && self.is_first).then_some(onward),
            ];
            for from in places.into_iter().flatten() {
                let asked = self.listing.counted(from, self.listing.max);
                let is_in_reach = self.listing.reach.is_none_or(|reach| asked.end() <= reach);
                if self.searches == 0 || !is_in_reach {
                    continue;
                }
                self.searches -= 1;
                let asked = asked.anchored(ask.anchor.as_ref());
                let other = self.fetch(&asked).await?;
                let is_whole = asked.ordinal == 0 && self.origin == Mark::Start;
                if self.knows_one_of(&other) || is_whole {
                    return Ok((asked, other));
                }
            }
        }
        self.doubt = Some(Doubt::Shifted);
        Ok((ask, page))
    }

    /// Looks for the last row read on the pages that follow one that should hold it.
    async fn searched_behind(&mut self, ask: Ask, page: Page, want: u32) -> Result<(Ask, Page)> {
        let mut at = ask.next(&page, None).filter(|_| ask.more(&page).is_some());
        while let Some(mark) = at.filter(|_| self.searches > 0) {
            self.searches -= 1;
            let other = self.listing.ask(&mark, want)?;
            let other = other.anchored(ask.anchor.as_ref());
            let Ok(found) = self.fetch(&other).await else {
                break;
            };
            if self.knows_one_of(&found) {
                return Ok((other, found));
            }
            at = other
                .next(&found, None)
                .filter(|_| other.more(&found).is_some());
        }
        self.doubt = Some(Doubt::Repeats);
        Ok((ask, page))
    }

    fn take_total(&mut self, page: &Page) {
        let Some(total) = page.next.total() else {
            return;
        };
        self.total = Some(total);
        let (least, most) = self.totals.unwrap_or((total, total));
        let (least, most) = (least.min(total), most.max(total));
        self.totals = Some((least, most));
        if page.is_numbered && least < most {
            self.doubt = self.doubt.or(Some(Doubt::Shifted));
        }
    }

    /// The place of the first row of a page that may be wanted.
    fn first_new(&mut self, ask: &Ask, page: &Page) -> usize {
        if self.is_first {
            let from = ask.behind(page);
            self.start = ask.ordinal.saturating_add(from as u64);
            return from;
        }
        // A page may begin before the window. Behind a row that was read nobody is before the window.
        let before = self.start.saturating_sub(ask.ordinal);
        let before = usize::try_from(before).unwrap_or(usize::MAX);
        let mut users = page.users.iter();
        let known = users.position(|user| self.knows(user));
        match ask.place {
            Place::Page(_) | Place::Offset(_) => match known {
                Some(known) => before.min(known),
                None if ask.overlaps => 0,
                None => before.min(page.users.len()),
            },
            Place::Key(_) | Place::Token(_) => 0,
        }
    }

    /// The place of a page behind the rows that were read, as far as users tell it, or numbers: from here
    /// on rows that cannot be read are new.
    fn first_unread(&self, ask: &Ask, page: &Page, from: usize) -> usize {
        if self.is_first {
            return from;
        }
        let placed = &page.users[..ask.placed(page)];
        let known = placed.iter().rposition(|user| self.knows(user));
        let is_last = |id: &str| self.last.as_deref() == Some(id);
        let behind_last = |from| from + run(page, from).min(self.trailing);
        match (known, &ask.place) {
            (Some(place), _) if is_last(&page.users[place].vendor_id) => behind_last(place + 1),
            (Some(place), _) => place + 1,
            (None, Place::Key(Some(key))) if is_last(key) => behind_last(0),
            (None, Place::Page(_) | Place::Offset(_)) if !ask.overlaps => {
                usize::try_from(self.end.saturating_sub(ask.ordinal)).unwrap_or(usize::MAX)
            }
            (None, _) => 0,
        }
    }

    /// Counts pages that bring nobody, since the last one that did: those without a user and repeated ones
    /// may alternate.
    fn note(&mut self, page: &Page, has_new_user: bool) {
        let is_barren = page.users.last().is_none_or(|user| user.is_unreadable);
        match (has_new_user, is_barren) {
            (true, _) => (self.empty, self.repeated) = (0, 0),
            (false, true) => self.empty += 1,
            (false, false) => self.repeated += 1,
        }
    }

    /// The rows of a page that are new.
    fn rows(&mut self, ask: &Ask, page: Page, from: usize, unread: usize) -> Vec<(User, Mark)> {
        let before = self.last.clone();
        let totals = self.totals.filter(|_| self.is_counting());
        self.note_strays(ask, &page);
        self.count += page.sent.saturating_sub(page.users.len()) as u64;
        let mut marks = VecDeque::new();
        for (place, user) in page.users.iter().enumerate().skip(from) {
            let is_new = match user.is_unreadable {
                true => place >= unread && place < ask.placed(&page),
                false => self.seen.insert(user.vendor_id.clone()),
            };
            if !is_new {
                continue;
            }
            if user.is_unreadable {
                self.trailing += 1;
                self.unreadable.push(self.numbers.number(user));
            }
            self.count += 1;
            let mark = ask.after(&page, place, before.as_deref());
            marks.push_back((place, mark.counted(self.count, totals)));
        }
        let placed = &page.users[..ask.placed(&page)];
        if let Some(last) = placed.iter().rposition(|user| !user.is_unreadable) {
            let trailing = placed.len() - last - 1;
            let is_same = self.last.as_ref() == Some(&placed[last].vendor_id);
            self.trailing = if is_same {
                self.trailing.max(trailing)
            } else {
                trailing
            };
            self.last = Some(placed[last].vendor_id.clone());
        }
        self.end = self
            .end
            .max(ask.ordinal.saturating_add(placed.len() as u64));
        let users = page.users.into_iter().enumerate();
        let rows = users.filter_map(|(place, user)| {
            let (_, mark) = marks.pop_front_if(|(wanted, _)| *wanted == place)?;
            Some((user, mark))
        });
        rows.collect()
    }

    /// Notes the rows of a page whose place in the list it does not tell, and those whose place it does.
    fn note_strays(&mut self, ask: &Ask, page: &Page) {
        let (placed, others) = page.users.split_at(ask.placed(page));
        for user in placed {
            self.strays.remove(&user.vendor_id);
        }
        let others = others.iter().filter(|user| !user.is_unreadable);
        let new = others.map(|user| &user.vendor_id);
        let new = new.filter(|id| !self.seen.contains(*id));
        self.strays.extend(new.cloned());
    }

    /// Whether it is known how many rows are before the next one, though nobody counts them.
    fn is_counting(&self) -> bool {
        match &self.origin {
            Mark::Start => true,
            Mark::Token { count, .. } => count.is_some(),
            Mark::Nth(_) | Mark::Row(..) | Mark::Key(_) | Mark::At(_) => false,
        }
    }

    /// The mark after a page, with the other ways to it.
    fn following(&mut self, ask: &Ask, page: &Page, is_new: bool) -> Result<Mark> {
        let nowhere = || Error::malformed("the provider says that there is more, and not where");
        let next = ask.next(page, self.last.as_deref());
        match &ask.place {
            Place::Page(_) | Place::Offset(_) => {
                let next = next.ok_or_else(nowhere)?;
                let end = ask.ordinal.saturating_add(ask.placed(page) as u64);
                let is_barren = page.users.last().is_some_and(|user| user.is_unreadable);
                if !is_new && is_barren && end > self.at.ordinal() {
                    // No user is known at whom the next page could begin.
                    return Ok(Mark::Nth(end));
                }
                // Nothing new: the next page begins behind this one.
                let is_stuck = !is_new && next.ordinal() <= self.at.ordinal();
                Ok(match (is_stuck, self.at.anchor()) {
                    (true, Some(anchor)) => Mark::Row(ask.end(), anchor.clone()),
                    (true, None) => Mark::Nth(ask.end()),
                    (false, _) => next,
                })
            }
            Place::Key(_) => {
                let visited = &self.visited;
                let asked = ask.place.clone();
                // A page that names itself, or one that was read, is gone on from by its last row.
                let onward = page.onward().filter(|onward| match onward {
                    Mark::At(key) if asked == Place::Key(Some(key.clone())) => false,
                    onward => !visited.contains(&onward.name()),
                });
                // Behind a page of nobody the ways on are those to the page itself.
                if let Some(anchor) = next.as_ref().and_then(Mark::anchor) {
                    self.detours = vec![before(anchor)];
                }
                match onward {
                    Some(onward) => {
                        self.detours.extend(next);
                        Ok(onward)
                    }
                    None => next.ok_or_else(nowhere),
                }
            }
            Place::Token(token) => {
                let next = next.ok_or_else(nowhere)?;
                let start = token.clone().map(|token| Mark::Token {
                    token: Some(token),
                    skip: 0,
                    row: None,
                    next: None,
                    count: None,
                });
                let earlier = self.starts.iter().rev().take(DETOURS).rev().cloned();
                self.detours = earlier.chain(next.without_next()).collect();
                self.starts.push(start.unwrap_or(Mark::Start));
                Ok(next)
            }
        }
    }

    /// Goes on to the next mark, unless the list runs in a circle: the mark has been there before, or
    /// one page after another had been read before. One empty page after another ends it.
    fn advance(&mut self, next: Mark) -> Result<bool> {
        let is_ordinal = self.listing.is_ordinal();
        let is_known = next.name() == self.at.name() || !self.visited.insert(next.name());
        if (is_known && !is_ordinal) || self.repeated > REPEATED_PAGES {
            let message = match is_ordinal {
                true => {
                    "the provider answers users again that were on earlier pages: it gives other pages than it was asked for"
                }
                false => "the provider's list runs in a circle",
            };
            return Err(Error::malformed(message));
        }
        if self.empty > EMPTY_PAGES {
            self.doubt = Some(Doubt::Empty);
            return Ok(false);
        }
        self.at = next;
        Ok(true)
    }

    /// Whether a page is short of the next row, which it should hold by the count alone: no next page is
    /// named.
    fn is_counted_only(&self, ask: &Ask, page: &Page) -> bool {
        let is_unnamed = matches!(
            page.next,
            Next::Total(_) | Next::Counted { more: false, .. }
        );
        let should_hold = ask.more(page).is_some() && ask.end() > self.at.ordinal();
        let is_short = page.sent < ask.size as usize;
        self.listing.is_ordinal() && is_unnamed && should_hold && is_short
    }

    /// Compares the rows of a page with what the provider counts: there are none behind the last, and a
    /// page before it holds some.
    fn check_page(&mut self, ask: &Ask, page: &Page) {
        let end = ask.ordinal.saturating_add(page.sent as u64);
        let is_off = |total| match page.sent {
            0 => ask.ordinal < total,
            _ => end > total,
        };
        if self.listing.is_ordinal() && page.next.total().is_some_and(is_off) {
            self.doubt = self.doubt.or(Some(Doubt::Miscounted));
        }
    }

    /// Compares the number of all rows with what the provider counts.
    fn check_count(&mut self, is_doubled: bool) {
        let is_off = |(least, most)| self.count < least || self.count > most;
        let totals = self.totals.filter(|_| self.is_counting());
        let doubt = match totals {
            Some(totals) => is_off(totals).then_some(Doubt::Miscounted),
            None => is_doubled.then_some(Doubt::Doubled),
        };
        self.doubt = self.doubt.or(doubt);
    }
}

/// Whether a page holds a row twice.
fn has_doubles(page: &Page) -> bool {
    let mut seen = HashSet::new();
    let mut users = page.users.iter().filter(|user| !user.is_unreadable);
    !users.all(|user| seen.insert(&user.vendor_id))
}

/// The mark after the row before a row; the start, where there is none or it is not known.
fn before(anchor: &super::Anchor) -> Mark {
    match anchor.before() {
        Some(before) => Mark::Key(super::Anchor::One(before.to_owned())),
        None => Mark::Start,
    }
}
