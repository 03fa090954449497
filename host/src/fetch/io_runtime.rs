//! A runtime for what sites send. Parsing heads and decompressing bodies is work whose amount a
//! hostile site chooses; here it keeps neither the API nor a heartbeat waiting.

use std::io;

use tokio::{
    runtime::{Builder, EnterGuard, Runtime},
    task::JoinSet,
};

use super::error::FetchError;
#[cfg(target_os = "linux")]
use crate::subprocess;

/// Threads that send, receive and decompress. The client library can be kept parsing for long
/// without a pause, so that there are more than it takes to keep a network busy.
const THREADS: usize = 4;

/// The runtime on which all outbound connections live.
pub(super) struct IoRuntime(Option<Runtime>);

impl IoRuntime {
    pub(super) fn new() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(THREADS).thread_name("fetch").enable_all();
        // Elsewhere this is of the whole process.
        #[cfg(target_os = "linux")]
        builder.on_thread_start(subprocess::lower_priority);
        Ok(Self(Some(builder.build()?)))
    }

    /// What is made while the guard lives belongs to this runtime.
    pub(super) fn enter(&self) -> Option<EnterGuard<'_>> {
        self.0.as_ref().map(Runtime::enter)
    }

    /// Polls `work` here. It is dropped, and its connection closed, when the caller no longer waits.
    pub(super) async fn run<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, FetchError>
    where
        T: Send + 'static,
        E: Send + 'static,
        FetchError: From<E>,
    {
        let stopped = || FetchError::lasting("the process is stopping");
        // A set aborts its tasks when it is dropped.
        let mut task = JoinSet::new();
        task.spawn_on(work, self.0.as_ref().ok_or_else(stopped)?.handle());
        match task.join_next().await.ok_or_else(stopped)? {
            Ok(outcome) => Ok(outcome?),
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(stopped()),
            },
        }
    }
}

impl Drop for IoRuntime {
    fn drop(&mut self) {
        // Not waited for: this may happen on a thread of the other runtime, which must not block.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_is_done_elsewhere() {
        let io = IoRuntime::new().unwrap();
        let thread = async { Ok::<_, FetchError>(std::thread::current().name().map(str::to_owned)) };
        assert_eq!(io.run(thread).await.unwrap().as_deref(), Some("fetch"));
    }

    #[tokio::test]
    async fn who_waits_no_longer_ends_the_work() {
        let io = IoRuntime::new().unwrap();
        let (begun, has_begun) = oneshot::channel();
        let (alive, ended) = oneshot::channel::<()>();
        let work = io.run(async move {
            let _alive = alive;
            let _ = begun.send(());
            std::future::pending::<Result<(), FetchError>>().await
        });
        tokio::select! {
            _ = work => panic!("it has no end"),
            begun = has_begun => begun.unwrap(),
        }
        assert!(ended.await.is_err(), "dropped, and with it what it held");
    }

    #[tokio::test]
    #[should_panic = "as it was"]
    async fn a_panic_is_passed_on() {
        let io = IoRuntime::new().unwrap();
        let work = async { panic!("as it was") };
        let _ = io.run::<(), FetchError>(work).await;
    }
}
