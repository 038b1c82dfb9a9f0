//! Ada's errors: `{"errors": [{type, message, details}]}`.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::json as answer;
use crate::behaviour::Behaviour;

/// The reason why a call is refused.
pub(super) struct AdaError {
    status: StatusCode,
    slug: &'static str,
    message: String,
    problems: Vec<InvalidParameter>,
}

/// A parameter with a wrong value.
pub(super) struct InvalidParameter {
    /// Such as `$.profile`.
    pub(super) parameter: String,
    /// `body` or `query`.
    pub(super) location: &'static str,
    pub(super) message: String,
}

impl AdaError {
    pub(super) fn new(status: StatusCode, slug: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            slug,
            message: message.into(),
            problems: Vec::new(),
        }
    }

    pub(super) fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn too_large() -> Self {
        let message = "The request body is too large";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "content_too_large", message)
    }

    pub(super) fn invalid(problems: Vec<InvalidParameter>) -> Self {
        Self {
            problems,
            ..Self::rejected("invalid end user data")
        }
    }

    /// A 400 that names no parameter.
    pub(super) fn rejected(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "validation_error", message)
    }

    pub(super) fn invalid_query(parameter: &str, message: &str) -> Self {
        Self::invalid(vec![InvalidParameter {
            parameter: format!("$.{parameter}"),
            location: "query",
            message: message.to_owned(),
        }])
    }

    /// The answer, with `details` in the shape that the switches select.
    pub(super) fn answer(&self, behaviour: &Behaviour) -> Response {
        let shape = behaviour.get("details");
        let details = match shape.as_deref() {
            _ if self.problems.is_empty() => Value::Null,
            Some("string") => self.sentences().into(),
            Some("object") => self.indexed(),
            Some("null") => Value::Null,
            _ => self.problems.iter().map(InvalidParameter::json).collect(),
        };
        self.with(&details)
    }

    /// The answer without details.
    pub(super) fn plain(&self) -> Response {
        self.with(&Value::Null)
    }

    fn sentences(&self) -> String {
        let sentences: Vec<_> = self
            .problems
            .iter()
            .map(InvalidParameter::sentence)
            .collect();
        sentences.join("; ")
    }

    fn indexed(&self) -> Value {
        let problems = self.problems.iter().enumerate();
        let pairs = problems.map(|(index, problem)| (index.to_string(), problem.json()));
        Value::Object(pairs.collect())
    }

    fn with(&self, details: &Value) -> Response {
        let error = json!({"type": self.slug, "message": self.message, "details": details});
        answer(self.status, json!({ "errors": [error] }))
    }
}

impl InvalidParameter {
    fn json(&self) -> Value {
        json!({"parameter": self.parameter, "location": self.location, "message": self.message})
    }

    fn sentence(&self) -> String {
        format!("{}: {}", self.parameter, self.message)
    }
}

/// The 401. The documents show two bodies for it.
pub(super) fn unauthorized(behaviour: &Behaviour) -> Response {
    let status = StatusCode::UNAUTHORIZED;
    if behaviour.is("auth_body", "message") {
        return answer(status, json!({"message": "Unauthorized"}));
    }
    AdaError::new(status, "unauthorized", "Unauthorized").plain()
}
