//! The queue for permits: first come, first served, and interactive calls before background calls.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::oneshot, time::Instant};

use super::limit::AimdLimit;
use crate::{account::Account, context::Priority, metrics};

/// The provider's load, as the end of a call shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LoadSignal {
    /// The provider responded.
    Answered,
    /// The provider was overloaded.
    Overloaded,
    /// The call proves nothing.
    Unknown,
}

/// The calls of one account that are in flight, and those that wait for a permit.
pub(super) struct ConcurrencyQueue {
    account: Account,
    state: Mutex<QueueState>,
}

struct QueueState {
    limit: AimdLimit,
    in_flight: usize,
    interactive: VecDeque<oneshot::Sender<ConcurrencyPermit>>,
    background: VecDeque<oneshot::Sender<ConcurrencyPermit>>,
}

/// The right to have one call in flight. Dropping it ends the call's share.
pub(super) struct ConcurrencyPermit {
    queue: Arc<ConcurrencyQueue>,
    began: Instant,
    /// How the call ended.
    pub(super) end: LoadSignal,
}

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        self.queue.release(self.began, self.end);
    }
}

impl ConcurrencyQueue {
    pub(super) fn new(account: Account, most: usize) -> Arc<Self> {
        metrics::concurrency(account, most, 0);
        Arc::new(Self {
            account,
            state: Mutex::new(QueueState {
                limit: AimdLimit::with_max(most),
                in_flight: 0,
                interactive: VecDeque::new(),
                background: VecDeque::new(),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit. Dropping the future leaves the queue.
    pub(super) async fn acquire(self: &Arc<Self>, priority: Priority) -> ConcurrencyPermit {
        let waiting = {
            let mut state = self.state();
            if state.is_next(priority) {
                state.in_flight += 1;
                self.record_metrics(&state);
                None
            } else {
                let (sender, receiver) = oneshot::channel();
                state.waiters(priority).push_back(sender);
                Some(receiver)
            }
        };
        match waiting {
            None => self.begin(),
            Some(waiting) => waiting.await.expect("the queue outlives its waiters"),
        }
    }

    fn begin(self: &Arc<Self>) -> ConcurrencyPermit {
        ConcurrencyPermit {
            queue: Arc::clone(self),
            began: Instant::now(),
            end: LoadSignal::Unknown,
        }
    }

    fn release(self: &Arc<Self>, began: Instant, end: LoadSignal) {
        let next = {
            let mut state = self.state();
            let in_flight = state.in_flight;
            match end {
                LoadSignal::Answered => state.limit.answered(in_flight),
                LoadSignal::Overloaded => state.limit.overloaded(began, Instant::now()),
                LoadSignal::Unknown => {}
            }
            state.in_flight -= 1;
            let next = state.admit();
            self.record_metrics(&state);
            next
        };
        // Outside the lock: dropping a permit that nobody takes any more locks the queue again.
        for waiting in next {
            drop(waiting.send(self.begin()));
        }
    }

    fn record_metrics(&self, state: &QueueState) {
        metrics::concurrency(self.account, state.limit.calls(), state.in_flight);
    }
}

impl QueueState {
    fn waiters(&mut self, priority: Priority) -> &mut VecDeque<oneshot::Sender<ConcurrencyPermit>> {
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

    /// Background work leaves one slot free, if there is more than one.
    fn has_room(&self, priority: Priority) -> bool {
        let calls = self.limit.calls();
        let slots = match priority {
            Priority::Interactive => calls,
            Priority::Background => (calls - 1).max(1),
        };
        self.in_flight < slots
    }

    /// Lets the next calls in, as far as there is room. Callers that left are skipped.
    fn admit(&mut self) -> Vec<oneshot::Sender<ConcurrencyPermit>> {
        let mut next = Vec::new();
        for priority in [Priority::Interactive, Priority::Background] {
            while self.has_room(priority) {
                let Some(waiting) = self.waiters(priority).pop_front() else {
                    break;
                };
                if !waiting.is_closed() {
                    self.in_flight += 1;
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

    /// Asks for a permit: returns it, or the future that waits for it.
    fn ask(
        queue: &Arc<ConcurrencyQueue>,
        priority: Priority,
    ) -> Result<ConcurrencyPermit, Pin<Box<BoxFuture<'static, ConcurrencyPermit>>>> {
        let queue = Arc::clone(queue);
        let mut asking = Box::pin(async move { queue.acquire(priority).await }.boxed());
        (&mut asking).now_or_never().ok_or(asking)
    }

    #[tokio::test]
    async fn first_come_first_served_and_interactive_before_background() {
        let queue = ConcurrencyQueue::new(Account::default_for(Provider::Ada), 2);
        let first = ask(&queue, Priority::Interactive).ok().expect("a permit");
        let mut behind = ask(&queue, Priority::Background)
            .err()
            .expect("one slot stays free");
        let second = ask(&queue, Priority::Interactive).ok().expect("a permit");
        let mut third = ask(&queue, Priority::Interactive).err().expect("no room");
        let mut fourth = ask(&queue, Priority::Interactive).err().expect("no room");

        drop(first);
        let third = (&mut third).now_or_never().expect("its permit");
        assert!((&mut fourth).now_or_never().is_none());
        drop(second);
        let fourth = (&mut fourth).now_or_never().expect("its permit");
        drop(third);
        assert!(
            (&mut behind).now_or_never().is_none(),
            "one slot stays free"
        );
        drop(fourth);

        assert!((&mut behind).now_or_never().is_some());
    }

    #[tokio::test]
    async fn background_work_may_use_a_single_slot() {
        let queue = ConcurrencyQueue::new(Account::default_for(Provider::Ada), 1);

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
        fn no_permit_is_lost_and_none_is_issued_twice(most in 1_usize..6, events in events()) {
            let queue = ConcurrencyQueue::new(Account::default_for(Provider::Ada), most);
            let (mut permits, mut waiting) = (Vec::new(), Vec::new());
            for event in events {
                match event {
                    QueueEvent::Asks(priority) => match ask(&queue, priority) {
                        Ok(permit) => permits.push(permit),
                        Err(asking) => waiting.push(asking),
                    },
                    QueueEvent::Polls => {
                        for mut asking in std::mem::take(&mut waiting) {
                            match (&mut asking).now_or_never() {
                                Some(permit) => permits.push(permit),
                                None => waiting.push(asking),
                            }
                        }
                    }
                    QueueEvent::GoesAway(which) if !waiting.is_empty() => {
                        drop(waiting.swap_remove(which % waiting.len()));
                    }
                    QueueEvent::Ends(which, end) if !permits.is_empty() => {
                        let mut permit: ConcurrencyPermit = permits.swap_remove(which % permits.len());
                        permit.end = end;
                    }
                    QueueEvent::GoesAway(_) | QueueEvent::Ends(..) => {}
                }
                let state = queue.state();
                prop_assert!(state.in_flight >= permits.len() && state.in_flight <= most);
                prop_assert!(state.in_flight > 0 || waiting.is_empty(), "nobody has a permit");
            }
            // As long as permits are returned, every caller gets one.
            while !waiting.is_empty() {
                permits.clear();
                let before = waiting.len();
                for mut asking in std::mem::take(&mut waiting) {
                    match (&mut asking).now_or_never() {
                        Some(permit) => permits.push(permit),
                        None => waiting.push(asking),
                    }
                }
                prop_assert!(waiting.len() < before);
            }
            permits.clear();
            prop_assert_eq!(queue.state().in_flight, 0);
        }
    }
}
