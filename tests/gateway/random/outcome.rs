//! The outcomes of the cases of one paging, and which users may be missing.

use std::collections::{BTreeMap, HashSet};

use super::list::{List, User};

/// The outcomes of the cases of one paging.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) complete: usize,
    pub(super) partial: usize,
    /// Scans that ended in an error, by its message.
    pub(super) failed: BTreeMap<String, usize>,
    /// Cases that missed a user for which nothing is promised.
    missed_unsettled: usize,
    /// Cases that missed a user that the provider withheld, so that no client could know.
    missed_withheld: usize,
    /// Cases that missed a user that shares a moment with another, and no page showed it.
    missed_hidden: usize,
    pub(super) searches: usize,
    pub(super) lookups: usize,
    /// Faults of the gateway, each with the number of its case.
    pub(super) faults: Vec<String>,
}

/// The result of a scan to the end, or of a search.
pub(super) struct Found {
    pub(super) users: Vec<usize>,
    pub(super) is_complete: bool,
    pub(super) log: Vec<String>,
}

impl Outcome {
    pub(super) fn told(&self) -> String {
        format!(
            "{} scans complete, {} partial, failed: {:?}; missed: {} unsettled, {} withheld, {} hidden; \
             {} searches; {} lookups; {} faults",
            self.complete,
            self.partial,
            self.failed,
            self.missed_unsettled,
            self.missed_withheld,
            self.missed_hidden,
            self.searches,
            self.lookups,
            self.faults.len()
        )
    }

    /// Judges a COMPLETE result: it has every user that was there all the time, except those for which
    /// nothing is promised. An unreadable user is always missing.
    pub(super) fn judge(
        &mut self,
        list: &List,
        at_first: usize,
        found: &Found,
        has: impl Fn(&User) -> bool,
    ) {
        let users: HashSet<usize> = found.users.iter().copied().collect();
        let there = list.there(has);
        let missed = there.iter().filter(|user| {
            let is_given = users.contains(&user.number) && !user.form.is_broken();
            user.number < at_first && !is_given
        });
        let missed: Vec<usize> = missed.map(|user| user.number).collect();
        let (unsettled, settled): (Vec<_>, Vec<_>) = missed
            .into_iter()
            .partition(|user| list.unsettled.contains(user));
        let (hidden, settled): (Vec<_>, Vec<_>) = settled
            .into_iter()
            .partition(|user| list.hidden.contains(user));
        self.missed_unsettled += usize::from(!unsettled.is_empty());
        self.missed_hidden += usize::from(!hidden.is_empty());
        if settled.is_empty() {
            return;
        }
        // A count that did not change contradicts what is withheld.
        let is_counted = list.paging.is_counted() && list.totals.len() == 1;
        if list.lied && !(is_counted && list.habits.off == 0) {
            self.missed_withheld += 1;
            return;
        }
        let (habits, log) = (&list.habits, found.log.join("\n  "));
        let fault = format!("missed {settled:?} under COMPLETE; {habits:?}\n  {log}");
        self.faults.push(fault);
    }
}
