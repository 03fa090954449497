//! `dataset removals`: what was asked to be taken out and is kept out since, and an end of that.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use crate::{
    cli::{
        database::with_database,
        say,
        table::table,
        tell,
        user::{Whose, WhoseArgs},
    },
    config::Config,
    db::removals::{self, RemovalId, RemovalRow},
};

/// List what is kept out of datasets, or lift that
///
/// Newest first: what was taken out with `dataset remove` or over the API, of one dataset, of all of the user, or of
/// everybody's. The last are listed for each user, and lifted with --all-users only. What a removal kept out may come
/// in with later crawls when it is lifted, unless another keeps it out; rows that it took out or refused stay refusals,
/// and bytes that were deleted stay deleted.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler dataset removals --all-users\n  \
    pixcrawler dataset removals --user you@example.org --lift 17 --lift 18\n  \
    pixcrawler dataset removals --all-users --json | jq -r '.removals[] | [.id, .kind, .value] | @tsv'")]
pub(super) struct Removals {
    /// Most removals to list
    #[arg(long, short = 'L', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
    /// Lift this removal
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    lift: Vec<i64>,
    #[command(flatten)]
    whose: WhoseArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Removals {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let whose = self.whose.read(config)?;
        let limit = usize::from(self.limit);
        let user = match &whose {
            Whose::User(user, _) => Some(*user),
            Whose::All => None,
        };
        let (mut left, missing) = with_database(config, async |db| {
            let Some(db) = db else { return Ok((Vec::new(), self.lift.clone())) };
            let mut missing = Vec::new();
            for removal in self.lift.iter().copied() {
                if !removals::lift(db, user, RemovalId(removal)).await? {
                    missing.push(removal);
                }
            }
            Ok((removals::concerning(db, user, i64::from(self.limit) + 1).await?, missing))
        })
        .await?;
        for removal in self.lift.iter().filter(|removal| !missing.contains(removal)) {
            tell(&format!(
                "Removal {removal} is lifted: what it kept out may come in with new jobs. One that has refused it, as \
                 that of a folder of `crawl`, does not try it again; give `crawl` another --out.",
            ));
        }
        let more = left.len() > limit;
        left.truncate(limit);
        self.report(&left, &whose);
        if more {
            tell(&format!("There are more than {limit}; --limit shows more of them."));
        }
        if !missing.is_empty() {
            return Err(has_no(&whose, &missing));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn report(&self, left: &[RemovalRow], whose: &Whose) {
        if self.json {
            say(&json!({ "removals": left }).to_string());
        } else if left.is_empty() {
            tell(match whose {
                Whose::User(..) => {
                    "Nothing is kept out of datasets of this user. Of the API's: --user EMAIL or --all-users."
                }
                Whose::All => "Nothing is kept out of any dataset.",
            });
        } else {
            let head = ["ID", "OF", "CREATED", "WHAT"].map(str::to_owned).to_vec();
            let lines = left.iter().map(|removal| {
                vec![
                    removal.id.to_string(),
                    scope(removal),
                    removal.created_at.format("%Y-%m-%d %H:%M UTC").to_string(),
                    what(removal),
                ]
            });
            say(&table(&std::iter::once(head).chain(lines).collect::<Vec<_>>()));
        }
    }
}

/// Out of which datasets.
fn scope(removal: &RemovalRow) -> String {
    match (removal.dataset_id, removal.user_id) {
        (Some(dataset), _) => format!("dataset {dataset}"),
        (None, Some(user)) => format!("user {user}"),
        (None, None) => "everybody".to_owned(),
    }
}

/// As the rows of the pictures have it.
fn what(removal: &RemovalRow) -> String {
    let RemovalRow { kind, value, .. } = removal;
    match &removal.reason {
        Some(reason) => format!("{kind} {value}: {reason}"),
        None => format!("{kind} {value}"),
    }
}

/// Says that there are no such removals among these.
fn has_no(whose: &Whose, missing: &[i64]) -> anyhow::Error {
    let missing = missing.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    match whose {
        Whose::User(..) => anyhow!(
            "the user has no removal {missing}; see `pixcrawler dataset removals`, with --user EMAIL for those of \
             others, or --all-users"
        ),
        Whose::All => anyhow!("there is no removal {missing}; see `pixcrawler dataset removals --all-users`"),
    }
}
