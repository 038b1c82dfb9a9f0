//! Walks to the end, of every provider, by windows of every kind of size: of one, odd, usual, as large as
//! the smallest and the largest of the providers' pages, and far larger.

use super::page::{assert_whole, least};
use crate::subject::{Subject, for_each_subject};

/// Walks one list by each of the sizes.
async fn walk(subject: Subject, users: usize, sizes: &[usize]) {
    let world = subject.world(users).await;
    for &first in sizes {
        assert_whole(&world, subject, first, least).await;
    }
}

macro_rules! walks {
    ($provider:ident, $subject:expr) => {
        mod $provider {
            use super::{Subject, walk};

            const SUBJECT: Subject = $subject;

            #[tokio::test]
            async fn by_1_and_7_every_user_comes_once_and_each_window_is_one_call() {
                walk(SUBJECT, 110, &[1, 7]).await;
            }

            #[tokio::test]
            async fn by_20_and_60_every_user_comes_once_and_each_window_is_one_call() {
                walk(SUBJECT, 200, &[20, 60]).await;
            }

            #[tokio::test]
            async fn by_100_and_500_every_user_comes_once_in_the_fewest_calls() {
                walk(SUBJECT, 200, &[100, 500]).await;
                walk(SUBJECT, 520, &[100, 500]).await;
            }

            #[tokio::test]
            async fn a_list_of_nobody_and_of_one_ends_at_once() {
                walk(SUBJECT, 1, &[1, 20]).await;
                super::empty(SUBJECT).await;
            }
        }
    };
}

for_each_subject!(walks);

async fn empty(subject: Subject) {
    let (world, provider) = (subject.world(0).await, subject.provider());

    let page = super::page::page(&world, provider, serde_json::json!({ "first": 20 })).await;

    page.assert_is(&[], 0, 0);
    assert_eq!(world.calls(provider).await.len(), 1);

    let page = super::page::page(&world, provider, serde_json::json!({ "first": 0 })).await;

    page.assert_is(&[], 0, 0);
    let calls = world.calls(provider).await.len();
    assert_eq!(calls, 2, "a window of none looks whether there is anybody");
}
