//! Whether the tables are still as the migrations left them. Others make them, too: a schema that is
//! pushed from the frontend and does not know our policies takes row-level security away, and then
//! every user reads and writes the rows of all.
//!
//! Its functions fail when the database does.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{PgConnection, PgPool};

/// What must be, as the statements that make it so; see `guard.sql`. A test holds it to the migrations.
const EXPECTED: &str = include_str!("guard/expected.sql");

/// The code of an error: a lock was not had in time.
const LOCK_NOT_HAD: &str = "55P03";

/// How the tables differ from what the migrations made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Statements that put back what protects rows (row-level security, policies, grants, triggers), or
    /// take away what lets through more.
    pub unprotected: Vec<String>,
    /// Statements that put back what sends changes to browsers.
    pub unpublished: Vec<String>,
    /// Tables that are gone, with all that belongs to them, of which nothing more is said.
    pub tables: Vec<String>,
    /// Statements that put back columns, with what was in them lost.
    pub columns: Vec<String>,
    /// Statements that put back indexes.
    pub indexes: Vec<String>,
}

/// Why the database is not to be served.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// What must be run, as the owner of the tables, and what came of trying.
    #[error(
        "the tables are not protected as they must be; run as their owner:\n{}",
        .0.iter().map(|(statement, why)| format!("  {statement}; -- {why}")).collect::<Vec<_>>().join("\n")
    )]
    Unprotected(Vec<(String, String)>),
    /// Tables or columns are gone, and with them what was in them.
    #[error(
        "tables or columns are gone, perhaps by a push of a schema that does not know them; restore them, or \
         make them empty:\n  {}", .0.join("\n  ")
    )]
    Gone(Vec<String>),
    /// Others use the tables, so that nothing could be mended now.
    #[error("what protects the tables is not as it must be, and cannot be mended while others use them")]
    Busy,
    /// The rest.
    #[error("cannot read how the tables are protected")]
    Query(#[from] sqlx::Error),
}

impl Drift {
    /// Whether rows may be read or written by others than their owners, or not at all.
    #[must_use]
    pub const fn is_unsafe(&self) -> bool {
        !self.unprotected.is_empty() || !self.tables.is_empty() || !self.columns.is_empty()
    }
}

/// How the tables differ now. None when a newer version than this made them, which knows better.
pub async fn look(pool: &PgPool) -> sqlx::Result<Option<Drift>> {
    let mut tx = pool.begin().await?;
    let applied = super::applied(&mut tx).await?;
    let known = super::newest_migration();
    if applied.iter().max() != Some(&known) {
        return Ok(None);
    }
    let actual: BTreeSet<String> = facts(&mut tx).await?.into_iter().collect();
    Ok(Some(differences(&actual)))
}

/// Puts back what is missing where that loses nothing, takes away what lets through more than ours do,
/// and says so in the log.
///
/// # Errors
/// When rows are left unprotected, naming what must be run, or the database fails.
pub async fn enforce(pool: &PgPool) -> Result<(), GuardError> {
    let Some(drift) = look(pool).await?.filter(|drift| *drift != Drift::default()) else { return Ok(()) };
    let mut why = BTreeMap::new();
    let mut busy = false;
    for statement in drift.unprotected {
        match run(pool, &statement).await {
            Ok(()) => tracing::warn!(
                event = "protection-mended",
                statement,
                "what protects the tables was not as it must be; mended"
            ),
            Err(error) => {
                busy |=
                    error.as_database_error().and_then(|error| error.code()).as_deref() == Some(LOCK_NOT_HAD);
                drop(why.insert(statement, error.to_string()));
            }
        }
    }
    for statement in drift.unpublished {
        match run(pool, &statement).await {
            Ok(()) => tracing::warn!(statement, "what is sent to browsers was gone, and is put back"),
            Err(error) => tracing::warn!(statement, %error, "gone, and cannot be put back"),
        }
    }
    for statement in drift.indexes {
        // On a large table it takes long, and holds up who writes.
        tracing::warn!(statement, "an index is gone; make it when few write");
    }
    // A statement may do nothing, as where somebody else granted what it takes away.
    let left = look(pool).await?.unwrap_or_default();
    if busy {
        return Err(GuardError::Busy);
    }
    // Before what cannot be put back for that reason: rights on a column that is not there.
    let gone: Vec<String> = left.tables.into_iter().chain(left.columns).collect();
    if !gone.is_empty() {
        return Err(GuardError::Gone(gone));
    }
    if !left.unprotected.is_empty() {
        let said = |statement: String| {
            let why = why.remove(&statement).unwrap_or_else(|| "it was run and changed nothing".to_owned());
            (statement, why)
        };
        return Err(GuardError::Unprotected(left.unprotected.into_iter().map(said).collect()));
    }
    Ok(())
}

/// What is there now, in the form of what is expected.
pub async fn facts(connection: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query("select set_config('search_path', '', true)").execute(&mut *connection).await?;
    sqlx::query_scalar(include_str!("guard.sql")).bind(super::layout::tables()).fetch_all(connection).await
}

async fn run(pool: &PgPool, statement: &str) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut *tx).await?;
    tx.commit().await
}

fn differences(actual: &BTreeSet<String>) -> Drift {
    let expected: Vec<&str> = EXPECTED.lines().map(|line| line.trim_end_matches(';')).collect();
    let held: BTreeSet<&str> = actual.iter().map(|fact| subject(fact)).collect();
    let mut drift = Drift::default();
    let tables = |facts: &mut dyn Iterator<Item = &str>| -> BTreeSet<String> {
        let columns = facts.filter_map(|fact| fact.strip_prefix("alter table ")?.split_once(" add column "));
        columns.map(|(table, _)| table.to_owned()).collect()
    };
    let there = tables(&mut actual.iter().map(String::as_str));
    drift.tables.extend(tables(&mut expected.iter().copied()).difference(&there).cloned());
    let is_gone = |fact: &str| drift.tables.iter().any(|table| is_of(fact, table));
    let missing = expected.iter().filter(|fact| !held.contains(subject(fact)) && !is_gone(fact));
    for fact in missing.collect::<Vec<_>>() {
        let list = match DriftKind::of(fact) {
            DriftKind::Column => &mut drift.columns,
            DriftKind::Index => &mut drift.indexes,
            DriftKind::Live => &mut drift.unpublished,
            DriftKind::Protection => &mut drift.unprotected,
        };
        list.push((*fact).to_owned());
    }
    let wanted: BTreeSet<&str> = expected.iter().map(|fact| subject(fact)).collect();
    for fact in actual.iter().filter(|fact| !wanted.contains(subject(fact))) {
        // What is granted beyond what is expected: taken away, unless that is part of giving what is.
        if let Some((revoke, _)) = fact.split_once("; grant ") {
            let role = revoke.rsplit(' ').next();
            let known = drift.unprotected.iter().any(|fact| fact.starts_with(revoke));
            if !known && role != Some("service_role") {
                drift.unprotected.push(revoke.to_owned());
            }
        }
        // Permissive ones add up. Of the same name as one of ours it is replaced by that.
        if let Some((takes_away, made)) = fact.split_once("; create policy ")
            && !made.contains(" as restrictive ")
            && !drift.unprotected.iter().any(|fact| fact.starts_with(&format!("{takes_away};")))
        {
            drift.unprotected.push(takes_away.to_owned());
        }
    }
    drift
}

/// Whether a statement is about a table or what belongs to it.
fn is_of(fact: &str, table: &str) -> bool {
    fact.match_indices(table).any(|(at, _)| {
        let rest = &fact[at + table.len()..];
        rest.starts_with("_id_seq") || !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
    })
}

enum DriftKind {
    Protection,
    Live,
    Column,
    Index,
}

impl DriftKind {
    fn of(fact: &str) -> Self {
        if fact.contains(" add column ") {
            Self::Column
        } else if fact.starts_with("create ") {
            Self::Index
        } else if fact.starts_with("alter publication ") || fact.ends_with(" replica identity full") {
            Self::Live
        } else {
            Self::Protection
        }
    }
}

/// That by which two facts are the same thing in the same state: a column may have another type in
/// tables that others made, and conditions of triggers and indexes are written by the types of
/// columns.
fn subject(fact: &str) -> &str {
    if let Some(column) = fact.find(" add column ") {
        let name = column + " add column ".len();
        return &fact[..fact[name..].find(' ').map_or(fact.len(), |end| name + end)];
    }
    let condition = match DriftKind::of(fact) {
        DriftKind::Index => fact.find(" USING "),
        DriftKind::Protection if fact.starts_with("drop trigger ") => fact.find(" WHEN ("),
        _ => None,
    };
    &fact[..condition.unwrap_or(fact.len())]
}
