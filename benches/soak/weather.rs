//! Providers that fail and recover.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::{BUDGETS, sandbox::Sandbox};

const KINDS: [fn() -> Value; 16] = [
    || json!({ "kind": "latency", "milliseconds": 300 }),
    || json!({ "kind": "latency", "milliseconds": 3_000 }),
    || json!({ "kind": "hang" }),
    || json!({ "kind": "drip", "milliseconds": 5_000 }),
    || json!({ "kind": "reset" }),
    || json!({ "kind": "reset", "at": "body" }),
    || json!({ "kind": "truncate" }),
    || json!({ "kind": "html" }),
    || json!({ "kind": "status", "status": 500 }),
    || json!({ "kind": "status", "status": 401 }),
    || json!({ "kind": "empty" }),
    || json!({ "kind": "error_list" }),
    || json!({ "kind": "gzip_bomb", "bytes": 100 << 20 }),
    || json!({ "kind": "big", "bytes": 100 << 20, "chunked": true }),
    || json!({ "kind": "redirect", "location": "http://attacker.test/" }),
    || json!({ "kind": "self_link" }),
];

/// 429 is only for providers without rate limits: for the others each one is a broken promise.
fn throttle(provider: &str) -> Option<Value> {
    let fault = json!({ "kind": "rate_limit", "retry_after": 1 });
    matches!(provider, "digitalchalk" | "usertour").then_some(fault)
}

/// Makes providers fail and recover until a moment, and then heals all of them. Returns how often
/// each kind was set.
pub(crate) async fn change(sandbox: Sandbox, seed: u64, until: Instant) -> BTreeMap<String, u64> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut set = BTreeMap::new();
    let mut ill = BTreeSet::new();
    loop {
        let next = Instant::now() + Duration::from_millis(dice.u64(500..2_500));
        if next >= until {
            break;
        }
        sleep(next - Instant::now()).await;
        let (provider, _) = BUDGETS[dice.usize(0..BUDGETS.len())];
        if ill.remove(provider) {
            sandbox.heal(provider).await;
            continue;
        }
        let kind = dice.usize(0..=KINDS.len());
        let usual = || KINDS[kind % KINDS.len()]();
        let fault = throttle(provider).filter(|_| kind == KINDS.len());
        let mut fault = fault.unwrap_or_else(usual);
        *set.entry(fault["kind"].as_str().unwrap_or_default().to_owned())
            .or_default() += 1;
        fault["provider"] = provider.into();
        fault["rate"] = (*dice.choice(&[0.2, 0.5, 1.0]).unwrap()).into();
        sandbox.strike(&fault).await;
        ill.insert(provider);
    }
    sleep_until(until).await;
    for (provider, _) in BUDGETS {
        sandbox.heal(provider).await;
    }
    set
}
