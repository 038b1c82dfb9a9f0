//! Every write leaves one line: in the log, or in a separate file.

use std::{path::PathBuf, time::Duration};

use roster::account::Provider::DigitalChalk;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{Gateway, Setup, field, message};
use crate::{program::PATIENCE, world::World};

const WRITE: &str = "mutation Hire { upsertUser(input: { provider: INTERCOM, externalId: \"audited\", email: \"audited@x.test\", name: \"Ann\" }) {
    user { remoteId } outcome userErrors { code }
} }";

/// Writes a user and returns the id of the record.
async fn write(gateway: &Gateway) -> String {
    let answer = gateway.answer(WRITE).await;
    let payload = &answer["data"]["upsertUser"];
    assert_eq!(payload["userErrors"], json!([]), "{answer}");
    payload["user"]["remoteId"]
        .as_str()
        .expect("an id")
        .to_owned()
}

fn is_audit(line: &Value) -> bool {
    line["target"] == "roster.audit"
}

/// A file that is deleted with the value.
struct Audit(PathBuf);

impl Audit {
    fn at(name: &str) -> Self {
        let name = format!("roster-{}-{name}.log", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.0).expect("a file");
        let lines = text.lines().map(serde_json::from_str);
        lines
            .collect::<Result<_, _>>()
            .expect("a line of JSON each")
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_write_leaves_one_line_with_account_operation_outcome_and_record() {
    let world = World::with(5, |_| {}).await;
    let gateway = Setup::over(world.sandbox, "audit-log").start().await;

    let id = write(&gateway).await;

    let line = gateway.line(is_audit).await;
    assert_eq!(line["level"], "INFO", "{line}");
    assert_eq!(field(&line, "account"), "intercom");
    assert_eq!(field(&line, "operation"), "upsert");
    assert_eq!(field(&line, "outcome"), "created");
    assert_eq!(field(&line, "record.id"), id);
    assert!(!field(&line, "request.id").is_empty(), "{line}");
    let others = gateway.lines(|line| !is_audit(line));
    let told = format!("{others:?}");
    assert!(!told.contains(&id), "the record's id is in the log: {told}");
    assert!(!format!("{:?}", gateway.lines(|_| true)).contains("x.test"));
    assert_eq!(gateway.lines(is_audit).len(), 1);
}

#[tokio::test]
async fn a_refused_write_leaves_a_line_with_its_code() {
    let world = World::with(5, |_| {}).await;
    let gateway = Setup::over(world.sandbox, "audit-refused").start().await;
    let fault = json!({ "kind": "status", "status": 403 });
    world.fault(roster::account::Provider::Ada, fault).await;

    let refused = "mutation { upsertUser(input: { provider: ADA, externalId: \"x\", name: \"X\" }) { outcome } }";
    gateway.answer(refused).await;

    let line = gateway.line(is_audit).await;
    assert_eq!(field(&line, "account"), "ada");
    assert_eq!(field(&line, "outcome"), "skipped");
    assert_eq!(field(&line, "code"), "PROVIDER_AUTH");
    gateway.line(|line| message(line) == "answered").await;
    let of_requests = |line: &Value| line["level"] == "INFO" && line["spans"][0].is_object();
    let told: Vec<_> = gateway
        .lines(of_requests)
        .iter()
        .map(message)
        .map(str::to_owned)
        .collect();
    assert_eq!(told, ["write", "answered"]);
}

#[tokio::test]
async fn a_file_takes_the_lines_and_is_opened_again_at_sighup() {
    let world = World::with(5, |_| {}).await;
    let audit = Audit::at("audit-file");
    let mut setup = Setup::over(world.sandbox, "audit-file");
    setup.tables = format!("[log]\naudit_file = \"{}\"\n", audit.0.display());
    let gateway = setup.start().await;

    let id = write(&gateway).await;

    let [line] = audit.lines().try_into().expect("one line");
    assert_eq!(line["account"], "intercom");
    assert_eq!(line["operation"], "upsert");
    assert_eq!(line["outcome"], "created");
    assert_eq!(line["record_id"], id);
    assert!(line["timestamp"].is_string() && line["request_id"].is_string());
    assert_eq!(gateway.lines(is_audit), Vec::<Value>::new());

    // As log rotation does it.
    let old = Audit::at("audit-file-old");
    std::fs::rename(&audit.0, &old.0).expect("renamed");
    gateway.signal("HUP").await;
    gateway
        .line(|line| message(line) == "the audit file is opened again")
        .await;
    write(&gateway).await;
    assert_eq!((old.lines().len(), audit.lines().len()), (1, 1));
}

#[tokio::test]
async fn a_full_disk_stops_no_write_and_is_logged() {
    let world = World::with(5, |_| {}).await;
    let mut setup = Setup::over(world.sandbox, "audit-full");
    setup.tables = "[log]\naudit_file = \"/dev/full\"\n".to_owned();
    let gateway = setup.start().await;

    let id = write(&gateway).await;
    write(&gateway).await;

    let told = |line: &Value| message(line) == "the audit file cannot be written";
    let line = gateway.line(told).await;
    assert_eq!(line["level"], "ERROR", "{line}");
    assert!(field(&line, "why").contains("No space left"), "{line}");
    gateway
        .settles("roster_audit_failures_total", &[], 2.0)
        .await;
    assert_eq!(gateway.lines(told).len(), 1);
    // The lines themselves are in the log then.
    let lines = gateway.lines(is_audit);
    assert_eq!(lines.len(), 2);
    assert_eq!(field(&lines[0], "record.id"), id);
}

#[tokio::test]
async fn a_write_that_is_cut_off_leaves_a_line_with_outcome_unknown() {
    let world = World::with(5, |_| {}).await;
    let audit = Audit::at("audit-cut");
    let mut setup = Setup::over(world.sandbox, "audit-cut");
    setup.server += "drain_seconds = 1\n";
    setup.tables = format!("[log]\naudit_file = \"{}\"\n", audit.0.display());
    let mut gateway = setup.start().await;
    let hang = json!({ "kind": "hang", "method": "POST" });
    world.fault(DigitalChalk, hang).await;
    let cut = "mutation { upsertUser(input: { provider: DIGITAL_CHALK, email: \"cut@x.test\", firstName: \"C\" }) { outcome } }";
    let write = gateway.client.post(format!("{}/graphql", gateway.address));
    let write = write.json(&json!({ "query": cut }));
    let write = tokio::spawn(write.header("x-request-id", "cut").send());
    let is_sent = async {
        let is_post = |call: &crate::world::Call| call.method == "POST";
        while !world.calls(DigitalChalk).await.iter().any(is_post) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, is_sent).await.expect("it is sent");

    gateway.signal("TERM").await;
    let ended = timeout(PATIENCE, gateway.child.wait()).await;
    assert!(ended.expect("in time").expect("a status").success());
    write.abort();

    let [line] = audit.lines().try_into().expect("one line");
    assert_eq!(line["account"], "digitalchalk", "{line}");
    assert_eq!(line["outcome"], "unknown", "{line}");
    assert_eq!(line["code"], "OUTCOME_UNKNOWN", "{line}");
    assert_eq!(line["request_id"], "cut", "{line}");
}
