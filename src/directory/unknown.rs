//! Filters by a segment, a tag or a company that the provider does not have: their list is empty, as is
//! that of one that has nobody. So a list that is empty is told which of the two it is.

use super::Directory;
use crate::{
    connectors::{Connector, Filter, FilterField, filter::unknown_notice},
    context::RequestContext,
    notice::{Notice, NoticeCode},
    pagination::{ListRange, Window},
    user::User,
};

impl Directory {
    /// Notes what of a filter the provider does not have, where the whole list is empty. It costs a call
    /// for a field at most.
    pub(super) async fn note_unknown(
        &self,
        connector: &dyn Connector,
        context: &RequestContext,
        filter: &Filter,
        (range, window): (&ListRange, &Window<User>),
    ) {
        let is_whole = range.after.is_none() && range.before.is_none() && range.count > 0;
        if !is_whole || !window.rows.is_empty() || window.failure.is_some() {
            return;
        }
        match connector.unknown_filter_values(context, filter).await {
            Ok(fields) => {
                for field in fields {
                    if let Some(id) = filter.id(field) {
                        context.add_incomplete_notice(unknown_notice(self.account, field, id));
                    }
                }
            }
            Err(_) => self.note_unverified_filter(context, filter),
        }
    }

    fn note_unverified_filter(&self, context: &RequestContext, filter: &Filter) {
        for field in [
            FilterField::TagId,
            FilterField::SegmentId,
            FilterField::CompanyId,
        ] {
            if let Some(id) = filter.id(field) {
                let title = self.account.title();
                let message = format!(
                    "whether {title} has a {} with the id `{id:.60}` could not be told",
                    field.noun()
                );
                context
                    .add_incomplete_notice(Notice::new(NoticeCode::FilterValueUnverified, message));
            }
        }
    }
}
