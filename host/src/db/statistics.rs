//! What datasets hold, counted by everything that a person would sort pictures by.

use sqlx::{AssertSqlSafe, PgPool};

use crate::model::{DatasetId, ProjectId, UserId};

/// Names of a facet that are counted one by one, unless fewer are asked for.
pub const MOST_NAMES: usize = 50;

/// From where the bins of a histogram begin, each up to the next, the last without end; the first is 0.
pub type Bins = &'static [f64];

/// Bins of widths and heights, in pixels.
pub const SIDES: Bins = &[0.0, 128.0, 256.0, 512.0, 768.0, 1024.0, 1536.0, 2048.0, 3072.0, 4096.0, 8192.0];
/// Bins of millions of pixels.
pub const MEGAPIXELS: Bins = &[0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
/// Bins of widths divided by heights: below 1 is upright.
pub const ASPECTS: Bins = &[0.0, 0.5, 0.65, 0.8, 0.95, 1.05, 1.25, 1.55, 2.0];
/// Bins of sizes in bytes.
pub const SIZES: Bins = &[0.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub enum StatisticsScope {
    /// A dataset.
    Dataset(DatasetId),
    /// All datasets of a project.
    Project(ProjectId),
}

/// Images, and what they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many.
    pub images: i64,
    /// In bytes.
    pub bytes: i64,
}

/// How images are shared among names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Those that have most, in order; no name is that nothing is known.
    pub first: Vec<(Option<String>, Share)>,
    /// How many more names there are.
    pub others: i64,
    /// All of these together, each image once.
    pub rest: Share,
}

/// What datasets hold, as of one moment. All but `refusals` is about what was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// All of it.
    pub kept: Share,
    /// Not kept, because another is like it.
    pub duplicates: i64,
    /// Not kept for another reason.
    pub refused: i64,
    /// These by code.
    pub refusals: Shares,
    /// By format.
    pub formats: Shares,
    /// By licence.
    pub licenses: Shares,
    /// By each of their labels: one with several counts for each, so that together they may be more than are kept.
    pub labels: Shares,
    /// By source.
    pub sources: Shares,
    /// By the host of the address that it came from.
    pub hosts: Shares,
    /// In [`SIDES`].
    pub widths: Vec<Share>,
    /// In [`SIDES`].
    pub heights: Vec<Share>,
    /// In [`MEGAPIXELS`].
    pub megapixels: Vec<Share>,
    /// In [`ASPECTS`].
    pub aspects: Vec<Share>,
    /// In [`SIZES`].
    pub sizes: Vec<Share>,
}

/// The bins of a histogram, each with what is no longer in it; the last has no end.
pub fn ranges(bins: Bins) -> impl Iterator<Item = (f64, Option<f64>)> {
    let ends = bins.iter().skip(1).copied().map(Some).chain([None]);
    bins.iter().copied().zip(ends)
}

/// A name of a facet, or all beyond the first of it.
#[derive(sqlx::FromRow)]
struct CountRow {
    facet: String,
    name: Option<String>,
    is_rest: bool,
    names: i64,
    images: i64,
    bytes: i64,
}

/// Counts what is in a dataset or project of this user, which is there; of each facet but the refusals, `most_names`
/// one by one.
pub async fn count(
    db: &PgPool,
    user: UserId,
    scope: StatisticsScope,
    most_names: usize,
) -> sqlx::Result<Statistics> {
    let (within, id) = match scope {
        StatisticsScope::Dataset(dataset) => ("dataset_id = $2", dataset.0),
        StatisticsScope::Project(project) => (
            "dataset_id in (select id from public.datasets where user_id = $1 and project_id = $2)",
            project.0,
        ),
    };
    let rows: Vec<CountRow> = sqlx::query_as(AssertSqlSafe(format!(
        "with shown as materialized (
            select id, case when is_duplicate then 'duplicate' when is_valid then 'kept' else 'refused' end as verdict,
                   reason, format, license, source, file_size, to_jsonb(labels) as labels,
                   lower(split_part(split_part(original_url, '://', 2), '/', 1)) as host,
                   width_bucket(width::float8, $3) as width, width_bucket(height::float8, $3) as height,
                   width_bucket(width::float8 * height / 1000000, $4) as megapixels,
                   width_bucket(width::float8 / nullif(height, 0), $5) as aspect,
                   width_bucket(file_size::float8, $6) as size
              from public.images where user_id = $1 and {within}),
         labelled as not materialized (
            -- The frontend may have written anything.
            select id, label, file_size
              from shown,
                   jsonb_array_elements_text(case jsonb_typeof(labels) when 'array' then labels else '[]' end) as label
             where verdict = 'kept'),
         counted as (
            select 'verdict' as facet, verdict as name, count(*) as images, sum(file_size) as bytes
              from shown group by verdict
             union all
            select 'refusal', reason, count(*), sum(file_size) from shown where verdict = 'refused' group by reason
             union all
            select case 0
                       when grouping(format) then 'format'
                       when grouping(license) then 'license'
                       when grouping(source) then 'source'
                       when grouping(host) then 'host'
                       when grouping(width) then 'width'
                       when grouping(height) then 'height'
                       when grouping(megapixels) then 'megapixels'
                       when grouping(aspect) then 'aspect'
                       else 'size'
                   end,
                   coalesce(format, license, source, host, width::text, height::text, megapixels::text,
                            aspect::text, size::text),
                   count(*), sum(file_size)
              from shown where verdict = 'kept'
             group by grouping sets (format, license, source, host, width, height, megapixels, aspect, size)
             union all
            select 'label', label, count(*), sum(file_size) from labelled group by label),
         ranked as (
            select *, row_number() over (partition by facet order by images desc, name collate \"C\") as rank,
                   case facet when 'refusal' then {MOST_NAMES} else $7::bigint end as most
              from counted),
         other_labels as (
            -- An image may have several of them.
            select count(*) as images, sum(file_size) as bytes
              from (select distinct id, file_size
                      from labelled join ranked
                        on (name is null) = (label is null) and coalesce(name, '') = coalesce(label, '')
                     where facet = 'label' and rank > most) as image)
         select facet, case when min(rank) <= most then min(name) end as name, min(rank) > most as is_rest,
                count(*) as names,
                (case when facet = 'label' and min(rank) > most then (select images from other_labels)
                      else sum(images) end)::bigint as images,
                coalesce(case when facet = 'label' and min(rank) > most then (select bytes from other_labels)
                              else sum(bytes) end, 0)::bigint as bytes
           from ranked
          group by facet, most, least(rank - 1, most)
          order by facet, min(rank)",
    )))
    .bind(user)
    .bind(id)
    .bind(SIDES)
    .bind(MEGAPIXELS)
    .bind(ASPECTS)
    .bind(SIZES)
    .bind(i64::try_from(most_names).unwrap_or(i64::MAX))
    .fetch_all(db)
    .await?;
    Ok(Statistics::of(rows))
}

impl Statistics {
    fn of(rows: Vec<CountRow>) -> Self {
        let empty = |bins: Bins| vec![Share::default(); bins.len()];
        let mut statistics = Self {
            widths: empty(SIDES),
            heights: empty(SIDES),
            megapixels: empty(MEGAPIXELS),
            aspects: empty(ASPECTS),
            sizes: empty(SIZES),
            ..Self::default()
        };
        for row in rows {
            let share = Share { images: row.images, bytes: row.bytes };
            match &*row.facet {
                "verdict" => match row.name.as_deref() {
                    Some("kept") => statistics.kept = share,
                    Some("duplicate") => statistics.duplicates = share.images,
                    _ => statistics.refused = share.images,
                },
                "refusal" => statistics.refusals.add(row),
                "format" => statistics.formats.add(row),
                "license" => statistics.licenses.add(row),
                "label" => statistics.labels.add(row),
                "source" => statistics.sources.add(row),
                "host" => statistics.hosts.add(row),
                "width" => put(&mut statistics.widths, &row),
                "height" => put(&mut statistics.heights, &row),
                "megapixels" => put(&mut statistics.megapixels, &row),
                "aspect" => put(&mut statistics.aspects, &row),
                _ => put(&mut statistics.sizes, &row),
            }
        }
        statistics
    }
}

impl Shares {
    fn add(&mut self, row: CountRow) {
        let share = Share { images: row.images, bytes: row.bytes };
        if row.is_rest {
            self.others = row.names;
            self.rest = share;
        } else {
            self.first.push((row.name, share));
        }
    }
}

/// Puts what is in a bin, by its number from 1, where it belongs; what was not measured is in none.
fn put(bins: &mut [Share], row: &CountRow) {
    let bin = row.name.as_deref().and_then(|number| number.parse::<usize>().ok());
    if let Some(bin) = bin.and_then(|number| bins.get_mut(number.checked_sub(1)?)) {
        *bin = Share { images: row.images, bytes: row.bytes };
    }
}
