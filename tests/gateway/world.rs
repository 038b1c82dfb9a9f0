//! A gateway and the sandboxes that it stands on, in this process, each on its port.

use std::{net::SocketAddr, time::Duration};

use roster::{
    account::Provider,
    app,
    config::{AccountSettings, Settings},
    demo,
    graphql::Executor,
    server::{
        AllowedHosts, MainListenerSettings, Origins, Readiness, SocketLimits,
        accept::ConnectionLimits,
    },
};
use roster_sandbox::{Options, known};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::subject::expected;

/// A call that a provider got.
#[derive(Clone, Debug, serde::Deserialize)]
pub(crate) struct Call {
    pub(crate) provider: String,
    /// When it arrived, in unix milliseconds.
    pub(crate) at: i64,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) status: Option<u16>,
    pub(crate) version: Option<String>,
}

impl Call {
    /// The method and the path: `GET /users`.
    pub(crate) fn request(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// A gateway over sandboxes.
pub(crate) struct World {
    pub(crate) gateway: SocketAddr,
    pub(crate) sandbox: SocketAddr,
    pub(crate) client: reqwest::Client,
    /// The version that Intercom is asked for.
    intercom: String,
    /// The prefix of Usertour's token in the version of the settings.
    usertour_prefix: &'static str,
}

impl World {
    /// With a number of users at each provider, and settings that differ from the demo's.
    pub(crate) async fn with(users: usize, change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_providers(&FOUR, users, change).await
    }

    /// The same with accounts of these providers.
    pub(crate) async fn with_providers(
        providers: &[Provider],
        users: usize,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let sandbox = listener.local_addr().expect("an address");
        let options = Options {
            users,
            ..Options::default()
        };
        tokio::spawn(async move {
            roster_sandbox::serve(listener, &options, std::future::pending()).await
        });
        Self::start_gateway(settings_of(providers, sandbox), sandbox, change).await
    }

    /// Over sandboxes, or providers that the test plays itself, at an address.
    pub(crate) async fn over(sandbox: SocketAddr, change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_gateway(settings(sandbox), sandbox, change).await
    }

    async fn start_gateway(
        mut settings: Settings,
        sandbox: SocketAddr,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        // Every request reaches the providers, except in tests of the cache.
        settings.cache.seconds = 0.0;
        settings.server.show_calls = false;
        // A fault strikes every call that a test makes, unless the test is about providers left alone.
        for provider in settings.accounts.values_mut() {
            provider.breaker.enabled = false;
        }
        change(&mut settings);
        let intercom = settings.accounts.get(Provider::Intercom.name());
        let version = intercom.and_then(|account| account.options.get("version"));
        let version = version.and_then(toml::Value::as_str);
        let version = version.unwrap_or("2.17").to_owned();
        Self {
            gateway: Self::serve(&settings).await,
            sandbox,
            client: reqwest::Client::new(),
            intercom: version,
            usertour_prefix: usertour_prefix(&settings),
        }
    }

    /// Another gateway over the same sandboxes, with another client.
    pub(crate) fn beside(&self, gateway: SocketAddr) -> Self {
        Self {
            gateway,
            sandbox: self.sandbox,
            client: reqwest::Client::new(),
            intercom: self.intercom.clone(),
            usertour_prefix: self.usertour_prefix,
        }
    }

    /// Another gateway over the same or other sandboxes.
    pub(crate) async fn serve(settings: &Settings) -> SocketAddr {
        let executor = app::open(settings).expect("settings without mistakes");
        Self::serve_executor(executor, settings).await
    }

    /// A gateway with an executor that the test has opened itself.
    pub(crate) async fn serve_executor(executor: Executor, settings: &Settings) -> SocketAddr {
        let store = settings.shared.store().expect("a store, or none");
        let readiness = Readiness::default().sharing(store);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let front = MainListenerSettings {
            readiness: readiness.clone(),
            origins: Origins {
                listed: settings.server.cors_origins.clone(),
                allows_loopback: settings.server.loopback_origins,
            },
            hosts: AllowedHosts::of(&settings.server.hosts, address).expect("hosts"),
            has_admin: settings.server.admin_listen.is_some(),
            sockets: SocketLimits::default(),
        };
        let app = front.router(executor).expect("routes");
        let limits = ConnectionLimits {
            drain: Duration::ZERO,
            ..ConnectionLimits::default()
        };
        tokio::spawn(limits.serve(listener, app, readiness, std::future::pending()));
        address
    }

    /// The whole answer to a query.
    pub(crate) async fn answer(&self, query: &str) -> Value {
        self.answer_with(query, json!({})).await
    }

    /// The whole answer to a query with variables.
    pub(crate) async fn answer_with(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let request = self
            .client
            .post(format!("http://{}/graphql", self.gateway))
            .json(&body);
        request
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON")
    }

    /// The data of an answer that has no errors.
    pub(crate) async fn data(&self, query: &str) -> Value {
        self.data_with(query, json!({})).await
    }

    /// The data of an answer that has no errors.
    pub(crate) async fn data_with(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.answer_with(query, variables).await;
        assert_eq!(answer.get("errors"), None, "{query}");
        answer["data"].take()
    }

    /// The calls that a provider has got since they were last forgotten, in order.
    pub(crate) async fn calls(&self, provider: Provider) -> Vec<Call> {
        let path = format!("calls?provider={}", provider.name());
        serde_json::from_value(self.sandbox_get(&path).await).expect("calls")
    }

    /// How many calls each of [`FOUR`] has got, in that order.
    pub(crate) async fn tally(&self) -> [usize; 4] {
        let calls: Vec<Call> =
            serde_json::from_value(self.sandbox_get("calls").await).expect("calls");
        FOUR.map(|provider| {
            let of = calls.iter().filter(|call| call.provider == provider.name());
            of.count()
        })
    }

    /// Which providers have got calls, and how many.
    pub(crate) async fn called(&self) -> Vec<(Provider, usize)> {
        let mut called = Vec::new();
        for of in Provider::ALL {
            called.push((of, self.calls(of).await.len()));
        }
        called.retain(|(_, calls)| *calls > 0);
        called
    }

    /// Reads a path below the address of a provider's API without the gateway: Intercom and Usertour in the
    /// version of the settings. The sandbox logs this call, too.
    pub(crate) async fn at_provider(&self, provider: Provider, path: &str) -> Value {
        let url = format!("{}{path}", sandboxed(provider).base_url(self.sandbox));
        let token = match provider == Provider::Usertour {
            true => format!("{}{}", self.usertour_prefix, roster_sandbox::TOKEN),
            false => token(provider),
        };
        let mut request = self.client.get(url).bearer_auth(token);
        if provider == Provider::Intercom {
            request = request.header("intercom-version", &self.intercom);
        }
        let answer = request.send().await;
        answer.expect("an answer").json().await.expect("JSON")
    }

    /// Forgets the calls so far.
    pub(crate) async fn forget_calls(&self) {
        self.client
            .delete(self.sandbox_url("calls"))
            .send()
            .await
            .expect("an answer");
    }

    /// The users that a provider holds, Intercom's leads apart, in the order of its list: `id`,
    /// `externalId`, `email`.
    pub(crate) async fn records(&self, provider: Provider) -> Vec<Value> {
        let path = format!("records?provider={}", provider.name());
        serde_json::from_value(self.sandbox_get(&path).await).expect("records")
    }

    /// All records of a provider's list, in its order, as [`Self::records`] shows them: with Intercom's leads
    /// where its list has them.
    pub(crate) async fn listed(&self, provider: Provider) -> Vec<Value> {
        if provider == Provider::Intercom && self.intercom.starts_with("2.") {
            return self.contacts().await;
        }
        self.records(provider).await
    }

    /// The list of Intercom 2.x, read as its documents say.
    async fn contacts(&self) -> Vec<Value> {
        let (mut contacts, mut path) = (Vec::new(), "/contacts?per_page=150".to_owned());
        loop {
            let page = self.at_provider(Provider::Intercom, &path).await;
            for contact in page["data"].as_array().expect("contacts") {
                // A lead's external id is made up by Intercom.
                let external_id = match contact["role"].as_str() {
                    Some("user") => &contact["external_id"],
                    _ => &Value::Null,
                };
                let (id, email) = (&contact["id"], &contact["email"]);
                contacts.push(json!({ "id": id, "externalId": external_id, "email": email }));
            }
            let Some(token) = page["pages"]["next"]["starting_after"].as_str() else {
                return contacts;
            };
            let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
            path = format!("/contacts?per_page=150&starting_after={token}");
        }
    }

    /// Sets a fault at a provider: `{"kind": …}` and what it takes.
    pub(crate) async fn fault(&self, provider: Provider, mut fault: Value) {
        fault["provider"] = provider.name().into();
        self.sandbox_post("faults", &fault).await;
    }

    /// Lifts all faults.
    pub(crate) async fn heal(&self) {
        self.client
            .delete(self.sandbox_url("faults"))
            .send()
            .await
            .expect("an answer");
    }

    /// Makes a provider behave in one of the ways that its documents leave open.
    pub(crate) async fn behave(&self, provider: Provider, name: &str, value: &str) {
        let behaviour = json!({ "provider": provider.name(), "name": name, "value": value });
        self.sandbox_post("behaviour", &behaviour).await;
    }

    fn sandbox_url(&self, path: &str) -> String {
        format!("http://{}/_sandbox/{path}", self.sandbox)
    }

    async fn sandbox_get(&self, path: &str) -> Value {
        let answer = self
            .client
            .get(self.sandbox_url(path))
            .send()
            .await
            .expect("an answer");
        answer.json().await.expect("JSON")
    }

    async fn sandbox_post(&self, path: &str, body: &Value) {
        let answer = self
            .client
            .post(self.sandbox_url(path))
            .json(body)
            .send()
            .await
            .expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        assert!(status.is_success(), "{path} {body}: {status} {text}");
    }
}

/// A provider's name in the graph.
pub(crate) fn word(provider: Provider) -> &'static str {
    expected(provider).graph_name
}

/// A provider's sandbox.
fn sandboxed(provider: Provider) -> roster_sandbox::Provider {
    let sandboxed = provider.name().parse();
    sandboxed.expect("the sandbox has every provider")
}

/// The token that a provider's sandbox accepts.
pub(crate) fn token(provider: Provider) -> String {
    sandboxed(provider).token(roster_sandbox::TOKEN)
}

/// The demo's settings with accounts of [`FOUR`].
pub(crate) fn settings(sandbox: SocketAddr) -> Settings {
    settings_of(&FOUR, sandbox)
}

fn settings_of(providers: &[Provider], sandbox: SocketAddr) -> Settings {
    let mut settings = demo::settings(sandbox);
    let is_named = |name: &String| providers.iter().any(|provider| provider.name() == name);
    settings.accounts.retain(|name, _| is_named(name));
    settings
}

/// The place of a provider among [`FOUR`], which is that of its account and of its source.
pub(crate) fn place(provider: Provider) -> usize {
    let place = FOUR.iter().position(|one| *one == provider);
    place.expect("one of the four")
}

/// Another of [`FOUR`].
pub(crate) fn neighbour(provider: Provider) -> Provider {
    FOUR[(place(provider) + 1) % FOUR.len()]
}

/// A provider's row in a list of accounts or of sources.
pub(crate) fn row_of(rows: &Value, provider: Provider) -> &Value {
    let rows = rows.as_array().expect("a list");
    let row = rows.iter().find(|row| row["provider"] == word(provider));
    row.unwrap_or_else(|| panic!("no {provider:?} in {rows:?}"))
}

/// The notices of a source, as one text: a code and a message each.
pub(crate) fn notices(source: &Value) -> String {
    let notices = source["notices"].as_array().expect("notices");
    let texts = notices.iter().map(|notice| {
        let text = |name: &str| notice[name].as_str().expect("a text").to_owned();
        format!("{}: {}", text("code"), text("message"))
    });
    texts.collect::<Vec<_>>().join("; ")
}

/// The providers of worlds, and of tests over several providers. A further one has accounts in the worlds
/// of its subjects only, so that it changes no expectation of these tests.
pub(crate) const FOUR: [Provider; 4] = [
    Provider::Ada,
    Provider::DigitalChalk,
    Provider::Intercom,
    Provider::Usertour,
];

/// Asks Intercom for a version: 1.x has users, 2.x contacts.
pub(crate) fn intercom(settings: &mut Settings, version: &str) {
    let options = &mut account(settings, Provider::Intercom).options;
    options.insert("version".to_owned(), version.into());
}

/// Asks Usertour in version 2, for the users of the sandbox's environment.
pub(crate) fn usertour_v2(settings: &mut Settings) {
    let account = account(settings, Provider::Usertour);
    account.token = Some(format!("utp_{}", roster_sandbox::TOKEN).into());
    let (project, environment) = (known::USERTOUR_PROJECT, known::USERTOUR_ENVIRONMENT);
    for (option, id) in [("project", project), ("environment", environment)] {
        account.options.insert(option.to_owned(), id.into());
    }
}

/// The prefix of Usertour's token in the version of the settings.
fn usertour_prefix(settings: &Settings) -> &'static str {
    let account = settings.accounts.get(Provider::Usertour.name());
    match account.and_then(|account| account.options.get("project")) {
        Some(_) => "utp_",
        None => "ak_",
    }
}

/// A provider's settings, to be changed.
pub(crate) fn account(settings: &mut Settings, provider: Provider) -> &mut AccountSettings {
    settings
        .accounts
        .get_mut(provider.name())
        .expect("the demo has every provider")
}
