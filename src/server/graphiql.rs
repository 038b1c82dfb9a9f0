//! The page at `/graphiql`: GraphiQL over `/graphql`.
//!
//! GraphiQL and React are files that a lock file names. The page loads them from this program if
//! `scripts/graphiql` ran before the build, otherwise from a public CDN by their hashes. If that fails,
//! it shows a plain query box. All addresses in the page are relative, so that a proxy may add a path.

mod files;

use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use files::{EmbeddedFiles, FILES, PackageFile};

/// The page, with placeholders for what differs between programs.
const PAGE: &str = include_str!("graphiql/index.html");

/// Our own files. They import each other by name, so all of them share one digest in their
/// addresses.
const OWN_FILES: &[(&str, &[u8])] = &[
    ("bootstrap.js", include_bytes!("graphiql/bootstrap.js")),
    ("events.js", include_bytes!("graphiql/events.js")),
    ("examples.js", include_bytes!("graphiql/examples.js")),
    ("icon.svg", include_bytes!("graphiql/icon.svg")),
    ("plain.js", include_bytes!("graphiql/plain.js")),
    ("style.css", include_bytes!("graphiql/style.css")),
];

/// Browsers always revalidate the page, and never the files with a digest in their address.
const REVALIDATE: &str = "no-cache";
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// The hash of the one `style` element that GraphiQL writes: it stops scrolling behind a dialog.
const DIALOG: &str = "'sha256-nzTgYzXYDNe6BAHiiI7NNlfK8n/auuOAhh2t92YvuXo='";

static EMBEDDED: LazyLock<EmbeddedFiles> = LazyLock::new(EmbeddedFiles::of_program);

/// Serves the page and its files.
pub fn router() -> Router {
    routes(EMBEDDED.clone())
}

fn routes(files: EmbeddedFiles) -> Router {
    Router::new()
        .route("/graphiql", get(page))
        .route(
            "/graphiql/",
            get(|| async { Redirect::permanent("../graphiql") }),
        )
        .route("/graphiql/credits", get(credits))
        .route("/graphiql/assets/{digest}/{name}", get(asset))
        .with_state(files)
}

async fn page(State(files): State<EmbeddedFiles>, headers: HeaderMap) -> Response {
    let is_embedded = files.exist();
    let own = own_digest();
    let text = PAGE
        .replace("{own}", &format!("graphiql/assets/{own}"))
        .replace("{manifest}", &manifest(is_embedded).replace('<', "\\u003c"));
    let mut response = cacheable_response(
        &headers,
        "text/html; charset=utf-8",
        REVALIDATE,
        Bytes::from(text),
    );
    if let Ok(policy) = policy(is_embedded).parse() {
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The files that the start script loads, in order, with their addresses.
fn manifest(is_embedded: bool) -> String {
    let address = |file: &PackageFile| match is_embedded {
        true => file.address(),
        false => file.cdn_address(),
    };
    let files: Vec<_> = loaded()
        .map(|file| json!({ "address": address(file), "integrity": file.integrity() }))
        .collect();
    json!({ "isEmbedded": is_embedded, "files": files }).to_string()
}

/// Allows only this server and, if needed, exactly these files of the CDN.
///
/// GraphiQL's style sheet contains its fonts and images as `data:` addresses.
fn policy(is_embedded: bool) -> String {
    let of = |end: &str| match is_embedded {
        true => String::new(),
        false => loaded()
            .filter(|file| file.member.ends_with(end))
            .map(|file| format!(" {}", file.cdn_address()))
            .collect(),
    };
    let (scripts, styles) = (of(".js"), of(".css"));
    format!(
        "default-src 'self'; script-src 'self'{scripts}; style-src 'self' {DIALOG}{styles}; \
         font-src 'self' data:; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    )
}

/// The files that run on the page: all except the licences.
fn loaded() -> impl Iterator<Item = &'static PackageFile> {
    FILES.iter().filter(|file| file.name() != "LICENSE")
}

async fn asset(
    State(files): State<EmbeddedFiles>,
    Path((digest, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let own = OWN_FILES
        .iter()
        .find(|(own, _)| *own == name && digest == own_digest())
        .map(|(_, bytes)| Bytes::from_static(bytes));
    let locked = || {
        let mut files = files.files()?;
        files
            .find(|(file, _)| file.name() == name && file.digest() == digest)
            .map(|(_, bytes)| bytes.clone())
    };
    match own.or_else(locked) {
        Some(bytes) => cacheable_response(&headers, content_type(&name), IMMUTABLE, bytes),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The credits, with the licences of the files that this program serves.
async fn credits(State(files): State<EmbeddedFiles>, headers: HeaderMap) -> Response {
    let mut text = "The page at /graphiql is built on these works.\n".to_owned();
    for file in FILES.iter().filter(|file| file.name() == "LICENSE") {
        text += &format!("\n{} {}, MIT License\n", file.package, file.version);
        text += &format!("{}\n", file.cdn_address());
    }
    text += "\nGraphiQL's files contain, among others, CodeMirror, GraphQL.js, markdown-it and Radix UI (MIT\n\
             License) and the fonts Roboto (Apache License 2.0) and Fira Code (SIL Open Font License 1.1).\n";
    for (file, bytes) in files.files().into_iter().flatten() {
        if file.name() == "LICENSE" {
            text += &format!("\n---- {} {} ----\n\n", file.package, file.version);
            text += &String::from_utf8_lossy(bytes);
        }
    }
    cacheable_response(
        &headers,
        "text/plain; charset=utf-8",
        REVALIDATE,
        Bytes::from(text),
    )
}

/// A response that a browser may cache, or 304 if its copy is current.
fn cacheable_response(
    asked: &HeaderMap,
    kind: &'static str,
    keep: &'static str,
    body: Bytes,
) -> Response {
    let tag = format!("\"{}\"", files::short_digest(&Sha256::digest(&body).into()));
    let is_known = asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .any(|known| matches!(known.trim().trim_start_matches("W/"), known if known == tag || known == "*"));
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, keep),
        (ETAG, tag.as_str()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    match is_known {
        true => (StatusCode::NOT_MODIFIED, headers).into_response(),
        false => (headers, body).into_response(),
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

fn own_digest() -> &'static str {
    static DIGEST: LazyLock<String> = LazyLock::new(|| {
        let all = OWN_FILES
            .iter()
            .fold(Sha256::new(), |all, (_, bytes)| all.chain_update(bytes));
        files::short_digest(&all.finalize().into())
    });
    &DIGEST
}

#[cfg(test)]
mod tests;
