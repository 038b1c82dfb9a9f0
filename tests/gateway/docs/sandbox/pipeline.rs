//! The example for continuous integration runs as the page shows it, at other ports.

use std::{net::TcpListener, path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::{PAGE, page};
use crate::program::PATIENCE;

/// The command of the example that runs a reader's own tests.
const TESTS: &str = "npm test    # your tests ask http://127.0.0.1:8080/graphql";

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener
        .local_addr()
        .expect("an address")
        .port()
        .to_string()
}

/// The first block in a language that has a text in it.
fn block(language: &str, part: &str) -> String {
    let blocks = page(PAGE).blocks().into_iter();
    let mut blocks = blocks.filter(|block| block.language == language && block.text.contains(part));
    blocks.next().expect("a block").text
}

/// The shell that runs the example, and all that it starts. They end with the value.
struct Pipeline(Child);

impl Drop for Pipeline {
    fn drop(&mut self) {
        if let Some(group) = self.0.id() {
            let _ = std::process::Command::new("sh")
                .args(["-c", &format!("kill -- -{group}")])
                .status();
        }
    }
}

/// Starts the example with the gateway at a port. Where the reader's tests would run it prints a line,
/// and waits.
fn start(folder: &Path, gateway: &str) -> Pipeline {
    let sandbox = free_port();
    let listen = format!("[server]\nlisten = \"127.0.0.1:{gateway}\"\n");
    let accounts = block("toml", "/ada/api").replace("8081", &sandbox);
    std::fs::write(folder.join("roster.toml"), listen + &accounts).expect("a file");
    let script = block("sh", TESTS);
    let script = script
        .replace("8081", &sandbox)
        .replace(TESTS, "echo ready; wait");
    let program = Path::new(env!("CARGO_BIN_EXE_roster"));
    let path = program.parent().expect("a folder").display();
    let child = Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder)
        .env("PATH", format!("{path}:/usr/bin:/bin"))
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    Pipeline(child.expect("a shell"))
}

#[tokio::test]
async fn the_example_for_continuous_integration_serves_the_four_providers() {
    let folder = std::env::temp_dir().join(format!("roster-pipeline-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let gateway = free_port();
    let mut pipeline = start(&folder, &gateway);
    let mut lines = BufReader::new(pipeline.0.stdout.take().expect("output")).lines();
    let is_ready = async {
        while let Some(line) = lines.next_line().await.expect("text") {
            if line == "ready" {
                return;
            }
        }
        panic!("the script ended");
    };
    timeout(PATIENCE, is_ready).await.expect("it is ready");

    let query = "{ usersByEmail(email: \"ann@x.test\") { nodes { provider } } }";
    let request = reqwest::Client::new().post(format!("http://127.0.0.1:{gateway}/graphql"));
    let response = request.json(&json!({ "query": query })).send().await;
    let answer: Value = response.expect("an answer").json().await.expect("JSON");

    let nodes = answer["data"]["usersByEmail"]["nodes"].as_array();
    assert_eq!(nodes.map(Vec::len), Some(4), "{answer}");
    drop(pipeline);
    std::fs::remove_dir_all(&folder).expect("it is removed");
}
