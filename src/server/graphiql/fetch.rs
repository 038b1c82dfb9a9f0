//! Downloads the page's files to the user's machine, once, for a program that does not contain
//! them.
//!
//! A clone that was built without `scripts/graphiql` must still open a real GraphiQL, even offline:
//! the cache folder is read first, and then, only in the demo, `npm` is run if it is there. A
//! failure here is no fault of the gateway; the page then loads the same files from a public CDN.

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

/// The longest time for one run of npm or tar.
const PATIENCE: Duration = Duration::from_secs(90);

/// Loads the files from the cache folder, or downloads them into it first.
///
/// Cached files are loaded when this is polled once; nothing is started before the next poll.
pub(super) async fn fill(files: &EmbeddedFiles) {
    if files.is_full() {
        return;
    }
    let Some(cache) = cache() else { return };
    if files.fill_from(&cache) {
        return;
    }
    yield_now().await;
    tracing::info!(folder = %cache.display(), "fetching GraphiQL with npm, once");
    if let Err(why) = fetch(&cache).await {
        tracing::info!(%why, "GraphiQL was not fetched: /graphiql loads it from a CDN");
    } else if !files.fill_from(&cache) {
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

/// Downloads into a temporary folder and moves whole packages, so that two programs that start
/// together, or a killed one, leave nothing incomplete.
async fn fetch(cache: &Path) -> io::Result<()> {
    let work = cache.join(format!(".fetching-{}", std::process::id()));
    fs::create_dir_all(&work)?;
    let fetched = unpack(&work)
        .await
        .and_then(|()| move_packages(&work, cache));
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

fn move_packages(work: &Path, cache: &Path) -> io::Result<()> {
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
