//! Searches for parts of addresses, by a provider's own search: each form of a part is asked for,
//! and the answers are compared again.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{Directory, EmailSearchResult, Report, search::sort_and_dedup, search_notice};
use crate::{
    connectors::{Connector, Expand, Filter, ListQuery, rows},
    context::RequestContext,
    error::{Error, Result},
    notice::{Notice, NoticeCode},
    pagination::{IncompleteReason, ListRange, Window},
    user::{Email, User, email::pattern::EmailPattern},
};

/// The notice on a part that may be within a label of a domain.
const WITHIN_A_LABEL: &str = "a label of a domain beyond ASCII is kept as letters or as `xn--…`, and is found in both forms as a \
     whole only: users with this part within a longer label may be missing";

impl Directory {
    /// Users whose address holds a part, by the provider's own search: one window of it for each
    /// form of the part. `None` when the provider has no such search.
    pub async fn containing(
        &self,
        context: &RequestContext,
        part: &EmailPattern,
        count: u32,
        expand: Expand,
    ) -> Option<EmailSearchResult> {
        let connector = self.connector().ok()?;
        if !connector.capabilities().finds_substrings {
            return None;
        }
        let context = &context.with_new_usage();
        let forms = part.forms();
        let windows = forms
            .iter()
            .map(|form| window_of(connector, context, form, count, expand));
        let (mut found, mut failure) = (Vec::new(), None);
        for window in join_all(windows).await {
            match window {
                Ok(window) => found.push(window),
                Err(error) => failure = Some(error),
            }
        }
        let report = match failure {
            Some(error) if found.is_empty() => Report::failed(self.account, error, context.calls()),
            failure => self.windows_report(context, &found, failure, count),
        };
        let is_open = part.may_be_within_a_label();
        let report = report
            .with_caveat(is_open.then(|| search_notice(WITHIN_A_LABEL)))
            .with_work(context);
        let rows = found.into_iter().flat_map(|window| window.rows);
        let users = rows.map(|row| row.node).filter(|user| has_part(user, part));
        Some(EmailSearchResult {
            users: sort_and_dedup(users.map(Arc::new).collect()),
            report,
        })
    }

    /// The report on the windows of a part's forms, of which one may have failed.
    fn windows_report(
        &self,
        context: &RequestContext,
        windows: &[Window<User>],
        failure: Option<Error>,
        count: u32,
    ) -> Report {
        let late = windows.iter().find_map(|window| window.failure.clone());
        let incomplete = windows.iter().find_map(|window| window.incomplete);
        let incomplete = incomplete.map(IncompleteReason::notice::<User>);
        let failed = "a form of this part could not be searched for: users may be missing";
        let failed = failure
            .as_ref()
            .map(|_| Notice::new(NoticeCode::PartialFailure, failed));
        let has_more = late.is_none() && windows.iter().any(|window| window.has_next);
        let more = format!(
            "more than {count} users have this text in their email: search for a longer one"
        );
        let more = has_more.then(|| Notice::new(NoticeCode::LimitReached, more));
        Report::answered(self.account, failure.or(late), context.calls())
            .with_incomplete(failed.into_iter().chain(incomplete).chain(more))
    }
}

/// The first users of a list of those whose address holds a text.
async fn window_of(
    connector: &dyn Connector,
    context: &RequestContext,
    text: &str,
    count: u32,
    expand: Expand,
) -> Result<Window<User>> {
    let selection = &ListQuery {
        filter: Filter {
            email: Some(Email::fragment(text)),
            ..Filter::default()
        },
        expand,
    };
    let range = ListRange {
        count,
        ..ListRange::default()
    };
    let listing = &connector.capabilities().pagination;
    rows::read_window(context, listing, &range, None, |request| async move {
        connector.list(context, &request, selection).await
    })
    .await
}

fn has_part(user: &User, part: &EmailPattern) -> bool {
    user.all_emails().any(|email| part.is_in(email))
}
