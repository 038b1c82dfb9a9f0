//! The commands of the program.

mod settings;
mod signals;

use std::{
    error::Error,
    io::{IsTerminal, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Parser, ValueEnum};
use roster::{
    app,
    config::{ConfigErrors, Settings},
    demo,
    graphql::{Executor, client_sdl, sdl},
    server::{
        self, AllowedHosts, MainListenerSettings, Origins, Readiness, SocketLimits,
        accept::ConnectionLimits,
    },
};
use roster_sandbox::{Options, known};
use tokio::{net::TcpListener, sync::watch};
use tracing_subscriber::EnvFilter;

use self::{
    settings::{accounts, health, load, load_and_check, open_settings},
    signals::{log_stop, reload_at_hangup, signals, wait_for_signals},
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

type CommandResult<T = ()> = Result<T, Box<dyn Error>>;

/// One GraphQL graph over the people in Intercom, Ada, Usertour, DigitalChalk and SCIM servers.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) enum Command {
    /// Serve the whole product on loopback, over sandboxes of all providers: no accounts, no files.
    Demo(DemoArgs),
    /// Serve the graph over the providers of a configuration.
    Serve(ServeArgs),
    /// Say what is wrong with a configuration, if anything; nothing is started and no provider is asked.
    Check {
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "roster.toml")]
        config: PathBuf,
    },
    /// Print the schema in the GraphQL schema language, as a federated subgraph.
    Schema {
        /// Leave federation's parts out: for relay-compiler and other tools of clients.
        #[arg(long)]
        api: bool,
    },
    /// Serve the sandboxes of all providers alone.
    Sandbox {
        /// The address to listen on; port 0 picks one.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
        listen: SocketAddr,
        #[command(flatten)]
        sandbox: SandboxArgs,
    },
    /// Ask a running gateway whether it is ready; for the health check of a container.
    Health {
        /// The gateway's address, instead of the one that its configuration names.
        #[arg(long, value_name = "ADDRESS")]
        address: Option<SocketAddr>,
        /// The gateway's configuration, if there is one: its `admin_listen` or else its `listen` is
        /// asked. Without it that is 127.0.0.1:8080.
        #[arg(long, value_name = "FILE", default_value = "roster.toml")]
        config: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// The gateway's address; port 0 picks one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The sandboxes' address; port 0 picks one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    sandbox_listen: SocketAddr,
    /// An origin whose pages may call the gateway, beside all of this machine; may be given again.
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    cors_origins: Vec<String>,
    #[command(flatten)]
    sandbox: SandboxArgs,
}

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "roster.toml")]
    config: PathBuf,
    /// The address to listen on, instead of the configuration's; port 0 picks one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// How the log is written.
    #[arg(long, value_enum, default_value_t = LogFormat::Auto)]
    log: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// A line of text for each event.
    Text,
    /// A line of JSON for each event.
    Json,
}

#[derive(Args)]
// The group of these options must not have the name of the command that takes them.
#[group(skip)]
pub(crate) struct SandboxArgs {
    /// How many users each provider holds.
    #[arg(long, default_value_t = 500)]
    users: usize,
    /// The seed of the people: the same seed, the same people.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many milliseconds each provider takes to answer.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    latency: u64,
}

impl SandboxArgs {
    fn options(&self) -> Options {
        Options {
            users: self.users,
            seed: self.seed,
            latency: Duration::from_millis(self.latency),
            ..Options::default()
        }
    }
}

impl Command {
    pub(crate) fn run(self) -> CommandResult<ExitCode> {
        match self {
            Self::Demo(demo) => {
                init_logging(LogFormat::Auto, "warn");
                server::record_metrics();
                runtime()?.block_on(demo.run())?;
            }
            Self::Serve(serve) => {
                init_logging(serve.log, "info");
                server::record_metrics();
                runtime()?.block_on(serve.run())?;
            }
            Self::Check { config } => {
                let settings = load_and_check(&config)?;
                print_line(format_args!(
                    "{}: nothing is wrong; {}",
                    config.display(),
                    accounts(&settings)
                ));
            }
            Self::Schema { api } => {
                let executor = app::open(&Settings::default())?;
                let text = if api {
                    client_sdl(executor.schema())
                } else {
                    sdl(executor.schema())
                };
                std::io::stdout().write_all(text.as_bytes())?;
            }
            Self::Sandbox { listen, sandbox } => {
                init_logging(LogFormat::Auto, "warn");
                runtime()?.block_on(sandboxes(listen, &sandbox.options()))?;
            }
            Self::Health { address, config } => {
                let address = address.map_or_else(|| health(&config), Ok)?;
                return Ok(if is_ready(address)? {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::FAILURE
                });
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// Prints a line to standard output. A failure to print is ignored.
fn print_line(what: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{what}");
    let _ = out.flush();
}

/// Logs to standard error; `RUST_LOG` sets how much.
fn init_logging(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let is_json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    // A line that cannot be written is dropped: reporting it would need the same stream.
    let subscriber = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if is_json {
        // The list of spans contains the innermost one too.
        subscriber.json().with_current_span(false).init();
    } else {
        subscriber.init();
    }
}

fn open_audit_file(executor: &Executor) -> CommandResult {
    let opened = executor.graph().audit.open();
    opened.map_err(|error| format!("log.audit_file: {error}").into())
}

async fn bind(address: SocketAddr) -> CommandResult<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("cannot listen on {address}: {error}; choose another address or port").into()
    })
}

/// The listeners of a gateway.
struct Listeners {
    front: TcpListener,
    admin: Option<TcpListener>,
}

impl Listeners {
    async fn bind(listen: SocketAddr, admin: Option<SocketAddr>) -> CommandResult<Self> {
        let front = bind(listen).await?;
        let admin = match admin {
            Some(admin) => Some(bind(admin).await?),
            None => None,
        };
        Ok(Self { front, admin })
    }
}

/// The settings of the main listener.
fn listener_settings(
    settings: &Settings,
    readiness: Readiness,
    hosts: AllowedHosts,
) -> MainListenerSettings {
    MainListenerSettings {
        readiness,
        origins: Origins {
            listed: settings.server.cors_origins.clone(),
            allows_loopback: settings.server.loopback_origins,
        },
        hosts,
        has_admin: false,
        sockets: SocketLimits::default(),
    }
}

/// Serves until a signal to stop; `beside` is the number of the process's connections to others
/// than its clients.
async fn serve(
    Listeners { front, admin }: Listeners,
    executor: Executor,
    settings: &Settings,
    signals: watch::Receiver<usize>,
    beside: usize,
) -> CommandResult {
    let address = front.local_addr()?;
    let readiness =
        Readiness::with_shutdown_delay(Duration::from_secs(settings.server.shutdown_delay_seconds))
            .sharing(settings.shared.store()?)
            .finishing(executor.writes());
    let hosts = |of: SocketAddr| {
        let hosts = AllowedHosts::of(&settings.server.hosts, of);
        hosts.map_err(ConfigErrors)
    };
    let (limits, admin_limits) = (ConnectionLimits::default(), ConnectionLimits::admin());
    let beside = beside + admin.as_ref().map_or(0, |_| admin_limits.connections);
    let limits = ConnectionLimits {
        connections: server::descriptors::raise_fd_limit(limits.connections, beside),
        drain: Duration::from_secs(settings.server.drain_seconds),
        ..limits
    };
    let front_settings = MainListenerSettings {
        has_admin: admin.is_some(),
        sockets: SocketLimits::among(limits.connections),
        ..listener_settings(settings, readiness.clone(), hosts(address)?)
    };
    let app = front_settings.router(executor.clone())?;
    let admin = match admin {
        Some(admin) => {
            let app = server::admin(
                readiness.clone(),
                executor.clone(),
                hosts(admin.local_addr()?)?,
            );
            Some((admin, app))
        }
        None => None,
    };
    let admin = async {
        match admin {
            // The admin listener answers as long as the gateway runs.
            Some((listener, app)) => {
                let stop = std::future::pending();
                admin_limits
                    .serve(listener, app, Readiness::default(), stop)
                    .await
            }
            None => std::future::pending().await,
        }
    };
    let stop = wait_for_signals(signals.clone(), 1);
    let served = tokio::select! {
        served = limits.serve(front, app, readiness, stop) => Ok(served?),
        served = admin => Ok(served?),
        () = log_stop(signals.clone(), address) => Ok(()),
        () = wait_for_signals(signals, 2) => {
            tracing::warn!("second signal to stop: requests in flight are cut off");
            Ok(())
        }
        () = server::keep_metrics() => Ok(()),
    };
    tracing::info!(version = VERSION, address = %address, "stopped");
    served
}

async fn sandboxes(listen: SocketAddr, options: &Options) -> CommandResult {
    let stop = wait_for_signals(signals()?, 1);
    let listener = bind(listen).await?;
    print_line(format_args!("Sandboxes  http://{}", listener.local_addr()?));
    Ok(roster_sandbox::serve(listener, options, stop).await?)
}

impl ServeArgs {
    async fn run(self) -> CommandResult {
        let (settings, listen, executor) = load(&self.config, self.listen)?;
        let signals = signals()?;
        open_audit_file(&executor)?;
        reload_at_hangup(executor.clone())?;
        let listeners = Listeners::bind(listen, settings.server.admin_listen).await?;
        let address = listeners.front.local_addr()?;
        print_line(format_args!("GraphiQL   http://{address}/graphiql"));
        let admin = listeners
            .admin
            .as_ref()
            .map(TcpListener::local_addr)
            .transpose()?;
        if let Some(admin) = admin {
            print_line(format_args!("Metrics    http://{admin}/metrics"));
        }
        let admin = admin.map(tracing::field::display);
        tracing::info!(version = VERSION, address = %address, admin, accounts = accounts(&settings), "serving");
        let beside = settings.provider_connections();
        serve(listeners, executor, &settings, signals, beside).await
    }
}

impl DemoArgs {
    async fn run(self) -> CommandResult {
        let signals = signals()?;
        let sandbox = bind(self.sandbox_listen).await?;
        let listeners = Listeners::bind(self.listen, None).await?;
        let (address, providers) = (listeners.front.local_addr()?, sandbox.local_addr()?);
        let mut settings = demo::settings(providers);
        // No load balancer stands in front of the demo.
        settings.server.shutdown_delay_seconds = 0;
        settings.server.cors_origins = self.cors_origins;
        let (_, executor) = open_settings(&settings, Some(address))?;
        let options = self.sandbox.options();
        // The sandboxes outlive the gateway: requests in flight still need them.
        tokio::spawn(async move {
            roster_sandbox::serve(sandbox, &options, std::future::pending()).await
        });
        print_line(format_args!("GraphiQL   http://{address}/graphiql"));
        print_line(format_args!("GraphQL    http://{address}/graphql"));
        print_line(format_args!("Sandboxes  http://{providers}"));
        for (email, why) in [
            (known::EVERYWHERE, "a person at every provider"),
            (
                known::SHARED,
                "several records at one provider, and a near miss",
            ),
            (
                known::MIXED_CASE,
                "spelled in another letter case at Usertour",
            ),
        ] {
            print_line(format_args!(
                "Try        usersByEmail(email: \"{email}\")    # {why}"
            ));
        }
        // The other ends of these connections are in the same process.
        let beside = 2 * settings.provider_connections();
        serve(listeners, executor, &settings, signals, beside).await
    }
}

/// Sends a request without a client library: this runs every few seconds in every container.
fn is_ready(address: SocketAddr) -> CommandResult<bool> {
    let wait = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, wait)?;
    stream.set_read_timeout(Some(wait))?;
    write!(
        stream,
        "GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"HTTP/1.1 200")
}
