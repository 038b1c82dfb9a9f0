//! The log about a shared store that cannot be used.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{File, PATIENCE, serve::Gateway};
use crate::budgets::redis::Redis;

#[tokio::test]
async fn a_store_that_requires_a_password_is_unavailable_and_the_log_says_what_to_set() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let set = redis
        .tell(&["CONFIG", "SET", "requirepass", "secret"])
        .await;
    assert!(set.starts_with("+OK"), "{set}");
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
         [shared]\nurl = \"{}\"\ntimeout_seconds = 2.0\n",
        redis.url()
    );
    let file = File::holding("password", &config);
    let log = File::holding("password-log", "");
    let gateway = Gateway::after(&format!("exec 2>{}", log.path()), &file).await;
    let ready = format!(
        "{}/health/ready",
        gateway.admin.as_ref().expect("its address")
    );

    let answer: Value = reqwest::get(ready)
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");

    assert_eq!(answer["sharedStore"], "away");
    let said = async {
        loop {
            let said = std::fs::read_to_string(log.path()).expect("a log");
            if said.contains("refuses the gateway's password") {
                return said;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let said = timeout(PATIENCE, said).await.expect("it says so");
    let line = said
        .lines()
        .find(|line| line.contains("password"))
        .expect("a line");
    assert!(
        line.contains("ERROR") && line.contains("password_env"),
        "{line}"
    );
}
