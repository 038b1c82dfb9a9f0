//! A proxy as a team would write it by hand for one page: the same provider calls, with joined
//! answers and nothing else. No retries, no limits, no cursors, no typed fields.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::get,
};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

struct Providers {
    client: reqwest::Client,
    sandbox: String,
}

pub(crate) async fn serve(sandbox: &str) {
    let providers = Arc::new(Providers {
        client: reqwest::Client::new(),
        sandbox: sandbox.to_owned(),
    });
    let app = Router::new()
        .route("/by-email", get(by_email))
        .route("/by-emails", get(by_emails))
        .route("/page", get(page))
        .with_state(providers);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}/", listener.local_addr().unwrap());
    axum::serve(listener, app).await.unwrap();
}

impl Providers {
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let token = roster_sandbox::TOKEN;
        let token = if path.starts_with("usertour") {
            format!("ak_{token}")
        } else {
            token.to_owned()
        };
        let request = self
            .client
            .get(format!("http://{}/{path}", self.sandbox))
            .query(query);
        request
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// Three providers search; one of them finds parts of addresses too.
    async fn search(&self, email: &str) -> Vec<Value> {
        let (chalk, (intercom, usertour)) = join(
            self.get(
                "digitalchalk/dc/api/v5/users",
                &[("email", email), ("limit", "100")],
            ),
            join(
                self.get("intercom/users", &[("email", email)]),
                self.get("usertour/v1/users", &[("email", email), ("limit", "100")]),
            ),
        )
        .await;
        let mut users = Vec::new();
        users.extend(rows(
            "DIGITAL_CHALK",
            &chalk["results"],
            |user| Some((&user["email"], &user["firstName"])),
            email,
        ));
        users.extend(rows(
            "INTERCOM",
            &intercom["users"],
            |user| Some((&user["email"], &user["name"])),
            email,
        ));
        let conventions = |user: &'_ Value| -> Option<(Value, Value)> {
            Some((
                user["attributes"]["email"].clone(),
                user["attributes"]["name"].clone(),
            ))
        };
        for user in usertour["results"].as_array().unwrap() {
            let (address, name) = conventions(user).unwrap();
            users.push(json!({ "provider": "USERTOUR", "remoteId": user["id"], "email": address, "name": name }));
        }
        users
    }

    /// One provider does not: its whole list is read.
    async fn scan(&self, wanted: &[&str]) -> Vec<Value> {
        let (mut users, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut query = vec![("limit", "100")];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = self.get("ada/api/v2/end-users/", &query).await;
            for user in page["data"].as_array().unwrap() {
                let email = user["profile"]["email"]
                    .as_str()
                    .unwrap_or_default()
                    .to_lowercase();
                if wanted.contains(&email.as_str()) {
                    users.push(json!({
                        "provider": "ADA", "remoteId": user["end_user_id"], "email": email,
                        "name": user["profile"]["first_name"], "createdAt": user["created_at"],
                    }));
                }
            }
            let next = page["meta"]["next_page_url"]
                .as_str()
                .and_then(|url| url.split("cursor=").nth(1));
            match next {
                Some(next) => cursor = Some(next.to_owned()),
                None => return users,
            }
        }
    }
}

fn rows(
    provider: &str,
    rows: &Value,
    fields: impl Fn(&Value) -> Option<(&Value, &Value)>,
    email: &str,
) -> Vec<Value> {
    let rows = rows.as_array().unwrap().iter();
    rows.filter_map(|user| {
        let (address, name) = fields(user)?;
        let is_it = address.as_str()?.to_lowercase() == email;
        is_it.then(|| json!({ "provider": provider, "remoteId": user["id"], "email": address, "name": name }))
    })
    .collect()
}

async fn by_email(
    State(providers): State<Arc<Providers>>,
    Query(query): Query<Value>,
) -> Json<Value> {
    let email = query["email"].as_str().unwrap();
    let wanted = [email];
    let (found, scanned) = join(providers.search(email), providers.scan(&wanted)).await;
    let users = [found, scanned].concat();
    Json(json!({ "users": users }))
}

async fn by_emails(State(providers): State<Arc<Providers>>) -> Json<Value> {
    let emails: Vec<String> = (0..20)
        .map(|n| format!("person{n}@bench{n}.test"))
        .collect();
    let wanted: Vec<&str> = emails.iter().map(String::as_str).collect();
    let searches = join_all(wanted.iter().map(|email| providers.search(email)));
    let (found, scanned) = join(searches, providers.scan(&wanted)).await;
    Json(json!({ "users": found, "ada": scanned }))
}

async fn page(State(providers): State<Arc<Providers>>) -> Json<Value> {
    let page = providers.get("intercom/users", &[("per_page", "50")]).await;
    let users = page["users"].as_array().unwrap().iter();
    let users: Vec<Value> = users
        .map(|user| json!({ "id": user["id"], "email": user["email"], "name": user["name"], "createdAt": user["created_at"] }))
        .collect();
    Json(json!({ "users": users, "total": page["total_count"] }))
}
