#![expect(clippy::disallowed_methods, reason = "a test is a client of its own")]

use super::*;

async fn start(files: EmbeddedFiles) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, routes(files)).into_future());
    format!("http://{address}")
}

async fn get(address: impl AsRef<str>) -> reqwest::Response {
    reqwest::get(address.as_ref()).await.unwrap()
}

fn full() -> EmbeddedFiles {
    EmbeddedFiles::holding(
        FILES
            .iter()
            .map(|file| Bytes::from_static(file.name().as_bytes()))
            .collect(),
    )
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn with_its_files_the_page_names_no_other_server() {
    let server = start(full()).await;

    let response = get(format!("{server}/graphiql")).await;

    assert_eq!(
        header(&response, "content-type"),
        "text/html; charset=utf-8"
    );
    assert_eq!(header(&response, "cache-control"), "no-cache");
    assert_eq!(
        header(&response, "content-security-policy"),
        "default-src 'self'; script-src 'self'; \
         style-src 'self' 'sha256-nzTgYzXYDNe6BAHiiI7NNlfK8n/auuOAhh2t92YvuXo='; font-src 'self' data:; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    );
    assert!(!response.text().await.unwrap().contains("://"));
}

#[tokio::test]
async fn every_address_in_the_page_is_served_for_good() {
    let server = start(full()).await;

    let own = OWN_FILES
        .iter()
        .map(|(name, _)| format!("graphiql/assets/{}/{name}", own_digest()));
    for address in loaded().map(PackageFile::address).chain(own) {
        let response = get(format!("{server}/{address}")).await;

        assert_eq!(response.status(), 200, "{address}");
        assert_eq!(
            header(&response, "cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_ne!(
            header(&response, "content-type"),
            "text/plain; charset=utf-8"
        );
    }
}

#[tokio::test]
async fn without_its_files_the_page_allows_exactly_the_locked_ones_of_the_cdn() {
    let server = start(EmbeddedFiles::default()).await;

    let response = get(format!("{server}/graphiql")).await;

    let react = "https://cdn.jsdelivr.net/npm/react@18.3.1/umd/react.production.min.js";
    let style = "https://cdn.jsdelivr.net/npm/graphiql@4.1.2/graphiql.min.css";
    let policy = header(&response, "content-security-policy").to_owned();
    assert!(
        policy.contains(&format!("script-src 'self' {react} https://")),
        "{policy}"
    );
    assert!(
        policy.contains(&format!("=' {style}; font-src")),
        "{policy}"
    );
    let page = response.text().await.unwrap();
    for file in loaded() {
        assert!(page.contains(&file.cdn_address()) && page.contains(&file.integrity()));
    }
}

#[tokio::test]
async fn a_file_that_the_program_does_not_contain_is_not_found() {
    let server = start(EmbeddedFiles::default()).await;

    for address in [
        FILES[0].address(),
        "graphiql/assets/stale/bootstrap.js".to_owned(),
        format!("graphiql/assets/{}/files.lock", own_digest()),
    ] {
        assert_eq!(
            get(format!("{server}/{address}")).await.status(),
            404,
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_browser_that_has_it_is_told_so() {
    let server = start(full()).await;
    let address = format!("{server}/graphiql");
    let tag = header(&get(&address).await, "etag").to_owned();

    let again = reqwest::Client::new()
        .get(address)
        .header("if-none-match", format!("\"x\", W/{tag}"));
    let again = again.send().await.unwrap();

    assert_eq!(again.status(), 304);
    assert_eq!(again.text().await.unwrap(), "");
}

#[tokio::test]
async fn a_final_slash_leads_to_the_page() {
    let server = start(full()).await;

    let response = get(format!("{server}/graphiql/")).await;

    assert_eq!(response.url().path(), "/graphiql");
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn credits_hold_the_licences_of_what_is_served() {
    let server = start(full()).await;

    let credits = get(format!("{server}/graphiql/credits"))
        .await
        .text()
        .await
        .unwrap();

    for works in [
        "---- react 18.3.1 ----",
        "---- react-dom 18.3.1 ----",
        "---- graphiql 4.1.2 ----",
    ] {
        assert!(credits.contains(works), "{credits}");
    }
}
