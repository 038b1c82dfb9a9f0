//! Walks to the end, of every vendor, by windows of every kind of size: of one, odd, usual, as large as
//! the smallest and the largest of the vendors' pages, and far larger.

use roster::user::Provider;

use super::page::{assert_whole, least};
use crate::world::World;

/// Walks one list by each of the sizes.
async fn walk(provider: Provider, users: usize, sizes: &[usize]) {
    let world = World::with(users, |_| {}).await;
    for &first in sizes {
        assert_whole(&world, provider, first, least).await;
    }
}

macro_rules! walks {
    ($vendor:ident, $provider:ident) => {
        mod $vendor {
            use super::{Provider, walk};

            #[tokio::test]
            async fn by_1_and_7_every_user_comes_once_and_each_window_is_one_call() {
                walk(Provider::$provider, 110, &[1, 7]).await;
            }

            #[tokio::test]
            async fn by_20_and_60_every_user_comes_once_and_each_window_is_one_call() {
                walk(Provider::$provider, 200, &[20, 60]).await;
            }

            #[tokio::test]
            async fn by_100_and_500_every_user_comes_once_in_the_fewest_calls() {
                walk(Provider::$provider, 200, &[100, 500]).await;
                walk(Provider::$provider, 520, &[100, 500]).await;
            }

            #[tokio::test]
            async fn a_list_of_nobody_and_of_one_ends_at_once() {
                walk(Provider::$provider, 1, &[1, 20]).await;
                super::empty(Provider::$provider).await;
            }
        }
    };
}

walks!(ada, Ada);
walks!(digital_chalk, DigitalChalk);
walks!(intercom, Intercom);
walks!(usertour, Usertour);

async fn empty(provider: Provider) {
    let world = World::with(0, |_| {}).await;

    let page = super::page::page(&world, provider, serde_json::json!({ "first": 20 })).await;

    page.assert_is(&[], 0, 0);
    assert_eq!(world.calls(provider).await.len(), 1);

    let page = super::page::page(&world, provider, serde_json::json!({ "first": 0 })).await;

    page.assert_is(&[], 0, 0);
    assert_eq!(
        world.calls(provider).await.len(),
        1,
        "a window of none asks nobody"
    );
}
