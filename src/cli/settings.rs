//! The settings that a command works with, or all their errors.

use std::{net::SocketAddr, path::Path};

use roster::{
    app,
    config::{ConfigDraft, ConfigErrors, Settings},
    graphql::Executor,
    server::{self, AllowedHosts},
};

/// The address at which a gateway with this configuration reports its readiness.
pub(super) fn health(config: &Path) -> Result<SocketAddr, ConfigErrors> {
    if config.exists() {
        Settings::read(config).map(|settings| settings.health())
    } else {
        Ok(Settings::default().health())
    }
}

/// The listen address and the executor of a configuration, or all its errors at once.
pub(super) fn open_settings(
    settings: &Settings,
    listen: Option<SocketAddr>,
) -> Result<(SocketAddr, Executor), ConfigErrors> {
    let mut errors = server::cors::wrong_origins(&settings.server.cors_origins);
    let hosts = AllowedHosts::of(&settings.server.hosts, settings.server.listen);
    errors.extend(hosts.err().unwrap_or_default());
    let listen = settings.listen(listen);
    let listen = listen
        .map_err(|errors_found| errors.extend(errors_found.0))
        .ok();
    let executor = app::open(settings);
    let executor = executor
        .map_err(|errors_found| errors.extend(errors_found.0))
        .ok();
    match (listen, executor) {
        (Some(listen), Some(executor)) if errors.is_empty() => Ok((listen, executor)),
        _ => Err(ConfigErrors(errors)),
    }
}

/// The settings of a configuration that can work, or all its errors.
pub(super) fn load_and_check(config: &Path) -> Result<Settings, ConfigErrors> {
    let patch = ConfigDraft::read(config)?;
    let opened = open_settings(&patch.settings, None);
    let mut errors = opened
        .err()
        .map(|errors_found| errors_found.0)
        .unwrap_or_default();
    errors.extend(patch.settings.startup_warnings());
    match patch.all_errors(errors) {
        errors if errors.is_empty() => Ok(patch.settings),
        errors => Err(ConfigErrors(errors)),
    }
}

/// The settings, the listen address and the executor of a configuration, or all its errors. Settings
/// that cannot work are logged as warnings.
pub(super) fn load(
    config: &Path,
    listen: Option<SocketAddr>,
) -> Result<(Settings, SocketAddr, Executor), ConfigErrors> {
    let patch = ConfigDraft::read(config)?;
    match open_settings(&patch.settings, listen) {
        Ok((listen, executor)) => {
            let settings = patch.finish()?;
            for error in settings.startup_warnings() {
                tracing::warn!("the configuration cannot work: {error}");
            }
            Ok((settings, listen, executor))
        }
        Err(errors_found) => Err(ConfigErrors(patch.all_errors(errors_found.0))),
    }
}

/// A summary of the enabled and disabled accounts.
pub(super) fn accounts(settings: &Settings) -> String {
    let accounts = settings.accounts().unwrap_or_default();
    let names = |is_enabled: bool| {
        let some = accounts
            .iter()
            .filter(|(_, settings)| settings.enabled == is_enabled);
        let names: Vec<_> = some.map(|(account, _)| account.name()).collect();
        match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        }
    };
    format!("enabled: {}; disabled: {}", names(true), names(false))
}
