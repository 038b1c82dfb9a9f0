//! Who is next: first come, first served, and whoever is waited for before whoever is not.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::oneshot, time::Instant};

use super::limit::ConcurrencyLimit;
use crate::{
    account::Account,
    {client::Priority, metrics},
};

/// What the end of a call says of how much the provider bears.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LoadSignal {
    /// It answered.
    Answered,
    /// It was too much.
    Overloaded,
    /// Nothing.
    Unknown,
}

/// The calls of one provider that are under way, and those that wait for their turn.
pub(super) struct ConcurrencyQueue {
    account: Account,
    state: Mutex<QueueState>,
}

struct QueueState {
    limit: ConcurrencyLimit,
    under_way: usize,
    interactive: VecDeque<oneshot::Sender<ConcurrencyPermit>>,
    background: VecDeque<oneshot::Sender<ConcurrencyPermit>>,
}

/// A call's turn. It ends when this is dropped, wherever that is.
pub(super) struct ConcurrencyPermit {
    queue: Arc<ConcurrencyQueue>,
    began: Instant,
    /// How the call ended.
    pub(super) end: LoadSignal,
}

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        self.queue.leave(self.began, self.end);
    }
}

impl ConcurrencyQueue {
    pub(super) fn new(account: Account, most: usize) -> Arc<Self> {
        metrics::concurrency(account, most, 0);
        Arc::new(Self {
            account,
            state: Mutex::new(QueueState {
                limit: ConcurrencyLimit::of(most),
                under_way: 0,
                interactive: VecDeque::new(),
                background: VecDeque::new(),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn. Whoever drops this has not waited.
    pub(super) async fn turn(self: &Arc<Self>, priority: Priority) -> ConcurrencyPermit {
        let waiting = {
            let mut state = self.state();
            if state.is_next(priority) {
                state.under_way += 1;
                self.show(&state);
                None
            } else {
                let (sender, receiver) = oneshot::channel();
                state.line(priority).push_back(sender);
                Some(receiver)
            }
        };
        match waiting {
            None => self.begin(),
            Some(waiting) => waiting
                .await
                .expect("a queue outlives those who wait in it"),
        }
    }

    fn begin(self: &Arc<Self>) -> ConcurrencyPermit {
        ConcurrencyPermit {
            queue: Arc::clone(self),
            began: Instant::now(),
            end: LoadSignal::Unknown,
        }
    }

    fn leave(self: &Arc<Self>, began: Instant, end: LoadSignal) {
        let next = {
            let mut state = self.state();
            let under_way = state.under_way;
            match end {
                LoadSignal::Answered => state.limit.answered(under_way),
                LoadSignal::Overloaded => state.limit.overloaded(began, Instant::now()),
                LoadSignal::Unknown => {}
            }
            state.under_way -= 1;
            let next = state.admit();
            self.show(&state);
            next
        };
        // Outside the lock: a turn that nobody takes any more ends here.
        for waiting in next {
            drop(waiting.send(self.begin()));
        }
    }

    fn show(&self, state: &QueueState) {
        metrics::concurrency(self.account, state.limit.calls(), state.under_way);
    }
}

impl QueueState {
    fn line(&mut self, priority: Priority) -> &mut VecDeque<oneshot::Sender<ConcurrencyPermit>> {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Background => &mut self.background,
        }
    }

    fn is_next(&self, priority: Priority) -> bool {
        match priority {
            Priority::Interactive => self.interactive.is_empty() && self.has_room(priority),
            Priority::Background => {
                self.interactive.is_empty() && self.background.is_empty() && self.has_room(priority)
            }
        }
    }

    /// Background work leaves one place free, where there is more than one.
    fn has_room(&self, priority: Priority) -> bool {
        let calls = self.limit.calls();
        let places = match priority {
            Priority::Interactive => calls,
            Priority::Background => (calls - 1).max(1),
        };
        self.under_way < places
    }

    /// Lets in those who are next, as far as there is room. Those who went away are forgotten.
    fn admit(&mut self) -> Vec<oneshot::Sender<ConcurrencyPermit>> {
        let mut next = Vec::new();
        for priority in [Priority::Interactive, Priority::Background] {
            while self.has_room(priority) {
                let Some(waiting) = self.line(priority).pop_front() else {
                    break;
                };
                if !waiting.is_closed() {
                    self.under_way += 1;
                    next.push(waiting);
                }
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use crate::account::{Account, Provider};
    use std::{pin::Pin, sync::Arc};

    use futures_util::{FutureExt, future::BoxFuture};
    use proptest::prelude::{
        Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
    };

    use super::{ConcurrencyPermit, ConcurrencyQueue, LoadSignal, Priority};

    /// Somebody who asks for a turn, and has one or not.
    fn ask(
        queue: &Arc<ConcurrencyQueue>,
        priority: Priority,
    ) -> Result<ConcurrencyPermit, Pin<Box<BoxFuture<'static, ConcurrencyPermit>>>> {
        let queue = Arc::clone(queue);
        let mut asking = Box::pin(async move { queue.turn(priority).await }.boxed());
        (&mut asking).now_or_never().ok_or(asking)
    }

    #[tokio::test]
    async fn first_come_first_served_and_who_is_waited_for_before_who_is_not() {
        let queue = ConcurrencyQueue::new(Account::of(Provider::Ada), 2);
        let first = ask(&queue, Priority::Interactive).ok().expect("a turn");
        let mut behind = ask(&queue, Priority::Background)
            .err()
            .expect("one place stays free");
        let second = ask(&queue, Priority::Interactive).ok().expect("a turn");
        let mut third = ask(&queue, Priority::Interactive).err().expect("no room");
        let mut fourth = ask(&queue, Priority::Interactive).err().expect("no room");

        drop(first);
        let third = (&mut third).now_or_never().expect("its turn");
        assert!((&mut fourth).now_or_never().is_none());
        drop(second);
        let fourth = (&mut fourth).now_or_never().expect("its turn");
        drop(third);
        assert!(
            (&mut behind).now_or_never().is_none(),
            "one place stays free"
        );
        drop(fourth);

        assert!((&mut behind).now_or_never().is_some());
    }

    #[tokio::test]
    async fn background_work_is_done_where_there_is_one_place_only() {
        let queue = ConcurrencyQueue::new(Account::of(Provider::Ada), 1);

        assert!(ask(&queue, Priority::Background).is_ok());
        assert!(ask(&queue, Priority::Background).is_ok());
    }

    #[derive(Clone, Copy, Debug)]
    enum QueueEvent {
        Asks(Priority),
        Polls,
        GoesAway(usize),
        Ends(usize, LoadSignal),
    }

    fn events() -> impl Strategy<Value = Vec<QueueEvent>> {
        let priority = prop_oneof![Just(Priority::Interactive), Just(Priority::Background)];
        let end = prop_oneof![
            Just(LoadSignal::Answered),
            Just(LoadSignal::Overloaded),
            Just(LoadSignal::Unknown)
        ];
        let event = prop_oneof![
            priority.prop_map(QueueEvent::Asks),
            Just(QueueEvent::Polls),
            any::<usize>().prop_map(QueueEvent::GoesAway),
            (any::<usize>(), end).prop_map(|(which, end)| QueueEvent::Ends(which, end)),
        ];
        proptest::collection::vec(event, 0..200)
    }

    proptest! {
        #[test]
        fn no_turn_is_lost_and_none_is_given_twice(most in 1_usize..6, events in events()) {
            let queue = ConcurrencyQueue::new(Account::of(Provider::Ada), most);
            let (mut turns, mut waiting) = (Vec::new(), Vec::new());
            for event in events {
                match event {
                    QueueEvent::Asks(priority) => match ask(&queue, priority) {
                        Ok(turn) => turns.push(turn),
                        Err(asking) => waiting.push(asking),
                    },
                    QueueEvent::Polls => {
                        for mut asking in std::mem::take(&mut waiting) {
                            match (&mut asking).now_or_never() {
                                Some(turn) => turns.push(turn),
                                None => waiting.push(asking),
                            }
                        }
                    }
                    QueueEvent::GoesAway(which) if !waiting.is_empty() => {
                        drop(waiting.swap_remove(which % waiting.len()));
                    }
                    QueueEvent::Ends(which, end) if !turns.is_empty() => {
                        let mut turn: ConcurrencyPermit = turns.swap_remove(which % turns.len());
                        turn.end = end;
                    }
                    QueueEvent::GoesAway(_) | QueueEvent::Ends(..) => {}
                }
                let state = queue.state();
                prop_assert!(state.under_way >= turns.len() && state.under_way <= most);
                prop_assert!(state.under_way > 0 || waiting.is_empty(), "nobody has a turn");
            }
            // As long as turns end, everybody has one.
            while !waiting.is_empty() {
                turns.clear();
                let before = waiting.len();
                for mut asking in std::mem::take(&mut waiting) {
                    match (&mut asking).now_or_never() {
                        Some(turn) => turns.push(turn),
                        None => waiting.push(asking),
                    }
                }
                prop_assert!(waiting.len() < before);
            }
            turns.clear();
            prop_assert_eq!(queue.state().under_way, 0);
        }
    }
}
