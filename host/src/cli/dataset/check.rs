//! `dataset check`: rules that are asked for later are applied to what is there.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use indicatif::{HumanBytes, MultiProgress};
use serde_json::json;

use super::dataset_id;
use crate::{
    app::{Database, StartError},
    cli::{
        bar::Bar,
        counted,
        database::has_database,
        plugin::consent,
        rules::{self, RulesArgs},
        say, stop, tell,
        user::WhoseArgs,
        wrong_usage,
    },
    config::Config,
    db,
    model::{ConsentPolicy, DatasetId, Rules},
    services::{
        checks::{CheckProgress, check},
        create::check_rules,
    },
};

/// Refuse what a dataset has kept and other rules would not have let in
///
/// The rules are those of `crawl`. Each picture that breaks one becomes a refusal with its code and the numbers,
/// as if it had been refused when it came: it is taken out of all exports, and `sweep` deletes its object. Copies
/// that it stood for are tried again by crawls of the dataset that run; else they stay out, and a later crawl may
/// find them. Crawls that run look for others in its place. `--consent` goes by what was recorded when a picture
/// came, and passes those of which nobody looked for that. It is said first how many go. What is done is not
/// done again, so that it may be interrupted and given again; `serve` and `worker` may go on.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler dataset check 3 --level standard --dry-run\n  \
    pixcrawler dataset check 3 --level strict --min-size 512 --animation allowed\n  \
    pixcrawler dataset check 3 --consent respect --dry-run\n  \
    pixcrawler dataset check 3 --min-sharpness 35 --yes --json | jq .refusals\n\n\
    Exit codes: 0 done, 1 there is no such dataset, nobody agreed, pictures have no scores yet (see `dataset\n\
    measure`), or it failed, 2 wrong usage, 130 interrupted.")]
pub(super) struct CheckArgs {
    /// Id of the dataset, see `pixcrawler dataset list`
    #[arg(value_name = "ID", value_parser = dataset_id)]
    id: i32,
    #[command(flatten)]
    whose: WhoseArgs,
    /// Only say what would be refused
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rules: RulesArgs,
}

impl CheckArgs {
    pub(super) async fn run(self, config: &Config, terminal: &MultiProgress) -> anyhow::Result<ExitCode> {
        let rules = self.rules()?;
        let whose = self.whose.read(config)?;
        let dataset = DatasetId(self.id);
        if !has_database(config) {
            return Err(whose.has_no_dataset(dataset));
        }
        let stop = stop::on_signal()?;
        let database = Database::connect(config).await?;
        let bar = Bar::new(terminal, "{bar:30} {pos}/{len} images, {msg}, {eta} left");
        let done = stop.run_until_cancelled(async {
            database.migrate().await?;
            let pool = &database.pool;
            let user = whose.owner_of_dataset(pool, dataset).await?;
            let found = check(pool, dataset, &rules, true, |progress| show(&bar, progress)).await?;
            bar.end();
            if self.dry_run || found.refused == 0 {
                return anyhow::Ok(Some(found));
            }
            let detail = db::datasets::detail(pool, user, dataset).await?;
            let name = detail.context("the dataset was deleted meanwhile")?.dataset.name;
            let question = format!(
                "Refuse {} of {} of dataset {dataset}, “{name}” ({})?",
                found.refused,
                counted(found.images, "image"),
                reasons(&found),
            );
            if !consent::agreed(&question, self.yes)? {
                return Ok(None);
            }
            let bar = Bar::new(terminal, "{bar:30} {pos}/{len} images, {msg}, {eta} left");
            let refused = check(pool, dataset, &rules, false, |progress| show(&bar, progress)).await;
            bar.end();
            Ok(Some(refused?))
        });
        let done = done.await;
        bar.end();
        database.close().await;
        let Some(progress) = done.ok_or(StartError::Stopped)?? else {
            tell("Nothing was changed.");
            return Ok(ExitCode::FAILURE);
        };
        self.report(&progress);
        Ok(if progress.unmeasured == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The rules that are asked for, with what the level says.
    fn rules(&self) -> anyhow::Result<Rules> {
        // What is not asked for refuses nothing here.
        let none = Rules { consent: ConsentPolicy::Record, ..Rules::default() };
        let mut asked = none.clone();
        self.rules.put(&mut asked);
        if asked == none {
            return Err(wrong_usage(
                "no rule is given that anything could break; give --level standard, --level strict or a rule of its own",
            ));
        }
        check_rules(&asked).map_err(|broken| {
            let lines = broken.iter().map(|violation| {
                let field = violation.pointer.strip_prefix("/rules/").unwrap_or(&violation.pointer);
                let field = field.split('/').next().unwrap_or(field);
                format!("{} {}", rules::argument(field), violation.detail)
            });
            wrong_usage(lines.collect::<Vec<_>>().join("\n"))
        })
    }

    fn report(&self, progress: &CheckProgress) {
        let CheckProgress { checked, refused, bytes, unmeasured, .. } = progress;
        if self.json {
            let mut summary = json!(progress);
            summary["dataset"] = json!(self.id);
            summary["dry_run"] = json!(self.dry_run);
            say(&summary.to_string());
        } else if *refused == 0 {
            say(&format!("None of {} breaks a rule.", counted(*checked, "image")));
        } else {
            let did = if self.dry_run { "would be refused" } else { "refused" };
            say(&format!(
                "{refused} of {} {did} ({}): {}",
                counted(*checked, "image"),
                HumanBytes(*bytes),
                reasons(progress),
            ));
        }
        if *unmeasured > 0 {
            tell(&format!(
                "pixcrawler: {} by which rules go; give `pixcrawler dataset measure {}` and this command again",
                match unmeasured {
                    1 => "1 image has no scores".to_owned(),
                    more => format!("{more} images have no scores"),
                },
                self.id,
            ));
        }
    }
}

/// How many are refused for what.
fn reasons(progress: &CheckProgress) -> String {
    let reasons = progress.refusals.iter().map(|(code, count)| format!("{count} {code}"));
    reasons.collect::<Vec<_>>().join(", ")
}

fn show(bar: &Bar, progress: &CheckProgress) {
    let CheckProgress { images, checked, refused, .. } = progress;
    bar.show(*checked, *images, format!("{refused} refused"), || format!("{checked} of {images} images"));
}
