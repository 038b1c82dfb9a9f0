//! Searches by address. We compare every provider's answer again, and report how far to trust it.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use futures_util::future::join_all;

use super::{Directory, ListedUsers, Report, in_batches, search_notice};
use crate::{
    connectors::{
        Connector, Expand, Filter, Incomplete, ListQuery, SearchBatch, SearchResult, SortDirection,
        SortField, rows, without_invalid_spellings,
    },
    context::RequestContext,
    error::{Error, ErrorKind, Result},
    pagination::{
        ListRange, NextPage, Page, PageAddress, PageRequest, PaginationSpec, PaginationStrategy,
        Scan, ScanLimits, read_window,
    },
    user::{Email, User, email::fold},
};

/// The users of one address, and how far to trust the result.
#[derive(Clone, Debug)]
pub struct EmailSearchResult {
    /// The users whose address it is, each once, by their remote ids.
    pub users: Vec<Arc<User>>,
    /// The report of the provider's work.
    pub report: Report,
}

impl EmailSearchResult {
    /// The result of a search that found nobody.
    #[must_use]
    pub fn nobody(report: Report) -> Self {
        Self {
            users: Vec::new(),
            report,
        }
    }
}

impl Directory {
    /// Users by address, a result for each of `emails` in their order. A provider that fails is a
    /// report, not an error.
    pub async fn by_email(
        &self,
        context: &RequestContext,
        emails: Vec<Email>,
        expand: Expand,
    ) -> Vec<EmailSearchResult> {
        let Ok(connector) = self.connector() else {
            let nobody = EmailSearchResult::nobody(Report::disabled(self.account));
            return vec![nobody; emails.len()];
        };
        let spellings = Email::group_spellings(&emails);
        let size = connector.capabilities().by_email;
        let batches = in_batches(spellings, size, |emails| async move {
            connector.search(context, &emails, expand).await
        });
        let mut results = HashMap::new();
        for batch in batches.await {
            results.extend(self.results_of(batch, connector.capabilities().email_caveat));
        }
        let lost = Error::internal("a search has no result for an address");
        let lost = EmailSearchResult::nobody(Report::failed(self.account, lost, 0));
        let results = emails.iter().map(|email| {
            let result = results.get(email.folded()).unwrap_or(&lost).clone();
            result.report.record_metric();
            result
        });
        results.collect()
    }

    /// The result of each address of a batch, by its folded form. This is where the addresses of
    /// the users that a provider found are compared with what was asked.
    fn results_of(
        &self,
        batch: SearchBatch,
        caveat: Option<&str>,
    ) -> Vec<(String, EmailSearchResult)> {
        let (mut users, report) = match self.note_result(batch.found, "by_email") {
            Ok(found) => {
                let users = users_by_email(found.users);
                (users, Ok((found.incomplete, caveat)))
            }
            Err(error) => (HashMap::new(), Err(error)),
        };
        let results = batch.emails.into_iter().map(|email| {
            let users = users.remove(email.folded()).unwrap_or_default();
            let users = sort_and_dedup(users);
            let report = match &report {
                Ok(found) => self.search_report(!users.is_empty(), found, &batch.work),
                Err(error) => Report::failed(self.account, error.clone(), batch.work.calls()),
            };
            (
                email.folded().to_owned(),
                EmailSearchResult { users, report },
            )
        });
        results.collect()
    }

    /// The report on a search that a provider answered, perhaps not wholly.
    fn search_report(
        &self,
        has_users: bool,
        (incomplete, caveat): &(Option<Incomplete>, Option<&str>),
        work: &RequestContext,
    ) -> Report {
        let notice = incomplete
            .as_ref()
            .map(|incomplete| incomplete.notice.clone());
        let error = incomplete
            .as_ref()
            .and_then(|incomplete| incomplete.error.clone());
        let report = match error {
            Some(error) if !has_users && error.kind() != ErrorKind::DeadlineExceeded => Report {
                notices: notice.into_iter().collect(),
                ..Report::failed(self.account, error, work.calls())
            },
            error => Report::answered(self.account, error, work.calls())
                .with_incomplete(notice)
                .with_caveat(caveat.map(search_notice)),
        };
        report.with_work(work)
    }

    /// The list of one address at a provider that compares spellings: reads the list of each
    /// spelling, joins them, and cuts the window out of the result.
    pub(super) async fn list_by_spelling(
        &self,
        connector: &dyn Connector,
        context: &RequestContext,
        selection: &ListQuery,
        range: &ListRange,
    ) -> Result<ListedUsers> {
        let Some(email) = &selection.filter.email else {
            return Err(Error::new(
                ErrorKind::Internal,
                "there is no address to spell",
            ));
        };
        let emails = std::slice::from_ref(email);
        let scans = scan_spellings(connector, context, selection, email).await;
        let scans = without_invalid_spellings(emails, scans);
        let lists = scans.iter().map(|scan| scan.rows.clone()).collect();
        let users = &merge_lists(lists, selection.filter.sort);
        let most = PAGES_PER_SPELLING * connector.capabilities().pagination.max_page_size;
        let bounds = format!("{most} users a spelling");
        let found = SearchResult::from_scans(scans, "the list of this address", &bounds)?;
        let is_whole = found.incomplete.is_none();
        let mut window = read_window(&LIST_IN_MEMORY, range, None, |request| async move {
            Ok(slice_page(users, &request))
        })
        .await?;
        window.total = window.total.filter(|_| is_whole);
        let (notice, error) = match found.incomplete {
            Some(incomplete) => (Some(incomplete.notice), incomplete.error),
            None => (None, None),
        };
        self.note_unknown(connector, context, &selection.filter, (range, &window))
            .await;
        let report = Report::answered(self.account, error, context.calls())
            .with_incomplete(notice)
            .with_caveat(connector.capabilities().email_caveat.map(search_notice));
        Ok(ListedUsers {
            window,
            report: report.with_work(context),
        })
    }
}

/// Reads the list of each spelling of an address that is asked for.
async fn scan_spellings(
    connector: &dyn Connector,
    context: &RequestContext,
    selection: &ListQuery,
    email: &Email,
) -> Vec<(Email, Scan<User>)> {
    let listing = connector.capabilities().pagination;
    let limits = ScanLimits {
        pages: PAGES_PER_SPELLING,
        until: context.deadline(),
    };
    let post_filtered = connector.capabilities().post_filtered;
    let scans = connector.spellings(email).into_iter().map(|spelling| {
        let filter = Filter {
            email: Some(spelling.clone()),
            ..selection.filter.clone()
        };
        let selection = ListQuery {
            filter,
            expand: selection.expand,
        };
        async move {
            let selection = &selection;
            let scan = rows::scan(
                context,
                &listing,
                limits,
                |user| selection.filter.accepts(user, post_filtered),
                |request| async move { connector.list(context, &request, selection).await },
            )
            .await;
            (spelling, scan)
        }
    });
    join_all(scans).await
}

/// How many pages of a list of one spelling are read.
const PAGES_PER_SPELLING: u32 = 10;

/// A list that is held in memory, as a provider would page it.
const LIST_IN_MEMORY: PaginationSpec = PaginationSpec {
    strategy: PaginationStrategy::Offset { first: 0 },
    position_param: "",
    size_param: "",
    min_page_size: 1,
    max_page_size: u32::MAX,
    max_rows: None,
    is_counted: true,
};

fn slice_page(users: &[User], request: &PageRequest) -> Page<User> {
    let from = match request.address {
        PageAddress::Offset(from) => usize::try_from(from).unwrap_or(usize::MAX),
        PageAddress::Page(_) | PageAddress::Key(_) | PageAddress::Token(_) => 0,
    };
    let rows = users.iter().skip(from).take(request.size as usize);
    Page::new(rows.cloned().collect(), NextPage::Total(users.len() as u64))
}

/// Merges lists of one order, each user once; without an order it appends them. A user without a
/// known moment stays behind the one before it.
fn merge_lists(lists: Vec<Vec<User>>, sort: Option<(SortField, SortDirection)>) -> Vec<User> {
    let mut lists: Vec<VecDeque<User>> = lists.into_iter().map(VecDeque::from).collect();
    let mut seen = HashSet::new();
    let mut merged = Vec::new();
    while let Some(user) = pop_first(&mut lists, sort) {
        if seen.insert(user.remote_id.clone()) {
            merged.push(user);
        }
    }
    merged
}

/// Takes the first of the first users of several lists.
fn pop_first(
    lists: &mut [VecDeque<User>],
    sort: Option<(SortField, SortDirection)>,
) -> Option<User> {
    let heads = lists.iter().enumerate();
    let heads = heads.filter_map(|(list, users)| Some((list, users.front()?)));
    let (list, _) = match sort {
        None => heads.into_iter().next(),
        Some((field, SortDirection::Ascending)) => {
            heads.min_by_key(|(list, user)| (field.moment(user), *list))
        }
        Some((field, SortDirection::Descending)) => heads.min_by_key(|(list, user)| {
            let moment = field.moment(user);
            (moment.is_some(), Reverse(moment), *list)
        }),
    }?;
    lists[list].pop_front()
}

/// Users by their folded addresses, of which each is folded once.
fn users_by_email(users: Vec<User>) -> HashMap<String, Vec<Arc<User>>> {
    let mut by_email: HashMap<String, Vec<Arc<User>>> = HashMap::new();
    for user in users.into_iter().map(Arc::new) {
        for address in user.all_emails().map(fold) {
            by_email.entry(address).or_default().push(Arc::clone(&user));
        }
    }
    by_email
}

/// Each user once, by the remote ids: the order in which joined lists are paged.
pub(super) fn sort_and_dedup(mut users: Vec<Arc<User>>) -> Vec<Arc<User>> {
    users.sort_by(|one, other| one.remote_id.cmp(&other.remote_id));
    users.dedup_by(|one, other| one.remote_id == other.remote_id);
    users
}
