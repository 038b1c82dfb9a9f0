//! A process of the soak test: it gets its own port, and dropping the value ends it.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use super::{BUDGETS, DEADLINE, WINDOW_SECONDS};

pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    pub(crate) address: String,
}

impl Process {
    pub(crate) fn sandbox() -> Self {
        let listen = ["sandbox", "--listen", "127.0.0.1:0"];
        let kind = ["--users", "300", "--latency", "20"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_roster"));
        Self::start("sandbox", command.args(listen).args(kind))
    }

    /// A gateway with tight budgets and short timeouts.
    pub(crate) fn gateway(sandbox: &str) -> Self {
        let bases = ["ada/api", "digitalchalk/dc/api/v5", "intercom", "usertour"];
        let providers = BUDGETS.iter().zip(bases).map(|((name, calls), base)| {
            format!(
                r#"
                [accounts.{name}]
                base_url = "http://{sandbox}/{base}"
                timeout_seconds = 1.0
                attempts = 2
                budget = [{{ calls = {calls}, seconds = {WINDOW_SECONDS} }}]
                max_answer_bytes = 4194304
                breaker = {{ cooldown_seconds = 2.0, max_cooldown_seconds = 10.0 }}
                "#
            )
        });
        // A small cache is full before memory is compared.
        let all = format!(
            "limits.deadline_seconds = {}.0\ncache.max_bytes = 8388608\ncache.seconds = 2.0\n",
            DEADLINE.as_secs()
        );
        let file = std::env::temp_dir().join(format!("roster-soak-{}.toml", std::process::id()));
        fs::write(&file, all + &providers.collect::<String>()).unwrap();
        let token = roster_sandbox::TOKEN;
        let mut command = Command::new(env!("CARGO_BIN_EXE_roster"));
        let command = command
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&file)
            .env("RUST_LOG", "warn")
            .env("ROSTER_ADA_TOKEN", token)
            .env("ROSTER_DIGITALCHALK_TOKEN", token)
            .env("ROSTER_INTERCOM_TOKEN", token)
            .env("ROSTER_USERTOUR_TOKEN", format!("ak_{token}"));
        let process = Self::start("gateway", command);
        fs::remove_file(&file).unwrap();
        process
    }

    /// Starts a command and reads its address from what it prints first.
    fn start(name: &str, command: &mut Command) -> Self {
        let log = format!("roster-soak-{}-{name}.log", std::process::id());
        let log = std::env::temp_dir().join(log);
        command.stderr(File::create(&log).unwrap());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next();
        let line = line.unwrap_or_else(|| panic!("{}", fs::read_to_string(&log).unwrap()));
        let line = line.unwrap();
        let after = line.split("http://").nth(1).unwrap();
        let address = after.split('/').next().unwrap().trim().to_owned();
        Self {
            child,
            log,
            address,
        }
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its output on standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The memory that the process holds.
    pub(crate) fn memory_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        // A process that has just ended holds nothing.
        kib.unwrap_or_default() / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.log);
    }
}
