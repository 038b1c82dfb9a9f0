//! The signals that stop or reload the gateway.

use std::net::SocketAddr;

use roster::graphql::Executor;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::VERSION;

/// Counts the signals to stop, from now on.
pub(super) fn signals() -> std::io::Result<watch::Receiver<usize>> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let (count, signals) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = terminated.recv() => {}
            }
            count.send_modify(|count| *count += 1);
        }
    });
    Ok(signals)
}

/// Reloads tokens and the audit file at each SIGHUP. Without this a SIGHUP would end the program.
pub(super) fn reload_at_hangup(executor: Executor) -> std::io::Result<()> {
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            executor.graph().reload().await;
        }
    });
    Ok(())
}

/// Waits until `times` signals to stop have come.
pub(super) async fn wait_for_signals(mut signals: watch::Receiver<usize>, times: usize) {
    if signals.wait_for(|count| *count >= times).await.is_err() {
        std::future::pending().await
    }
}

/// Logs that the gateway stops, and never ends.
pub(super) async fn log_stop(signals: watch::Receiver<usize>, address: SocketAddr) {
    wait_for_signals(signals, 1).await;
    tracing::info!(version = VERSION, address = %address, "stopping");
    std::future::pending().await
}
