//! A Redis for a single test.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

/// A Redis on a free port; it ends with the value.
pub(crate) struct Redis {
    port: u16,
    process: Option<Child>,
}

impl Redis {
    /// Starts one. `None` when `redis-server` is missing, unless the tests require it.
    pub(crate) async fn start() -> Option<Self> {
        let is_there = Command::new("redis-server")
            .arg("--version")
            .output()
            .is_ok();
        if !is_there {
            let needed = std::env::var("ROSTER_TESTS_NEED_REDIS").is_ok();
            assert!(!needed, "there is no redis-server on the PATH");
            eprintln!("SKIPPED: there is no redis-server on the PATH");
            return None;
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        // Nothing else may answer there while we wait for it.
        drop(listener);
        let mut redis = Self {
            port,
            process: None,
        };
        redis.run().await;
        Some(redis)
    }

    /// Starts it, perhaps again, and empty.
    pub(crate) async fn run(&mut self) {
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--dir", "/tmp"])
            .stdout(Stdio::null());
        self.process = Some(command.spawn().expect("a redis-server"));
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("it ends");
        }
    }

    /// Suspends it: its clients wait.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// Resumes it.
    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().map(Child::id).expect("it runs");
        let sent = Command::new("kill")
            .args([signal, &id.to_string()])
            .status();
        assert!(sent.expect("kill").success());
    }

    /// Sends a command and returns the reply.
    pub(crate) async fn tell(&self, words: &[&str]) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await;
        let mut stream = stream.expect("a connection");
        let words = words
            .iter()
            .map(|word| format!("${}\r\n{word}\r\n", word.len()));
        let words: Vec<_> = words.collect();
        let said = format!("*{}\r\n{}", words.len(), words.concat());
        stream.write_all(said.as_bytes()).await.expect("sent");
        let quit = stream.write_all(b"*1\r\n$4\r\nQUIT\r\n").await;
        quit.expect("sent");
        // It may close the connection at once.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
