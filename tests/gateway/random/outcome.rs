//! What became of the cases of one paging, and who may be missed.

use std::collections::{BTreeMap, HashSet};

use super::list::{List, User};

/// What became of the cases of one paging.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) complete: usize,
    pub(super) partial: usize,
    /// Walks that ended in an error, by its message.
    pub(super) failed: BTreeMap<String, usize>,
    /// Cases in which somebody was missed of whom nothing is promised.
    missed_unsettled: usize,
    /// Cases in which somebody was missed whom the provider withheld, and no client could know.
    missed_withheld: usize,
    /// Cases in which somebody was missed who shares a moment, and no page showed it.
    missed_hidden: usize,
    pub(super) searches: usize,
    pub(super) lookups: usize,
    /// What must not be, each with the number of its case.
    pub(super) faults: Vec<String>,
}

/// What a walk to the end found, or a search.
pub(super) struct Found {
    pub(super) users: Vec<usize>,
    pub(super) is_complete: bool,
    pub(super) log: Vec<String>,
}

impl Outcome {
    pub(super) fn told(&self) -> String {
        format!(
            "{} walks complete, {} partial, failed: {:?}; missed: {} unsettled, {} withheld, {} hidden; \
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

    /// What was read is COMPLETE: nobody who was there all the time is missed, but those of whom nothing
    /// is promised. Who cannot be read is always missed.
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
