//! The shared store's budget, if `redis-server` is on the PATH.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{net::TcpStream, time::sleep};

use super::{LeaseEnd, ReportedLimit, SharedBudget, StoreAnswer};
use crate::{
    context::Priority::{self, Background},
    shared::{Store, StoreOptions},
};

const NOW: Priority = Priority::Interactive;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The end of a call that was never sent, after which all calls pause for a time.
fn unsent(closes: Duration) -> LeaseEnd {
    LeaseEnd {
        lingers: None,
        closes,
        quota: None,
    }
}

struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Redis for this test only, and its address.
async fn redis() -> Option<(Redis, String)> {
    let port = TcpListener::bind("127.0.0.1:0")
        .ok()?
        .local_addr()
        .ok()?
        .port();
    let started = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir", "/tmp"])
        .stdout(Stdio::null())
        .spawn();
    let Ok(process) = started else {
        eprintln!("SKIPPED: there is no redis-server on the PATH");
        return None;
    };
    let redis = Redis(process);
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        sleep(ms(20)).await;
    }
    Some((redis, format!("redis://127.0.0.1:{port}")))
}

/// A replica that shares a budget of `calls` calls in `seconds` seconds.
fn replica(url: &str, account: &str, calls: u32, seconds: u32) -> SharedBudget {
    let limits = StoreOptions {
        prefix: "test".to_owned(),
        replicas: 2,
        timeout: Duration::from_secs(2),
    };
    let store = Store::new(url, None, limits).expect("a store");
    SharedBudget::new(store, account, &[(calls, seconds)], true)
}

/// How long a call must wait; zero when it is granted.
fn wait(reported: &StoreAnswer) -> Duration {
    match reported {
        StoreAnswer::Granted(_) => Duration::ZERO,
        StoreAnswer::Refused(wait) => *wait,
        StoreAnswer::Unavailable => panic!("the store is available"),
    }
}

#[tokio::test]
async fn a_lease_of_a_dead_replica_is_returned_a_span_after_it_expires() {
    let Some((_redis, url)) = redis().await else {
        return;
    };
    let (dies, lives) = (replica(&url, "a", 1, 2), replica(&url, "a", 1, 2));
    // It never reports an end; the lease lives two more seconds.
    assert_eq!(wait(&dies.take(1, NOW, ms(0)).await), ms(0));

    assert!(wait(&lives.take(2, NOW, ms(9_000)).await) > ms(1_900));
    sleep(ms(2_100)).await;
    let left = wait(&lives.take(3, NOW, ms(9_000)).await);
    assert!((ms(1_500)..=ms(2_040)).contains(&left), "{left:?}");
    sleep(left).await;

    assert_eq!(wait(&lives.take(4, NOW, ms(9_000)).await), ms(0));
}

#[tokio::test]
async fn accounts_are_separate_and_an_unsent_call_is_returned() {
    let Some((_redis, url)) = redis().await else {
        return;
    };
    let (a, b) = (replica(&url, "a", 2, 60), replica(&url, "b", 2, 60));
    assert_eq!(wait(&a.take(1, NOW, ms(1_000)).await), ms(0));
    assert!(
        wait(&a.take(2, Background, ms(1_000)).await) > ms(0),
        "the last"
    );
    assert_eq!(wait(&a.take(3, NOW, ms(1_000)).await), ms(0));
    assert!(wait(&a.take(4, NOW, ms(1_000)).await) > ms(50_000));
    assert_eq!(wait(&b.take(5, NOW, ms(1_000)).await), ms(0));

    a.release(3, unsent(ms(0)));

    let mut tries = 0;
    while wait(&a.take(6, NOW, ms(1_000)).await) > ms(0) {
        tries += 1;
        assert!(tries < 100, "it is never returned");
        sleep(ms(20)).await;
    }
}

#[tokio::test]
async fn a_report_to_one_replica_applies_to_all() {
    let Some((_redis, url)) = redis().await else {
        return;
    };
    let (a, b) = (replica(&url, "a", 100, 60), replica(&url, "a", 100, 60));
    for (lease, remaining) in [(1, 3), (2, 50)] {
        assert_eq!(wait(&a.take(lease, NOW, ms(1_000)).await), ms(0));
        let quota = ReportedLimit {
            resets_at: 1_000,
            resets_in: ms(30_000),
            limit: 80,
            remaining,
        };
        let end = LeaseEnd {
            lingers: Some(ms(0)),
            closes: ms(0),
            quota: Some(quota),
        };
        a.release(lease, end);
        sleep(ms(200)).await;
    }

    for lease in 3..6 {
        assert_eq!(wait(&b.take(lease, NOW, ms(1_000)).await), ms(0));
    }
    let left = wait(&b.take(6, NOW, ms(1_000)).await);
    assert!((ms(20_000)..=ms(30_100)).contains(&left), "{left:?}");
    a.release(99, unsent(ms(45_000)));
    sleep(ms(200)).await;
    let closed = wait(&b.take(7, NOW, ms(1_000)).await);
    assert!(closed > ms(40_000), "{closed:?}");
}

/// Many calls of two replicas at once: never more than the window allows, whatever the store
/// counts.
#[tokio::test]
async fn two_replicas_at_once_stay_within_the_limit() {
    let Some((_redis, url)) = redis().await else {
        return;
    };
    let replicas = [replica(&url, "a", 50, 60), replica(&url, "a", 50, 60)];
    let takes = (0..200).map(|lease| {
        let replica = replicas[usize::from(lease % 2 == 0)].clone();
        async move { wait(&replica.take(lease, NOW, ms(1_000)).await).is_zero() }
    });

    let granted = futures_util::future::join_all(takes).await;

    assert_eq!(granted.iter().filter(|granted| **granted).count(), 50);
}
