//! No permit is lost, and none is issued twice.

use std::{pin::Pin, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use tokio::{runtime::Builder, time::Instant};

use super::super::{
    concurrency::LoadSignal,
    limiter::{RateLimiter, RatePermit},
    state::LimiterState,
};
use crate::{context::Priority, error::Result};

type Waiting = Pin<Box<BoxFuture<'static, Result<RatePermit>>>>;

/// A limiter that only limits how many calls are in flight.
fn limiter(slots: u32) -> Arc<RateLimiter> {
    let state = LimiterState::new(&[], true, slots, Instant::now());
    Arc::new(RateLimiter::new(state, None))
}

/// Asks for a permit: returns it, or the future that waits for it.
fn ask(limiter: &Arc<RateLimiter>, priority: Priority) -> Result<RatePermit, Waiting> {
    let limiter = Arc::clone(limiter);
    let deadline = Instant::now() + std::time::Duration::from_secs(3_600);
    let asking = async move { limiter.admit(priority, deadline, Arc::default()).await };
    let mut asking = Box::pin(asking.boxed());
    match (&mut asking).now_or_never() {
        Some(permit) => Ok(permit.expect("there is time")),
        None => Err(asking),
    }
}

/// The permits of those that wait no longer; the others go on waiting.
fn poll(waiting: &mut Vec<Waiting>) -> Vec<RatePermit> {
    let mut permits = Vec::new();
    for mut asking in std::mem::take(waiting) {
        match (&mut asking).now_or_never() {
            Some(permit) => permits.push(permit.expect("there is time")),
            None => waiting.push(asking),
        }
    }
    permits
}

#[tokio::test]
async fn interactive_calls_go_first_and_background_calls_leave_one_slot_free() {
    let limiter = limiter(2);
    let first = ask(&limiter, Priority::Interactive).ok().expect("a permit");
    let background = ask(&limiter, Priority::Background);
    let mut background = vec![background.err().expect("one slot stays free")];
    let second = ask(&limiter, Priority::Interactive).ok().expect("a permit");
    let mut third = vec![ask(&limiter, Priority::Interactive).err().expect("no room")];
    let mut fourth = vec![ask(&limiter, Priority::Interactive).err().expect("no room")];

    drop(first);
    let third = poll(&mut third);
    assert_eq!((third.len(), poll(&mut fourth).len()), (1, 0));
    drop(second);
    let fourth = poll(&mut fourth);
    assert_eq!(fourth.len(), 1);
    drop(third);
    assert_eq!(poll(&mut background).len(), 0, "one slot stays free");
    drop(fourth);

    assert_eq!(poll(&mut background).len(), 1);
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
    fn no_permit_is_lost_and_none_is_issued_twice(slots in 1_u32..6, events in events()) {
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime");
        let _entered = runtime.enter();
        let limiter = limiter(slots);
        let (mut permits, mut waiting) = (Vec::new(), Vec::new());
        for event in events {
            match event {
                QueueEvent::Asks(priority) => match ask(&limiter, priority) {
                    Ok(permit) => permits.push(permit),
                    Err(asking) => waiting.push(asking),
                },
                QueueEvent::Polls => permits.extend(poll(&mut waiting)),
                QueueEvent::GoesAway(which) if !waiting.is_empty() => {
                    drop(waiting.swap_remove(which % waiting.len()));
                }
                QueueEvent::Ends(which, load) if !permits.is_empty() => {
                    let permit = permits.swap_remove(which % permits.len());
                    permit.end(None, load);
                }
                QueueEvent::GoesAway(_) | QueueEvent::Ends(..) => {}
            }
            let (_, in_flight) = limiter.concurrency();
            prop_assert_eq!(in_flight as usize, permits.len());
            prop_assert!(in_flight <= slots);
        }
        // As long as permits are returned, every caller gets one.
        while !waiting.is_empty() {
            permits.clear();
            let before = waiting.len();
            permits.extend(poll(&mut waiting));
            prop_assert!(waiting.len() < before);
        }
        permits.clear();
        prop_assert_eq!(limiter.concurrency().1, 0);
    }
}
