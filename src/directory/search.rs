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
        Connector, Expand, Filter, ListQuery, SearchResult, SortDirection, SortField, rows,
        without_invalid_spellings,
    },
    context::RequestContext,
    error::{Error, ErrorKind, Result},
    pagination::{
        ListRange, NextPage, Page, PageAddress, PageRequest, PaginationSpec, PaginationStrategy,
        Scan, ScanLimits, read_window,
    },
    user::{Email, User},
};

/// The users of one address, and how far to trust the result.
#[derive(Clone, Debug)]
pub struct EmailSearchResult {
    /// The users whose address it is, each once, by their remote ids.
    pub users: Vec<Arc<User>>,
    /// The report of the provider's work.
    pub report: Report,
}

impl Directory {
    /// Users by address. A provider that fails is a report, not an error.
    pub async fn by_email(
        &self,
        context: &RequestContext,
        emails: Vec<Email>,
        expand: Expand,
    ) -> HashMap<Email, EmailSearchResult> {
        let counted = self.search_all(context, emails, expand).await.into_iter();
        let counted = counted.map(|(email, search)| {
            let report = search.report.record_metric();
            (email, EmailSearchResult { report, ..search })
        });
        counted.collect()
    }

    async fn search_all(
        &self,
        context: &RequestContext,
        emails: Vec<Email>,
        expand: Expand,
    ) -> HashMap<Email, EmailSearchResult> {
        let Ok(connector) = self.connector() else {
            let report = Report::disabled(self.account);
            let nobody = EmailSearchResult {
                users: Vec::new(),
                report,
            };
            return emails
                .into_iter()
                .map(|email| (email, nobody.clone()))
                .collect();
        };
        let joined = Email::group_spellings(emails);
        let emails = joined.iter().map(|(email, _)| email.clone()).collect();
        let mut answers = in_batches(
            emails,
            connector.capabilities().by_email,
            |emails| async move {
                let caveat = connector.capabilities().email_caveat;
                let mut answers = HashMap::new();
                for searched in connector.search(context, &emails, expand).await {
                    let found = searched.found;
                    let found = self.note_result(found, "by_email");
                    for email in searched.emails {
                        let search = self.search(&email, &found, caveat, &searched.work);
                        answers.insert(email, search);
                    }
                }
                answers
            },
        )
        .await;
        let mut given = HashMap::new();
        for (email, spellings) in joined {
            if let Some(answer) = answers.remove(&email) {
                given.extend(spellings.into_iter().map(|email| (email, answer.clone())));
            }
        }
        given
    }

    fn search(
        &self,
        email: &Email,
        found: &Result<SearchResult>,
        caveat: Option<&str>,
        work: &RequestContext,
    ) -> EmailSearchResult {
        let calls = work.calls();
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                return EmailSearchResult {
                    users: Vec::new(),
                    report: Report::failed(self.account, error.clone(), calls),
                };
            }
        };
        let users = found.users.iter().filter(|user| user.has_email(email));
        let users = sort_and_dedup(users.cloned().map(Arc::new).collect());
        let (notice, error) = match &found.incomplete {
            Some(incomplete) => (Some(incomplete.notice.clone()), incomplete.error.clone()),
            None => (None, None),
        };
        let error = error.map(|error| error.with_operation(self.account, "by_email"));
        let report = match error {
            Some(error) if users.is_empty() && error.kind() != ErrorKind::DeadlineExceeded => {
                Report {
                    notices: notice.into_iter().collect(),
                    ..Report::failed(self.account, error, calls)
                }
            }
            error => Report::answered(self.account, error, calls)
                .with_incomplete(notice)
                .with_caveat(caveat.map(search_notice)),
        };
        let report = report.with_work(work);
        EmailSearchResult { users, report }
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
        let of_list = |error: Error| error.with_operation(self.account, "list");
        let emails = std::slice::from_ref(email);
        let scans = scan_spellings(connector, context, selection, email).await;
        let scans = without_invalid_spellings(emails, scans);
        let lists = scans.iter().map(|scan| scan.rows.clone()).collect();
        let users = &merge_lists(lists, selection.filter.sort);
        let found =
            SearchResult::from_scans(scans, "the list of this address", "1,000 users a spelling");
        let found = found.map_err(of_list)?;
        let is_whole = found.incomplete.is_none();
        let window = read_window(&JOINED, range, None, |request| async move {
            Ok(slice_page(users, &request))
        })
        .await;
        let mut window = window.map_err(of_list)?;
        window.total = window.total.filter(|_| is_whole);
        let (notice, error) = match found.incomplete {
            Some(incomplete) => (Some(incomplete.notice), incomplete.error.map(of_list)),
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
        pages: SPELLED_PAGES,
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
const SPELLED_PAGES: u32 = 10;

/// A list that is held in memory, as a provider would page it.
const JOINED: PaginationSpec = PaginationSpec {
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

/// Each user once, by the remote ids: the order in which joined lists are paged.
pub(super) fn sort_and_dedup(mut users: Vec<Arc<User>>) -> Vec<Arc<User>> {
    users.sort_by(|one, other| one.remote_id.cmp(&other.remote_id));
    users.dedup_by(|one, other| one.remote_id == other.remote_id);
    users
}
