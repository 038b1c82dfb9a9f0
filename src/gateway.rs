//! The composition root: from settings to vendors, to directories, to the schema. The only wiring.

use std::sync::Arc;

use crate::{
    config::{Account, Mistakes, Settings, Vendor},
    directory::Directory,
    error::{Error, Result},
    graphql::{Graph, Schema, schema},
    http::{
        Http, Layer, Wire,
        attempt::Attempt,
        auth::Bearer,
        cache::{Cache, Shelf},
        concurrency::Concurrency,
        measure::{Measure, Pulse},
        retry::Retry,
        timeout::Timeout,
    },
    user::Provider,
    vendor::{Connection, Door, Vendor as Adapter, door},
};

/// Builds the schema over the vendors of a configuration.
///
/// # Errors
/// Everything that is wrong with the configuration.
pub fn open(settings: &Settings) -> Result<Schema, Mistakes> {
    let mut mistakes = Vec::new();
    let bounds = settings
        .bounds()
        .map_err(|wrong| mistakes.extend(wrong.0))
        .unwrap_or_default();
    let audience = settings
        .server
        .audience()
        .map_err(|wrong| mistakes.extend(wrong.0))
        .unwrap_or_default();
    settings
        .cache
        .check()
        .unwrap_or_else(|wrong| mistakes.extend(wrong.0));
    let shelf = Shelf::of(settings.cache.max_bytes);
    let directories = Provider::ALL.into_iter().filter_map(|provider| {
        directory(provider, settings, &shelf)
            .map_err(|wrong| mistakes.extend(wrong.0))
            .ok()
    });
    let directories: Vec<_> = directories.map(Arc::new).collect();
    if mistakes.is_empty() {
        Ok(schema(Graph {
            directories,
            bounds,
            audience,
        }))
    } else {
        Err(Mistakes(mistakes))
    }
}

fn directory(provider: Provider, all: &Settings, shelf: &Shelf) -> Result<Directory, Mistakes> {
    let pulse = Pulse::default();
    let settings = all.vendor.get(&provider);
    let Some(settings) = settings.filter(|settings| settings.enabled) else {
        return Ok(Directory::new(provider, None, pulse));
    };
    let account = settings.account(provider)?;
    let door = door(provider);
    let name = provider.name();
    let keep = format!("vendor.{name}.cache");
    let terms = all.cache.terms(&keep, &settings.cache)?;
    let cache = Cache::new(name, terms, door.explain, shelf.clone());
    let at =
        |place: String| move |error: Error| Mistakes(vec![format!("{place}: {}", error.message())]);
    let http = http((provider, &door), settings, account, &pulse, cache)
        .map_err(at(format!("vendor.{name}")))?;
    let options = settings.options.clone();
    let adapter: Box<dyn Adapter> = (door.connect)(Connection { http, options })
        .map_err(at(format!("vendor.{name}.options")))?;
    Ok(Directory::new(provider, Some(adapter), pulse))
}

/// The way to a vendor: its layers, in the order in which a call travels through them.
fn http(
    (provider, door): (Provider, &Door),
    settings: &Vendor,
    account: Account,
    pulse: &Pulse,
    cache: Cache,
) -> Result<Http> {
    let wire = Wire::new(
        provider.name(),
        account.base,
        settings.max_answer_bytes,
        door.explain,
    )?;
    let layers: Vec<Box<dyn Layer>> = vec![
        // One observation for each call, however often it is repeated.
        Box::new(Measure::of(provider.name(), Arc::clone(pulse))),
        Box::new(Retry {
            attempts: settings.attempts,
            ..Retry::default()
        }),
        // What became of each attempt.
        Box::new(Attempt::of(provider.name())),
        // Every attempt takes a permit; none is held while waiting for the next attempt. The rate
        // budget and the circuit breaker will have their places before it.
        Box::new(Concurrency::of(account.concurrency)),
        // A token that is renewed serves the next attempt.
        Box::new(Bearer::new(&account.token)?),
        // An attempt dies, and not the loop around it.
        Box::new(Timeout::each(account.timeout)),
    ];
    Ok(Http::new(wire, layers, cache))
}
