//! What was read of the use of pictures: one that is kept in place of others has what was read of all of them, and
//! one that several pages show what is read of each, so that what is reserved where it was found is not lost.
//!
//! Its functions fail when the database does.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use sqlx::{PgConnection, types::Json};

use crate::{
    db::{
        chunks::ClaimedChunk,
        column::{ConsentSignals, LenientJson},
        image_batch::JudgedImage,
    },
    model::{Candidate, ConsentSignal, ImageId, JobId, Sha256, add_signals},
};

/// Adds what pages say of what a step found, each with its `pixcrawler.candidate.url_digest`, to the candidates that
/// the job had already, which are judged by it if they are not yet, and to the images that are kept for those that
/// are: these stay, whatever it is. The dataset is locked. Gives the jobs of these images.
pub(super) async fn add_to_known(
    connection: &mut PgConnection,
    chunk: &ClaimedChunk,
    found: &[(Sha256, &Candidate)],
) -> sqlx::Result<Vec<JobId>> {
    #[derive(sqlx::FromRow)]
    struct KnownCandidateRow {
        url_digest: Vec<u8>,
        candidate: i64,
        consent: LenientJson<ConsentSignals>,
        /// The image that is kept for it.
        image: Option<ImageId>,
        image_consent: Option<LenientJson<ConsentSignals>>,
    }
    let mut said: HashMap<&[u8], Vec<ConsentSignal>> = HashMap::new();
    for (digest, candidate) in found.iter().filter(|(_, candidate)| !candidate.consent.is_empty()) {
        add_signals(said.entry(digest.0.as_slice()).or_default(), candidate.consent.iter().cloned());
    }
    if said.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<KnownCandidateRow> = sqlx::query_as(
        "select c.url_digest, c.id as candidate, coalesce(c.candidate -> 'consent', '[]') as consent, k.id as image,
                k.consent as image_consent
           from pixcrawler.candidate c
           left join public.images i on i.id = c.image_id
           left join public.images k on k.id = case when i.is_duplicate then i.duplicate_of else i.id end
                and k.dataset_id = $3 and k.is_valid and not k.is_duplicate
          where c.job_id = $1 and c.url_digest = any ($2)",
    )
    .bind(chunk.job_id)
    .bind(said.keys().map(|digest| digest.to_vec()).collect::<Vec<_>>())
    .bind(chunk.dataset_id)
    .fetch_all(&mut *connection)
    .await?;
    let (mut candidates, mut all) = (Vec::new(), Vec::new());
    let (mut read, mut known) = (Vec::new(), HashMap::new());
    for row in rows {
        let KnownCandidateRow { url_digest, candidate, consent, image, image_consent } = row;
        let Some(said) = said.get(url_digest.as_slice()) else { continue };
        let LenientJson(ConsentSignals(mut joined)) = consent;
        let before = joined.len();
        add_signals(&mut joined, said.iter().cloned());
        if joined.len() == before {
            continue;
        }
        candidates.push(candidate);
        all.push(Json(joined));
        if let Some(image) = image {
            read.push((image, said.as_slice()));
            known.insert(image, image_consent.map(|LenientJson(signals)| signals.0));
        }
    }
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query(
        "update pixcrawler.candidate c set candidate = jsonb_set(c.candidate, '{consent}', more.signals)
           from unnest($1::bigint[], $2::jsonb[]) as more (id, signals)
          where c.id = more.id",
    )
    .bind(candidates)
    .bind(all)
    .execute(&mut *connection)
    .await?;
    let lacking = lacking(read, |image| known.get(&image)?.as_deref());
    add_to_images(connection, lacking).await
}

/// A batch with what the backlog says by now of the use of its pictures: other pages that show them may have added
/// to it while they were downloaded. What the policy of the job refuses for that becomes a refusal.
pub(super) async fn add_from_backlog<'a>(
    connection: &mut PgConnection,
    chunk: &ClaimedChunk,
    mut batch: Cow<'a, [JudgedImage]>,
) -> sqlx::Result<Cow<'a, [JudgedImage]>> {
    let rows: Vec<(i64, LenientJson<ConsentSignals>)> = sqlx::query_as(
        "select id, candidate -> 'consent' from pixcrawler.candidate
          where id = any ($1) and candidate -> 'consent' is not null",
    )
    .bind(batch.iter().map(|judged| judged.id).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let said: HashMap<i64, Vec<ConsentSignal>> =
        rows.into_iter().map(|(id, LenientJson(signals))| (id, signals.0)).collect();
    let joined = (0..).zip(batch.iter()).filter_map(|(at, judged)| {
        let said = said.get(&judged.id)?;
        let mut joined = judged.consent.clone();
        add_signals(&mut joined, said.iter().cloned());
        (joined.len() > judged.consent.len()).then_some((at, joined))
    });
    for (at, joined) in joined.collect::<Vec<(usize, _)>>() {
        let judged = &mut batch.to_mut()[at];
        let refused = chunk.rules.consent.check(&joined).err().filter(|_| judged.outcome.is_ok());
        if let Some(rejection) = refused {
            judged.outcome = Err(rejection);
        }
        judged.consent = joined;
    }
    Ok(batch)
}

/// What kept images lack of what was `read` of others in whose place they are; `known` is what was read of them so
/// far, none where nobody looked. There is an empty list for one of which nobody had looked and nothing was read.
pub(super) fn lacking<'a>(
    read: impl IntoIterator<Item = (ImageId, &'a [ConsentSignal])>,
    known: impl Fn(ImageId) -> Option<&'a [ConsentSignal]>,
) -> BTreeMap<ImageId, Vec<ConsentSignal>> {
    let mut joined: BTreeMap<ImageId, Vec<ConsentSignal>> = BTreeMap::new();
    for (image, signals) in read {
        let all = joined.entry(image).or_insert_with(|| known(image).unwrap_or_default().to_vec());
        add_signals(all, signals.iter().cloned());
    }
    let lacking = joined.into_iter().filter_map(|(image, mut all)| {
        let known = known(image);
        let more = all.split_off(known.map_or(0, <[ConsentSignal]>::len));
        (known.is_none() || !more.is_empty()).then_some((image, more))
    });
    lacking.collect()
}

/// Adds what images lack to what was read of them. Their dataset is locked. Gives their jobs.
pub(super) async fn add_to_images(
    connection: &mut PgConnection,
    lacking: BTreeMap<ImageId, Vec<ConsentSignal>>,
) -> sqlx::Result<Vec<JobId>> {
    if lacking.is_empty() {
        return Ok(Vec::new());
    }
    let (images, signals): (Vec<ImageId>, Vec<Json<Vec<ConsentSignal>>>) =
        lacking.into_iter().map(|(image, signals)| (image, Json(signals))).unzip();
    // Rows are locked in the order in which labels lock them. What cannot be read here stays.
    sqlx::query_scalar(
        "with locked as (
            select id from public.images where id = any ($1) and is_valid and not is_duplicate
             order by id for update)
         update public.images i
            set consent = case when jsonb_typeof(i.consent) = 'array' then i.consent else '[]' end || more.signals
           from locked join unnest($1::integer[], $2::jsonb[]) as more (id, signals) on more.id = locked.id
          where i.id = locked.id
      returning i.crawl_job_id",
    )
    .bind(images)
    .bind(signals)
    .fetch_all(connection)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConsentMeaning, ConsentPlace, ConsentVocabulary};

    fn said(value: &str) -> ConsentSignal {
        ConsentSignal::new(
            ConsentVocabulary::Noai,
            ConsentPlace::Header,
            None,
            value,
            ConsentMeaning::Reserved,
        )
    }

    #[test]
    fn what_is_lacking_is_added_once() {
        let [a, b] = ["a", "b"].map(said);
        let (both, first) = ([a.clone(), b.clone()], [a.clone()]);
        let (both, first, nothing): (&[_], &[_], &[_]) = (&both, &first, &[]);
        let known: BTreeMap<ImageId, Option<&[ConsentSignal]>> = BTreeMap::from([
            (ImageId(1), Some(first)),
            (ImageId(2), Some(both)),
            (ImageId(3), Some(nothing)),
            (ImageId(4), None),
            (ImageId(5), None),
        ]);
        let read = [(1, both), (1, both), (2, first), (3, nothing), (4, nothing), (5, first)];
        let read = read.map(|(image, signals)| (ImageId(image), signals));
        let lacking = lacking(read, |image| known[&image]);
        let expected = BTreeMap::from([
            (ImageId(1), vec![b]),
            // It was looked at now.
            (ImageId(4), Vec::new()),
            (ImageId(5), vec![a]),
        ]);
        assert_eq!(lacking, expected);
    }

    #[test]
    fn a_picture_with_very_many_copies_has_no_more_than_one() {
        let signals: Vec<ConsentSignal> = (0..100).map(|number| said(&number.to_string())).collect();
        let read = signals.iter().map(|signal| (ImageId(1), std::slice::from_ref(signal)));
        let lacking = lacking(read, |_| Some(&signals[..3]));
        assert_eq!(lacking[&ImageId(1)].len(), 5);
    }
}
