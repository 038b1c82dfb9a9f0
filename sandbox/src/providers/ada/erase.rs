//! Bulk erasure by a job. Its identifiers are the only place where an email selects users. The job
//! is done as soon as it is accepted.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::error::AdaError;
use super::store::AdaData;
use super::user::EndUser;
use super::write::read;
use super::{Ada, AdaState, json as answer};

const MAX_BODY: usize = 512 << 10;
const MAX_IDENTIFIERS: usize = 1000;
/// An identifier that matches more users than this erases none.
const MAX_MATCHES: usize = 1000;

/// A job that was accepted.
#[derive(Clone)]
pub(super) struct EraseJob {
    id: String,
    client_reference: Option<String>,
    created_at: String,
    results: Vec<(Value, &'static str)>,
}

impl EraseJob {
    fn json(&self, status: &str) -> Value {
        json!({
            "job_id": self.id,
            "status": status,
            "submitted_count": self.results.len(),
            "created_at": self.created_at,
        })
    }

    fn report(&self) -> Value {
        let accepted = |(_, disposition): &&(Value, &str)| *disposition == "accepted";
        let status = match self.results.iter().filter(accepted).count() {
            0 => "failed",
            count if count == self.results.len() => "completed",
            _ => "partial",
        };
        let mut report = self.json(status);
        let results = self.results.iter().map(|(identifier, disposition)| {
            json!({"identifier": identifier, "disposition": disposition})
        });
        report["results"] = results.collect();
        report
    }
}

/// `POST /api/v2/end-users/delete`.
pub(super) async fn submit(State(ada): AdaState, body: Body) -> Response {
    let body = read(body, MAX_BODY).await;
    ada.reply(body.and_then(|body| accept_job(&ada, &body)))
}

/// `GET /api/v2/jobs/{job_id}`.
pub(super) async fn job(State(ada): AdaState, id: Result<Path<String>, PathRejection>) -> Response {
    let data = ada.store.lock();
    let job = id.ok().and_then(|Path(id)| data.jobs.get(&id));
    let report = job.map(|job| answer(StatusCode::OK, job.report()));
    ada.reply(report.ok_or_else(|| AdaError::not_found("Job not found")))
}

fn accept_job(ada: &Ada, body: &Map<String, Value>) -> Result<Response, AdaError> {
    let identifiers = body.get("identifiers").and_then(Value::as_array);
    let identifiers = identifiers
        .filter(|all| (1..=MAX_IDENTIFIERS).contains(&all.len()))
        .ok_or_else(|| AdaError::rejected("identifiers must have 1 to 1000 items"))?;
    let reference = body.get("client_reference").and_then(Value::as_str);

    let mut data = ada.store.lock();
    let known =
        |job: &&EraseJob| reference.is_some() && job.client_reference.as_deref() == reference;
    if let Some(job) = data.jobs.values().find(known) {
        return Ok(answer(StatusCode::ACCEPTED, job.json("queued")));
    }
    let job = EraseJob {
        id: format!("job-{:06}", data.jobs.len() + 1),
        client_reference: reference.map(str::to_owned),
        created_at: Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%S+00:00")
            .to_string(),
        results: erase_all(&mut data, identifiers),
    };
    let taken = job.json("queued");
    data.jobs.insert(job.id.clone(), job);
    Ok(answer(StatusCode::ACCEPTED, taken))
}

/// Erases the users that each identifier selects.
fn erase_all(data: &mut AdaData, identifiers: &[Value]) -> Vec<(Value, &'static str)> {
    let mut results: Vec<(Value, &'static str)> = Vec::new();
    for identifier in identifiers {
        let disposition = if results.iter().any(|(done, _)| done == identifier) {
            "duplicate"
        } else {
            erase(data, identifier)
        };
        results.push((identifier.clone(), disposition));
    }
    results
}

fn erase(data: &mut AdaData, identifier: &Value) -> &'static str {
    let text = |name| identifier.get(name).and_then(Value::as_str);
    let (Some(kind), Some(value)) = (text("type"), text("value")) else {
        return "invalid";
    };
    let value = value.trim();
    let folded = value.to_lowercase();
    let names = |user: &EndUser| match kind {
        "email" => user.email().map(str::to_lowercase) == Some(folded.clone()),
        "external_id" => user.external_id.as_deref() == Some(folded.as_str()),
        "end_user_id" | "chatter_id" => user.id == value,
        "variable_match" => {
            let variable = text("variable").unwrap_or_default();
            user.profile.metadata.get(variable).and_then(Value::as_str) == Some(value)
        }
        _ => false,
    };
    let known = [
        "email",
        "external_id",
        "end_user_id",
        "chatter_id",
        "variable_match",
    ];
    if !known.contains(&kind) {
        return "invalid";
    }
    match data.users.iter().filter(|user| names(user)).count() {
        0 => "not_found",
        count if count > MAX_MATCHES => "exceeds_limit",
        _ => {
            data.users.retain(|user| !names(user));
            "accepted"
        }
    }
}
