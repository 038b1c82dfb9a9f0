//! A log that cannot be written stops nothing.

use std::{net::TcpListener, process::Stdio, time::Duration};

use tokio::{
    process::Child,
    time::{sleep, timeout},
};

use super::{File, PATIENCE, terminate};

/// A gateway at a port that was free a moment ago: its streams do not show its address.
struct Unheard {
    child: Child,
    address: String,
    _file: File,
}

impl Unheard {
    async fn start(name: &str, redirect: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address").to_string();
        drop(free);
        let config = format!("[server]\nlisten = \"{address}\"\nshutdown_delay_seconds = 0\n");
        let file = File::holding(name, &config);
        let mut shell = std::process::Command::new("/bin/sh");
        let script = format!("exec \"$0\" serve --config \"$1\" {redirect}");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_roster"), file.path()]);
        shell.env_clear().stdin(Stdio::null());
        shell.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = tokio::process::Command::from(shell)
            .kill_on_drop(true)
            .spawn();
        let mut child = child.expect("the program starts");
        // The reader of the log is gone.
        drop((child.stdout.take(), child.stderr.take()));
        Self {
            child,
            address,
            _file: file,
        }
    }

    async fn answer(&self) -> Option<String> {
        let request = reqwest::Client::new()
            .post(format!("http://{}/graphql", self.address))
            .header("content-type", "application/json")
            .body(r#"{"query":"{ __typename }"}"#);
        request.send().await.ok()?.text().await.ok()
    }

    async fn is_up(&mut self) {
        let up = async {
            let url = format!("http://{}/health/live", self.address);
            while reqwest::get(&url).await.is_err() {
                let ended = self.child.try_wait().expect("a status");
                assert_eq!(ended, None, "it ended at its start");
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, up).await.expect("it starts");
    }
}

#[tokio::test]
async fn a_gateway_whose_log_cannot_be_written_serves_on_and_ends_well() {
    for (name, redirect) in [
        ("unlogged-full", "2>/dev/full"),
        ("unlogged-both-full", ">/dev/full 2>&1"),
        ("unlogged-closed", ""),
    ] {
        let mut gateway = Unheard::start(name, redirect).await;
        gateway.is_up().await;

        for _ in 0..3 {
            let answer = gateway.answer().await;
            let answer = answer.unwrap_or_else(|| panic!("{name}: no answer"));
            assert!(answer.contains("Query"), "{name}: {answer}");
        }

        terminate(&gateway.child).await;
        let status = timeout(PATIENCE, gateway.child.wait()).await;
        let status = status.expect("it ends").expect("a status");
        assert_eq!(status.code(), Some(0), "{name}");
    }
}

#[tokio::test]
async fn an_error_that_cannot_be_printed_ends_the_program_like_any_other() {
    for (command, code) in [("serve", 1), ("check", 1), ("schema", 1)] {
        let mut shell = std::process::Command::new("/bin/sh");
        let script = "exec \"$0\" \"$@\" >/dev/full 2>&1";
        shell.args(["-c", script, env!("CARGO_BIN_EXE_roster"), command]);
        if command != "schema" {
            shell.args(["--config", "/nowhere/roster.toml"]);
        }
        let output = super::ran(shell).await;
        assert_eq!(output.status.code(), Some(code), "{command}");
    }
}
