//! Scans of every provider's list to the end, in windows of one, of odd and usual sizes, of the sizes of the
//! providers' smallest and largest pages, and of far larger ones.

use super::page::{assert_whole, least};
use crate::subject::{Subject, for_each_subject};

/// Scans one list in windows of each of the sizes.
async fn scan(subject: Subject, users: usize, sizes: &[usize]) {
    let world = subject.world(users).await;
    for &first in sizes {
        assert_whole(&world, subject, first, least).await;
    }
}

macro_rules! scans {
    ($provider:ident, $subject:expr) => {
        mod $provider {
            use super::{Subject, scan};

            const SUBJECT: Subject = $subject;

            #[tokio::test]
            async fn by_1_and_7_every_user_comes_once_and_each_window_is_one_call() {
                scan(SUBJECT, 110, &[1, 7]).await;
            }

            #[tokio::test]
            async fn by_20_and_60_every_user_comes_once_and_each_window_is_one_call() {
                scan(SUBJECT, 200, &[20, 60]).await;
            }

            #[tokio::test]
            async fn by_100_and_500_every_user_comes_once_in_the_fewest_calls() {
                scan(SUBJECT, 200, &[100, 500]).await;
                scan(SUBJECT, 520, &[100, 500]).await;
            }

            #[tokio::test]
            async fn a_list_of_none_and_of_one_ends_at_once() {
                scan(SUBJECT, 1, &[1, 20]).await;
                super::empty(SUBJECT).await;
            }
        }
    };
}

for_each_subject!(scans);

async fn empty(subject: Subject) {
    let (world, provider) = (subject.world(0).await, subject.provider());

    let page = super::page::page(&world, provider, serde_json::json!({ "first": 20 })).await;

    page.assert_is(&[], 0, 0);
    assert_eq!(world.calls(provider).await.len(), 1);

    let page = super::page::page(&world, provider, serde_json::json!({ "first": 0 })).await;

    page.assert_is(&[], 0, 0);
    let calls = world.calls(provider).await.len();
    assert_eq!(calls, 2, "an empty window checks whether there is a user");
}
