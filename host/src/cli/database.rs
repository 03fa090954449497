//! The database of the settings, for commands that look at rows and change them.

use anyhow::bail;

use crate::{
    app::{Database, StartError, announced},
    cli::{stop, tell},
    config::Config,
    db::{self, PgPool, ServerAddress},
    postgres,
};

/// Works on the database of the settings. The private one is started if need be, but not made for this:
/// none is given where there is none.
///
/// # Errors
/// When it cannot be had, its tables are not up to date, or the work fails.
pub(super) async fn with_database<T>(
    config: &Config,
    work: impl AsyncFnOnce(Option<&PgPool>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if !has_database(config) {
        return work(None).await;
    }
    let stop = stop::on_signal()?;
    let start = Database::start_text(config);
    let database = announced(&|what| tell(&format!("{what} …")), start, Database::connect(config)).await?;
    let worked = stop.run_until_cancelled(async {
        if db::pending(&database.pool).await? > 0 {
            if !database.is_private() {
                bail!("the tables of this database are not up to date; run `pixcrawler migrate` first");
            }
            database.migrate().await?;
        }
        work(Some(&database.pool)).await
    });
    let worked = worked.await;
    database.close().await;
    worked.unwrap_or_else(|| Err(StartError::Stopped.into()))
}

/// Whether there is anything to look at: none is made for that.
pub(super) fn has_database(config: &Config) -> bool {
    ServerAddress::configured(&config.database).is_some() || postgres::is_made(&config.data_dir())
}
