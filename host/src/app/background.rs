//! Work that nobody waits for, in the process that serves those who wait: on threads that let the others go before,
//! with sessions of its own. What comes by a session wakes the threads of the runtime on which that was opened, so
//! that shared ones would have requests wait for the work.

use std::io;

use tokio::runtime::{Builder, Runtime};

use super::App;
use crate::db;
#[cfg(target_os = "linux")]
use crate::subprocess;

/// Sessions on the private Postgres.
const SESSIONS: u32 = 10;

/// A place for work.
pub struct Background {
    app: App,
    /// None where the work is done among all else.
    runtime: Option<Runtime>,
}

impl Background {
    /// Makes one. On a database that is configured sessions are few, and its server is mostly elsewhere: there the work
    /// is done among all else, unless a worker is a process of its own.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub fn new(app: &App) -> io::Result<Self> {
        if app.postgres.is_none() {
            return Ok(Self { app: app.clone(), runtime: None });
        }
        let mut builder = Builder::new_multi_thread();
        builder.thread_name("background").enable_all();
        // Elsewhere this is of the whole process.
        #[cfg(target_os = "linux")]
        builder.on_thread_start(subprocess::lower_priority);
        let runtime = builder.build()?;
        let guard = runtime.enter();
        let db = app.background_db.get_or_init(|| db::another_pool(&app.db, SESSIONS)).clone();
        drop(guard);
        Ok(Self { app: App { queue: app.queue.by(&db), db, ..app.clone() }, runtime: Some(runtime) })
    }

    /// Does `work` to its end.
    pub async fn run<F>(&self, work: impl FnOnce(App) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let work = work(self.app.clone());
        let Some(runtime) = &self.runtime else { return work.await };
        let db = self.app.db.clone();
        let done = runtime.spawn(async move {
            work.await;
            db.close().await;
        });
        if let Err(ended) = done.await
            && let Ok(panic) = ended.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Not waited for: this may happen on a thread of another runtime, which must not block.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
