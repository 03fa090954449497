//! SIGTERM and Ctrl-C: the first asks everything to come to an end, the second ends at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first signal cancels.
pub(super) fn on_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stopping = stop.clone();
    tokio::spawn(async move {
        next(&mut term, &mut int).await;
        tracing::info!(event = "stopping", "stopping; a second signal ends at once");
        stopping.cancel();
        next(&mut term, &mut int).await;
        std::process::exit(130);
    });
    Ok(stop)
}

async fn next(term: &mut Signal, int: &mut Signal) {
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
