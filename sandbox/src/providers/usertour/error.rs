//! Usertour's errors: the API's own shape, and the two shapes of its framework.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::reply;

const UNEXPECTED: &str = "An unexpected error occurred";

/// A problem with a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Issue {
    path: String,
    message: String,
}

impl Issue {
    /// A problem with the parameter of this name.
    pub(super) fn new(path: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            message: message.into(),
        }
    }

    fn text(&self) -> String {
        format!("{}: {}", self.path, self.message)
    }

    fn json(&self) -> serde_json::Value {
        json!({"rule": "schema", "message": self.message, "path": self.path})
    }
}

/// An error, in one of the provider's three shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UsertourError {
    /// 401 E1010.
    MissingKey,
    /// 403 E1000.
    InvalidKey,
    /// 404 E1001.
    NoUser,
    /// 404 E1002.
    NoCompany,
    /// 404 E1003.
    NoMembership,
    /// 404 E1025; in version 1 only with a switch.
    NoSegment,
    /// 401 E1020, in version 2.
    ExpiredToken,
    /// 403 E1011, in version 2.
    ProjectOutOfScope,
    /// 403 E1019, in version 2.
    EnvironmentMismatch,
    /// 404 E1033, in version 2.
    UnknownRoute,
    /// 400 E1007.
    Cursor,
    /// 429 E1013.
    Throttled,
    /// 400 E1017 with the first message.
    Invalid(String),
    /// 400 E1017 with every problem, in version 2.
    Issues(Vec<Issue>),
    /// 500 E0000.
    Unexpected,
    /// 404 without an API code: no such route.
    NoRoute(String),
    /// 400 without an API code: the request cannot be read.
    Unreadable(String),
    /// 413 and 415 of the body parser.
    Body(StatusCode, String),
}

impl UsertourError {
    /// A validation failure.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// The failure of the body parser as version 2 shows it: in the API's own shape.
    pub(super) fn in_v2(self) -> Self {
        match self {
            Self::Unreadable(message) => Self::Invalid(format!("Invalid JSON body: {message}")),
            other => other,
        }
    }

    /// The answer; in Chinese where `Accept-Language` is exactly `zh-CN`.
    pub(super) fn into_response(self, chinese: bool) -> Response {
        match self {
            Self::NoRoute(message) => framework(StatusCode::NOT_FOUND, "Not Found", &message),
            Self::Unreadable(message) => {
                framework(StatusCode::BAD_REQUEST, "Bad Request", &message)
            }
            Self::Body(status, message) => {
                let body = json!({"statusCode": status.as_u16(), "message": message});
                reply::json(status, &body)
            }
            coded => coded.api(chinese),
        }
    }

    fn api(self, chinese: bool) -> Response {
        let invalid;
        let mut issues = Vec::new();
        let (status, code, english, translated) = match self {
            Self::MissingKey => (401, "E1010", "Missing API key", "缺少 API 密钥"),
            Self::InvalidKey => (
                403,
                "E1000",
                "Invalid API key provided",
                "提供的 API 密钥无效",
            ),
            Self::NoUser => (404, "E1001", "User not found", "用户未找到"),
            Self::NoCompany => (404, "E1002", "Company not found", "公司未找到"),
            Self::NoMembership => (
                404,
                "E1003",
                "Company membership not found",
                "公司成员关系未找到",
            ),
            Self::NoSegment => (404, "E1025", "Segment not found", "分段未找到"),
            Self::Cursor => (400, "E1007", "Invalid cursor parameter", "无效的游标参数"),
            Self::ExpiredToken => (401, "E1020", "API key has expired", "API 密钥已过期"),
            Self::ProjectOutOfScope => (
                403,
                "E1011",
                "API key is not scoped to the requested project",
                "API 密钥未授权访问该项目",
            ),
            Self::EnvironmentMismatch => (
                403,
                "E1019",
                "Environment does not belong to the requested project",
                "环境不属于该项目",
            ),
            Self::UnknownRoute => (404, "E1033", "Unknown API route", "未知的 API 路径"),
            Self::Throttled => (429, "E1013", "Too many requests", "请求过于频繁"),
            Self::Invalid(message) => {
                invalid = message;
                (400, "E1017", invalid.as_str(), invalid.as_str())
            }
            Self::Issues(found) => {
                let texts: Vec<String> = found.iter().map(Issue::text).collect();
                invalid = texts.join("; ");
                issues = found;
                (400, "E1017", invalid.as_str(), invalid.as_str())
            }
            _ => (500, "E0000", UNEXPECTED, UNEXPECTED),
        };
        let mut error = json!({
            "code": code,
            "message": if chinese { translated } else { english },
            "doc_url": "https://docs.usertour.io",
        });
        if !issues.is_empty() {
            error["issues"] = issues.iter().map(Issue::json).collect();
        }
        let body = json!({ "error": error });
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        reply::json(status, &body)
    }
}

fn framework(status: StatusCode, error: &str, message: &str) -> Response {
    let body = json!({"message": message, "error": error, "statusCode": status.as_u16()});
    reply::json(status, &body)
}
