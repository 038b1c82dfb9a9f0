//! A process of the benchmark: it gets its own port, and dropping the value ends it.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

pub(crate) struct Process {
    child: Child,
    pub(crate) address: String,
}

impl Process {
    pub(crate) fn sandbox(users: usize, latency: u64) -> Self {
        let (users, latency) = (users.to_string(), latency.to_string());
        Self::start(Command::new(env!("CARGO_BIN_EXE_roster")).args([
            "sandbox",
            "--listen",
            "127.0.0.1:0",
            "--users",
            &users,
            "--latency",
            &latency,
        ]))
    }

    /// A gateway that uses a version of Intercom's API, and caches responses for some seconds.
    pub(crate) fn gateway(sandbox: &str, version: &str, cached: u32) -> Self {
        let config = format!(
            r#"
            [cache]
            seconds = {cached}.0
            [accounts.ada]
            base_url = "http://{sandbox}/ada/api"
            budget = []
            [accounts.digitalchalk]
            base_url = "http://{sandbox}/digitalchalk/dc/api/v5"
            budget = []
            [accounts.intercom]
            base_url = "http://{sandbox}/intercom"
            budget = []
            options = {{ version = "{version}" }}
            [accounts.usertour]
            base_url = "http://{sandbox}/usertour"
            budget = []
            "#
        );
        Self::serve(&config)
    }

    /// A gateway with the demo's settings: budgets that the sandboxes grant, and the usual cache.
    pub(crate) fn demo(sandbox: &str) -> Self {
        Self::serve(&format!(
            r#"
            [accounts.ada]
            base_url = "http://{sandbox}/ada/api"
            budget = [{{ calls = 20000, seconds = 10 }}]
            [accounts.digitalchalk]
            base_url = "http://{sandbox}/digitalchalk/dc/api/v5"
            budget = [{{ calls = 20000, seconds = 10 }}]
            [accounts.intercom]
            base_url = "http://{sandbox}/intercom"
            budget = []
            [accounts.usertour]
            base_url = "http://{sandbox}/usertour"
            budget = [{{ calls = 20000, seconds = 10 }}]
            "#
        ))
    }

    /// A gateway with a configuration.
    fn serve(config: &str) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let file = format!("roster-bench-{}-{number}.toml", std::process::id());
        let file = std::env::temp_dir().join(file);
        fs::write(&file, config).unwrap();
        let token = roster_sandbox::TOKEN;
        let process = Self::start(
            Command::new(env!("CARGO_BIN_EXE_roster"))
                .args(["serve", "--listen", "127.0.0.1:0", "--config"])
                .arg(&file)
                .env("RUST_LOG", "warn")
                .env("ROSTER_ADA_TOKEN", token)
                .env("ROSTER_DIGITALCHALK_TOKEN", token)
                .env("ROSTER_INTERCOM_TOKEN", token)
                .env("ROSTER_USERTOUR_TOKEN", format!("ak_{token}")),
        );
        fs::remove_file(&file).unwrap();
        process
    }

    pub(crate) fn proxy(sandbox: &str) -> Self {
        Self::start(Command::new(std::env::current_exe().unwrap()).args(["--proxy", sandbox]))
    }

    /// Starts a command and reads its address from what it prints first.
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let after = line.split("http://").nth(1).unwrap();
        let address = after.split('/').next().unwrap().trim().to_owned();
        Self { child, address }
    }

    /// The CPU time that the process has used.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // After the name in parentheses: state is the first field, utime and stime the 12th and 13th.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // A hundred ticks a second, on every Linux that Rust runs on.
        Duration::from_millis(ticks * 10)
    }

    /// The memory that the process holds.
    pub(crate) fn memory_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
