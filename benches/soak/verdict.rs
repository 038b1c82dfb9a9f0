//! The verdict on every promise, with its numbers.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use serde_json::Value;

use super::{BUDGETS, DEADLINE, RECOVERY, SLACK, WINDOW_SECONDS, clients::Account, sandbox::Call};

/// The share by which memory may grow from the second quarter of the run to the last, and the MiB
/// that may come on top: the allocator holds the memory of a very large answer for a while.
const GROWTH: (f64, f64) = (1.15, 16.0);
/// The number of errors that are printed.
const SHOWN: usize = 10;

pub(crate) struct Verdict {
    pub(crate) is_alive: bool,
    pub(crate) log: String,
    pub(crate) calls: Vec<Call>,
    pub(crate) account: Account,
    pub(crate) faults: BTreeMap<String, u64>,
    pub(crate) memory: Vec<f64>,
    pub(crate) recovered: Result<Duration, Value>,
}

impl Verdict {
    /// Prints the numbers and the errors.
    pub(crate) fn print(mut self) -> ExitCode {
        println!("faults   {:?}", self.faults);
        println!("asked    {:?}", self.account.asked);
        println!("errors   {:?}", self.account.codes);
        let checks = [
            ("panics", self.panics()),
            ("answers", self.answers()),
            ("memory", self.memory()),
            ("budgets", self.budgets()),
            ("recovery", self.recovery()),
        ];
        let mut code = ExitCode::SUCCESS;
        for (name, result) in checks {
            match result {
                Ok(numbers) => println!("kept     {name}: {numbers}"),
                Err(numbers) => {
                    println!("BROKEN   {name}: {numbers}");
                    code = ExitCode::FAILURE;
                }
            }
        }
        code
    }

    fn panics(&self) -> Result<String, String> {
        let lines = self.log.lines();
        let panics: Vec<_> = lines.filter(|line| line.contains("panicked")).collect();
        match (self.is_alive, panics.is_empty()) {
            (true, true) => Ok(format!("none in {} lines of log", self.log.lines().count())),
            _ => Err(format!("alive: {}; {panics:?}", self.is_alive)),
        }
    }

    fn answers(&mut self) -> Result<String, String> {
        let Account { times, wrong, .. } = &mut self.account;
        times.sort();
        let at = |share: f64| {
            let place = (times.len().saturating_sub(1) as f64 * share) as usize;
            times.get(place).copied().unwrap_or_default()
        };
        let numbers = format!(
            "{} of HTTP 200 or 294, JSON and documented codes; median {:?}, 99 % within {:?}, all within {:?} ({DEADLINE:?} and {SLACK:?} of slack)",
            times.len(),
            at(0.5),
            at(0.99),
            at(1.0),
        );
        if wrong.is_empty() && !times.is_empty() {
            return Ok(numbers);
        }
        let shown = wrong.iter().take(SHOWN).cloned().collect::<Vec<_>>();
        Err(format!(
            "{} wrong of {numbers}\n  {}",
            wrong.len(),
            shown.join("\n  ")
        ))
    }

    fn memory(&self) -> Result<String, String> {
        let quarter = self.memory.len() / 4;
        let median = |part: &[f64]| {
            let mut part = part.to_vec();
            part.sort_by(f64::total_cmp);
            part.get(part.len() / 2).copied().unwrap_or_default()
        };
        let (warm, end) = (
            median(&self.memory[quarter..2 * quarter]),
            median(&self.memory[3 * quarter..]),
        );
        let most = self.memory.iter().copied().fold(0.0, f64::max);
        let bound = warm * GROWTH.0 + GROWTH.1;
        let numbers = format!(
            "{warm:.1} MiB in the second quarter, {end:.1} MiB in the last (at most {bound:.1}), {most:.1} MiB at most"
        );
        if end <= bound {
            Ok(numbers)
        } else {
            Err(numbers)
        }
    }

    fn budgets(&self) -> Result<String, String> {
        let of = BUDGETS.map(|(provider, limit)| {
            let calls = self.calls.iter().filter(|call| call.provider == provider);
            let calls: Vec<&Call> = calls.collect();
            let refused = calls.iter().filter(|call| call.status == Some(429)).count();
            let most = most_within(&calls);
            // Providers without rate limits have 429 as a fault.
            let is_counted = matches!(provider, "ada" | "intercom");
            let is_kept = most <= limit as usize && (refused == 0 || !is_counted);
            let kind = if is_counted {
                "refused"
            } else {
                "429 by a fault"
            };
            let numbers = format!(
                "{provider} {} calls, {most} of {limit} in any {WINDOW_SECONDS} s, {refused} {kind}",
                calls.len()
            );
            (is_kept, numbers)
        });
        let is_kept = of.iter().all(|(is_kept, _)| *is_kept);
        let numbers = of.map(|(_, numbers)| numbers).join("; ");
        if is_kept { Ok(numbers) } else { Err(numbers) }
    }

    fn recovery(&self) -> Result<String, String> {
        match &self.recovered {
            Ok(after) => Ok(format!(
                "all providers whole {after:?} after the last fault (at most {RECOVERY:?})"
            )),
            Err(last) => Err(format!("not within {RECOVERY:?}: {last}")),
        }
    }
}

/// The largest number of calls that arrived within any window.
fn most_within(calls: &[&Call]) -> usize {
    let span = i64::from(WINDOW_SECONDS) * 1_000;
    let mut arrivals: Vec<_> = calls.iter().map(|call| call.at).collect();
    arrivals.sort_unstable();
    let mut first = 0;
    let within = arrivals.iter().enumerate().map(|(place, at)| {
        // Arrivals are noted in whole milliseconds.
        while arrivals[first] + span - 1 <= *at {
            first += 1;
        }
        place - first + 1
    });
    within.max().unwrap_or_default()
}
