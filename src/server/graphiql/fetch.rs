//! Gets the files of the page on the user's machine, once, for a program that does not hold them.
//!
//! A clone that was built without `scripts/graphiql` shall still open a real GraphiQL, also on a train:
//! the cache folder is looked at first, then, by the demo alone, `npm` is asked if there is one. Whatever
//! fails here is no fault of the gateway; the page then loads the same files from a public CDN.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::files::{EmbeddedFiles, FILES, PackageFile};

/// What one run of npm or tar may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Fills the shelf from the cache folder, or fetches the files into it first.
///
/// What is cached is on the shelf when this is polled once; nothing is started before it is polled again.
pub(super) async fn fill(memory: &EmbeddedFiles) {
    if memory.is_full() {
        return;
    }
    let Some(cache) = cache() else { return };
    if memory.fill_from(&cache) {
        return;
    }
    yield_now().await;
    tracing::info!(folder = %cache.display(), "fetching GraphiQL with npm, once");
    if let Err(why) = fetch(&cache).await {
        tracing::info!(%why, "GraphiQL was not fetched: /graphiql loads it from a CDN");
    } else if !memory.fill_from(&cache) {
        tracing::warn!("npm got another GraphiQL than the locked one: it is not used");
    }
}

fn cache() -> Option<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("roster").join("graphiql"))
}

/// Fetches into a folder beside the final ones and moves whole packages, so that two programs that
/// start together, or one that is killed, leave nothing half done.
async fn fetch(cache: &Path) -> io::Result<()> {
    let work = cache.join(format!(".fetching-{}", std::process::id()));
    fs::create_dir_all(&work)?;
    let fetched = unpack(&work).await.and_then(|()| shelve(&work, cache));
    fs::remove_dir_all(&work)?;
    fetched
}

async fn unpack(work: &Path) -> io::Result<()> {
    let wanted = packages().map(|file| format!("{}@{}", file.package, file.version));
    let mut npm = Command::new("npm");
    npm.args(["pack", "--ignore-scripts", "--loglevel=error"])
        .args(wanted);
    run(npm, work).await?;

    for package in packages() {
        let folder = package.folder();
        fs::create_dir_all(work.join(&folder))?;
        let mut tar = Command::new("tar");
        tar.arg("-xzf")
            .arg(format!("{folder}.tgz"))
            .args(["-C", &folder, "--strip-components=1"]);
        tar.args(members(package).map(|member| format!("package/{member}")));
        run(tar, work).await?;
    }
    Ok(())
}

fn shelve(work: &Path, cache: &Path) -> io::Result<()> {
    for package in packages() {
        let place = cache.join(package.folder());
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        fs::rename(work.join(package.folder()), place)?;
    }
    Ok(())
}

/// One file of each package.
fn packages() -> impl Iterator<Item = &'static PackageFile> {
    FILES
        .chunk_by(|one, other| one.package == other.package)
        .filter_map(<[PackageFile]>::first)
}

fn members(package: &PackageFile) -> impl Iterator<Item = &'static str> {
    FILES
        .iter()
        .filter(|file| file.package == package.package)
        .map(|file| file.member)
}

async fn run(mut command: Command, folder: &Path) -> io::Result<()> {
    let program = command.as_std().get_program().display().to_string();
    let output = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, output)
        .await?
        .map_err(|why| io::Error::new(why.kind(), format!("{program}: {why}")))?;
    if output.status.success() {
        return Ok(());
    }
    let first = String::from_utf8_lossy(&output.stderr)
        .trim()
        .lines()
        .next()
        .map(str::to_owned);
    Err(io::Error::other(
        first.unwrap_or_else(|| output.status.to_string()),
    ))
}
