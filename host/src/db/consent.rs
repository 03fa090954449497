//! What was read of the use of pictures: one that is kept in place of others has what was read of all of them, so
//! that what is reserved where one of them was found is not lost.

use std::collections::BTreeMap;

use sqlx::{PgConnection, types::Json};

use crate::model::{ConsentSignal, ImageId, JobId, add_signals};

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
