//! `serve`: from its first line to its end.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::timeout,
};

use super::{File, PATIENCE, roster, terminate};

/// A gateway in its own process.
pub(super) struct Gateway {
    pub(super) child: Child,
    pub(super) address: String,
    /// The address of health and metrics, if it is a separate one.
    pub(super) admin: Option<String>,
}

impl Gateway {
    /// Ready when it has printed its address.
    pub(super) async fn start(file: &File) -> Self {
        Self::of(roster(&["serve", "--config", file.path()]), false).await
    }

    /// A gateway with an admin address, in a shell that ran some commands before.
    pub(super) async fn after(script: &str, file: &File) -> Self {
        let mut shell = std::process::Command::new("/bin/sh");
        let script = format!("{script}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_roster")]);
        shell.args(["serve", "--config", file.path()]).env_clear();
        Self::of(shell, true).await
    }

    async fn of(mut program: std::process::Command, has_admin: bool) -> Self {
        program.stdin(Stdio::null());
        program.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = tokio::process::Command::from(program)
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut address = async |title: &str, path: &str| {
            let line = timeout(PATIENCE, lines.next_line()).await;
            let line = line.expect("in time").expect("text").expect("a line");
            let address = line.strip_prefix(title).expect("its title").trim();
            address.strip_suffix(path).expect("its path").to_owned()
        };
        Self {
            address: address("GraphiQL ", "/graphiql").await,
            admin: match has_admin {
                true => Some(address("Metrics ", "/metrics").await),
                false => None,
            },
            child,
        }
    }

    async fn readiness(&self) -> u16 {
        let answer = reqwest::get(format!("{}/health/ready", self.address)).await;
        answer.expect("an answer").status().as_u16()
    }

    pub(super) async fn end(mut self) -> Option<i32> {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it ends");
        status.expect("a status").code()
    }
}

#[tokio::test]
async fn load_balancers_see_the_stop_and_a_second_signal_ends_it() {
    let file = File::holding(
        "notice",
        "[server]\nlisten = \"127.0.0.1:0\"\nshutdown_delay_seconds = 3600\n",
    );
    let gateway = Gateway::start(&file).await;
    assert_eq!(gateway.readiness().await, 200);

    terminate(&gateway.child).await;

    // Every query uses a new connection: the gateway still accepts, and reports that it stops.
    let noticed = timeout(PATIENCE, async {
        while gateway.readiness().await != 503 {}
    });
    noticed.await.expect("it says that it stops");
    terminate(&gateway.child).await;
    assert_eq!(gateway.end().await, Some(0));
}
