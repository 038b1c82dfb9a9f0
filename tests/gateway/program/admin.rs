//! `serve` with a separate address for health and metrics, and with clients that take every
//! connection.

use roster_sandbox::known::EVERYWHERE;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{File, PATIENCE, memory, ran, roster, serve::Gateway, stderr, terminate};
use crate::world::World;

async fn status(address: &str, path: &str) -> u16 {
    let answer = timeout(PATIENCE, reqwest::get(format!("{address}{path}"))).await;
    let answer = answer.expect("in time").expect("an answer");
    answer.status().as_u16()
}

async fn free() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").to_string()
}

#[tokio::test]
async fn health_and_metrics_are_at_the_admin_address_alone() {
    let admin = free().await;
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"{admin}\"\nshutdown_delay_seconds = 3600\n"
    );
    let file = File::holding("admin", &text);
    let both = Gateway::after(":", &file).await;
    assert_eq!(both.admin, Some(format!("http://{admin}")));
    let admin = format!("http://{admin}");

    for path in ["/metrics", "/health/live", "/health/ready"] {
        assert_eq!(status(&both.address, path).await, 404, "{path}");
        assert_eq!(status(&admin, path).await, 200, "{path}");
    }
    assert_eq!(status(&both.address, "/graphiql").await, 200);
    for path in ["/graphiql", "/graphql"] {
        assert_eq!(status(&admin, path).await, 404, "{path}");
    }
    let health = ran(roster(&["health", "--config", file.path()])).await;
    assert_eq!(health.status.code(), Some(0), "{}", stderr(&health));

    terminate(&both.child).await;

    let stopping = timeout(PATIENCE, async {
        while status(&admin, "/health/ready").await != 503 {}
    });
    stopping.await.expect("it says that it stops");
    let health = ran(roster(&["health", "--config", file.path()])).await;
    assert_eq!(health.status.code(), Some(1));
}

#[tokio::test]
async fn metrics_at_the_admin_address_are_only_for_known_hosts() {
    let file = File::holding(
        "admin-host",
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n",
    );
    let admin = Gateway::after(":", &file).await;
    let address = admin.admin.as_deref().expect("an address");
    let client = reqwest::Client::new();
    for (path, expected) in [("/metrics", 421), ("/health/ready", 200)] {
        let request = client.get(format!("{address}{path}"));
        let answer = request.header("host", "evil.test").send().await;
        assert_eq!(answer.expect("an answer").status(), expected, "{path}");
    }
}

#[tokio::test]
async fn health_calls_the_configured_address() {
    let closed = free().await;
    for (name, text) in [
        (
            "health-listen",
            format!("[server]\nlisten = \"{closed}\"\n"),
        ),
        (
            "health-admin",
            format!("[server]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"{closed}\"\n"),
        ),
        ("health-broken", "[server]\nlisten = 7\n".to_owned()),
    ] {
        let file = File::holding(name, &text);
        let health = ran(roster(&["health", "--config", file.path()])).await;
        assert_eq!(health.status.code(), Some(1));
        assert_ne!(stderr(&health), "", "{name}");
    }
}

#[tokio::test]
async fn one_address_cannot_serve_both() {
    let file = File::holding(
        "admin-same",
        "[server]\nlisten = \"127.0.0.1:8080\"\nadmin_listen = \"127.0.0.1:8080\"\n",
    );

    let check = ran(roster(&["check", "--config", file.path()])).await;

    assert_eq!(check.status.code(), Some(1));
    assert!(stderr(&check).contains("server.admin_listen"));
}

#[tokio::test]
async fn a_host_with_a_scheme_is_an_error_in_the_configuration() {
    let file = File::holding(
        "hosts",
        "[server]\nhosts = [\"roster.example\", \"https://a.test\", \"a.test:80\"]\n",
    );

    let check = ran(roster(&["check", "--config", file.path()])).await;

    assert_eq!(check.status.code(), Some(1));
    let says = stderr(&check);
    assert!(
        says.contains("\"https://a.test\"") && says.contains("\"a.test:80\""),
        "{says}"
    );
    assert!(!says.contains("roster.example\" is no host"), "{says}");
}

#[tokio::test]
async fn idle_clients_leave_open_files_for_the_providers() {
    let world = World::with(20, |_| {}).await;
    let (file, _tokens) = memory::settings(&world, "files", "admin_listen = \"127.0.0.1:0\"\n");
    let gateway = Gateway::after("ulimit -Sn 64; ulimit -Hn 256", &file).await;
    let front = gateway.address.trim_start_matches("http://");
    let open = format!("/proc/{}/fd", gateway.child.id().expect("it runs"));
    let open = std::fs::read_dir(open).expect("a process").count();
    let query = format!(
        "{{ usersByEmail(email: \"{EVERYWHERE}\") {{ sources {{ status error {{ code }} }} }} }}"
    );
    let mut idle = Vec::new();
    // First enough that the next connection is the last open file, then more than are possible.
    for clients in [255 - open, 300] {
        while idle.len() < clients {
            idle.push(TcpStream::connect(front).await.expect("a connection"));
        }
        world.forget_calls().await;
        // A connection from the first query may close just as the second is sent.
        let client = world.beside(front.parse().expect("an address"));

        let data = timeout(PATIENCE, client.data(&query)).await;

        let data = data.expect("in time");
        for source in data["usersByEmail"]["sources"].as_array().expect("sources") {
            assert_eq!(source["error"], Value::Null, "{data}");
        }
        assert!(world.tally().await.iter().all(|calls| *calls > 0));
    }
    let admin = gateway.admin.expect("an address");
    assert_eq!(status(&admin, "/health/ready").await, 200);
}
