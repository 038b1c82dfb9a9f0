//! The program: its output, its exit codes, and what it never prints.

mod admin;
mod check;
mod demo;
mod drain;
mod memory;
mod serve;
mod store;
mod unlogged;

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::Duration,
};

use tokio::{net::TcpListener, time::timeout};

/// Longer than any answer of the program takes on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program with an empty environment.
pub(crate) fn roster(arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_roster"));
    program.args(arguments).env_clear().stdin(Stdio::null());
    program
}

/// Runs the program to its end.
pub(crate) async fn ran(mut program: Command) -> Output {
    program.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = tokio::process::Command::from(program)
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let output = timeout(PATIENCE, child.wait_with_output()).await;
    output.expect("the program ends").expect("its output")
}

/// Sends a program the signal to stop.
pub(crate) async fn terminate(child: &tokio::process::Child) {
    signal(child, "TERM").await;
}

/// Sends a signal to a program.
pub(crate) async fn signal(child: &tokio::process::Child, name: &str) {
    let id = child.id().expect("it runs").to_string();
    let told = tokio::process::Command::new("sh")
        .args(["-c", &format!("kill -{name} \"$0\""), &id])
        .status()
        .await;
    assert!(told.expect("a shell").success());
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// A file that is deleted with the value.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn holding(name: &str, text: &str) -> Self {
        let name = format!("roster-{}-{name}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("a file");
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn the_schema_is_printed_as_it_is_committed() {
    let output = ran(roster(&["schema"])).await;

    assert!(output.status.success());
    assert!(
        stdout(&output) == include_str!("../../schema.graphql"),
        "another schema"
    );
    assert_eq!(stderr(&output), "");
}

#[tokio::test]
async fn the_schema_for_clients_is_printed_without_what_only_routers_need() {
    let output = ran(roster(&["schema", "--api"])).await;

    assert!(output.status.success());
    assert_eq!(stderr(&output), "");
    let text = stdout(&output);
    for federated in [
        "_Any",
        "_entities",
        "_service",
        "_Entity",
        "@key",
        "@link",
        "@shareable",
    ] {
        assert!(!text.contains(federated), "{federated}");
    }
    assert!(text.starts_with("\"\"\"\nThe people in a company's SaaS tools"));
}

#[tokio::test]
async fn every_command_explains_itself() {
    for (arguments, words) in [
        (
            &["--help"][..],
            &["demo", "serve", "check", "schema", "sandbox", "health"][..],
        ),
        (
            &["demo", "--help"],
            &[
                "--listen",
                "--sandbox-listen",
                "--users",
                "--seed",
                "--latency",
                "127.0.0.1:8080",
                "127.0.0.1:8081",
            ],
        ),
        (
            &["serve", "--help"],
            &["--config", "--listen", "--log", "roster.toml"],
        ),
        (&["check", "--help"], &["--config", "roster.toml"]),
        (
            &["schema", "--help"],
            &["subgraph", "--api", "relay-compiler"],
        ),
        (
            &["sandbox", "--help"],
            &[
                "--listen",
                "--users",
                "--seed",
                "--latency",
                "127.0.0.1:8081",
            ],
        ),
        (
            &["health", "--help"],
            &["--address", "--config", "roster.toml", "127.0.0.1:8080"],
        ),
    ] {
        let output = ran(roster(arguments)).await;
        assert!(output.status.success(), "{arguments:?}");
        let text = stdout(&output);
        for word in words {
            assert!(
                text.contains(word),
                "{arguments:?} does not say {word}: {text}"
            );
        }
    }
}

#[tokio::test]
async fn an_unknown_command_or_option_is_refused() {
    for arguments in [
        &["server"][..],
        &["demo", "--port", "1"],
        &["demo", "--users", "many"],
        &["serve", "--token", "x"],
        &["health", "--address", "here"],
    ] {
        let output = ran(roster(arguments)).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains("error: "), "{arguments:?}");
        assert_eq!(stdout(&output), "");
    }
}

#[tokio::test]
async fn a_busy_port_is_named_with_a_way_out() {
    let busy = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = busy.local_addr().expect("an address").to_string();
    for arguments in [
        vec![
            "demo",
            "--listen",
            &address,
            "--sandbox-listen",
            "127.0.0.1:0",
        ],
        vec![
            "demo",
            "--listen",
            "127.0.0.1:0",
            "--sandbox-listen",
            &address,
        ],
        vec!["sandbox", "--listen", &address],
    ] {
        let output = ran(roster(&arguments)).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let says = stderr(&output);
        assert!(
            says.contains(&format!("cannot listen on {address}")),
            "{says}"
        );
        assert!(says.contains("choose another address or port"), "{says}");
    }
}

#[tokio::test]
async fn health_fails_where_no_server_listens() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = closed.local_addr().expect("an address").to_string();
    drop(closed);

    let output = ran(roster(&["health", "--address", &address])).await;

    assert_eq!(output.status.code(), Some(1));
    assert!(!stderr(&output).is_empty());
}
