//! Chunks: their states, how the images of a job are shared over them, and how a job ends with them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use serde::{Deserialize, Serialize};

use super::{ChunkId, JobState};

/// One input at one source.
#[derive(Clone, Debug, Serialize)]
pub struct ChunkSpec {
    /// Which plugin.
    pub source: String,
    /// Class of the images.
    pub label: String,
    /// Position of the input among the job's inputs, keywords first.
    pub input: i32,
    /// Position of the source among those that take the input.
    pub rank: i32,
    /// What the plugin is asked.
    pub query: crate::model::Query,
    /// Images that this chunk may keep for now; 0 waits as reserve.
    pub share: i32,
    /// What the user should know of it before it begins.
    pub warnings: Vec<String>,
}

/// `pixcrawler.chunk.state`: what the backend knows of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum ChunkState {
    /// A message for its current run is in the queue.
    Queued,
    /// A worker holds its lease.
    Running,
    /// In the queue for a later time.
    Waiting,
    /// Has its share; more may be asked of it.
    Satisfied,
    /// Its source has no more.
    Exhausted,
    /// Ended by an error.
    Failed,
    /// Its job was cancelled.
    Cancelled,
}

impl ChunkState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Satisfied,
        Self::Exhausted,
        Self::Failed,
        Self::Cancelled,
    ];

    /// As stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Satisfied => "satisfied",
            Self::Exhausted => "exhausted",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Shares `wanted` images over `inputs` × `sources`: evenly per input, then per
/// source. With fewer images than chunks the first source of every input gets
/// one, then the second source of every input, and so on; the rest get 0.
/// The answer is indexed `[input][source]`.
#[must_use]
pub fn shares(wanted: i32, sources_of_input: &[usize]) -> Vec<Vec<i32>> {
    let inputs = i32::try_from(sources_of_input.len()).unwrap_or(i32::MAX);
    let chunks: i32 = sources_of_input.iter().map(|&n| i32::try_from(n).unwrap_or(i32::MAX)).sum();
    if inputs == 0 || chunks == 0 {
        return Vec::new();
    }
    if wanted < chunks {
        return rounds(wanted, sources_of_input);
    }
    (0i32..)
        .zip(sources_of_input)
        .map(|(input, &sources)| even(part(wanted, inputs, input), sources))
        .collect()
}

/// One image a chunk, in rounds: every input's first source, every input's second, …
fn rounds(mut wanted: i32, sources_of_input: &[usize]) -> Vec<Vec<i32>> {
    let mut shares: Vec<Vec<i32>> = sources_of_input.iter().map(|&n| vec![0; n]).collect();
    let longest = sources_of_input.iter().copied().max().unwrap_or(0);
    for round in 0..longest {
        for input in &mut shares {
            if let Some(share) = input.get_mut(round).filter(|_| wanted > 0) {
                *share = 1;
                wanted -= 1;
            }
        }
    }
    shares
}

fn even(total: i32, parts: usize) -> Vec<i32> {
    let parts = i32::try_from(parts).unwrap_or(i32::MAX);
    (0..parts).map(|index| part(total, parts, index)).collect()
}

/// The `index`th of `parts` nearly equal parts of `total`; the first ones get the remainder.
const fn part(total: i32, parts: i32, index: i32) -> i32 {
    total / parts + (index < total % parts) as i32
}

/// A chunk as redistribution sees it.
#[derive(Clone, Copy, Debug)]
pub struct QuotaShare {
    /// Which chunk.
    pub chunk: ChunkId,
    /// Position of its input.
    pub input: i32,
    /// Position of its source among those of the input.
    pub rank: i32,
    /// Where it stands.
    pub state: ChunkState,
    /// Images it may keep.
    pub share: i32,
    /// Images it has.
    pub kept: i32,
}

/// What is missing and nobody works on, shared over the chunks that had reached their share but not
/// their end: how much more each may keep. Evenly per input and then per source, as at first, counting
/// what each has or may bring by now: the input that has least comes first, and of its chunks the one with
/// the smallest share.
#[must_use]
pub fn shares_of_missing(wanted: i32, parts: &[QuotaShare]) -> Vec<(ChunkId, i32)> {
    let promised = |part: &QuotaShare| match part.state {
        ChunkState::Queued | ChunkState::Running | ChunkState::Waiting => part.share,
        ChunkState::Satisfied | ChunkState::Exhausted | ChunkState::Failed | ChunkState::Cancelled => {
            part.kept
        }
    };
    let mut of_input: BTreeMap<i32, i32> = BTreeMap::new();
    let mut takers: BTreeMap<_, BinaryHeap<_>> = BTreeMap::new();
    for part in parts {
        *of_input.entry(part.input).or_default() += promised(part);
        if part.state == ChunkState::Satisfied {
            takers.entry(part.input).or_default().push(Reverse((part.share, part.rank, part.chunk)));
        }
    }
    let missing = wanted - of_input.values().sum::<i32>();
    let mut inputs: BinaryHeap<Reverse<(i32, i32)>> =
        takers.keys().map(|input| Reverse((of_input[input], *input))).collect();
    let mut extra: BTreeMap<ChunkId, i32> = BTreeMap::new();
    for _ in 0..missing {
        let Some(mut least) = inputs.peek_mut() else { break };
        let Some(mut taker) = takers.get_mut(&least.0.1).and_then(BinaryHeap::peek_mut) else { break };
        *extra.entry(taker.0.2).or_default() += 1;
        taker.0.0 += 1;
        least.0.0 += 1;
    }
    extra.into_iter().collect()
}

/// A chunk of a job that is over.
#[derive(Clone, Debug)]
pub struct FinishedChunk {
    /// Which plugin.
    pub source: String,
    /// How it ended.
    pub state: ChunkState,
    /// Why, when it failed.
    pub reason: Option<String>,
    /// What the source had to say.
    pub warnings: Vec<String>,
}

/// How a job ends whose chunks are all over, and what the user is told: nothing when
/// all that was asked is there, else why not. It failed only when nothing usable came
/// and something went wrong. Where the number is the default, which nobody asked for, all that the
/// sources have is enough, unless that is nothing.
#[must_use]
pub fn outcome(
    kept: i32,
    wanted: i32,
    is_default: bool,
    chunks: &[FinishedChunk],
) -> (JobState, Option<String>) {
    let failed = chunks.iter().filter(|chunk| chunk.state == ChunkState::Failed).count();
    if kept >= wanted || (is_default && kept > 0 && failed == 0) {
        return (JobState::Completed, None);
    }
    let counted = if is_default { format!("kept {kept}") } else { format!("kept {kept} of {wanted}") };
    // Failures first: of many reasons only some are told.
    let failures = chunks.iter().filter(|chunk| chunk.state == ChunkState::Failed);
    let failures = failures.flat_map(|chunk| chunk.reason.iter().map(move |said| (chunk, said)));
    let warnings = chunks.iter().flat_map(|chunk| chunk.warnings.iter().map(move |said| (chunk, said)));
    let mut reasons: Vec<String> = Vec::new();
    for (chunk, said) in failures.chain(warnings) {
        let line = format!("{}: {said}", chunk.source);
        if !reasons.contains(&line) {
            reasons.push(line);
        }
    }
    let (state, mut text) = match (failed, chunks.len()) {
        (0, _) => (JobState::Completed, format!("{counted}: the sources have no more")),
        _ if kept == 0 => (JobState::Failed, "nothing usable came".to_owned()),
        (1, 1) => (JobState::Completed, format!("{counted}: then it failed")),
        (failed, parts) => (JobState::Completed, format!("{counted}: {failed} of {parts} parts failed")),
    };
    if !reasons.is_empty() {
        text = format!("{text} ({})", reasons.into_iter().take(5).collect::<Vec<_>>().join("; "));
    }
    (state, Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_even_per_input_then_per_source() {
        assert_eq!(shares(100, &[2, 2]), [[25, 25], [25, 25]]);
        assert_eq!(shares(7, &[2, 1]), vec![vec![2, 2], vec![3]]);
        assert_eq!(shares(5, &[1, 1, 1]), [[2], [2], [1]]);
    }

    #[test]
    fn fewer_images_than_chunks_go_in_rounds() {
        assert_eq!(shares(2, &[2, 2, 2]), [[1, 0], [1, 0], [0, 0]]);
        assert_eq!(shares(4, &[2, 2, 2]), [[1, 1], [1, 0], [1, 0]]);
    }

    fn part(chunk: i32, state: ChunkState, share: i32, kept: i32) -> QuotaShare {
        QuotaShare { chunk: ChunkId(chunk), input: chunk, rank: 0, state, share, kept }
    }

    #[test]
    fn what_is_missing_goes_to_chunks_that_have_more() {
        let parts = [
            part(1, ChunkState::Exhausted, 10, 4),
            part(2, ChunkState::Satisfied, 10, 10),
            part(3, ChunkState::Running, 10, 2),
            part(4, ChunkState::Satisfied, 0, 0),
        ];
        assert_eq!(shares_of_missing(24, &parts), []);
        assert_eq!(shares_of_missing(30, &parts), [(ChunkId(4), 6)]);
        assert_eq!(shares_of_missing(38, &parts), [(ChunkId(2), 2), (ChunkId(4), 12)]);
        assert_eq!(shares_of_missing(38, &parts[..3]), [(ChunkId(2), 14)]);
        assert_eq!(shares_of_missing(38, &parts[2..3]), []);
    }

    #[test]
    fn a_larger_number_is_shared_evenly_whoever_was_faster() {
        let at = |chunk, input, rank, kept| QuotaShare {
            input,
            rank,
            ..part(chunk, ChunkState::Satisfied, kept, kept)
        };
        let parts = [at(1, 0, 0, 90), at(2, 0, 1, 0), at(3, 1, 0, 10)];
        let extra = shares_of_missing(400, &parts);
        assert_eq!(extra, [(ChunkId(1), 10), (ChunkId(2), 100), (ChunkId(3), 190)]);
    }

    #[test]
    fn a_job_fails_only_with_nothing_and_an_error() {
        let failed = FinishedChunk {
            source: "site".to_owned(),
            state: ChunkState::Failed,
            reason: Some("gone".to_owned()),
            warnings: Vec::new(),
        };
        let exhausted = FinishedChunk { state: ChunkState::Exhausted, reason: None, ..failed.clone() };
        assert_eq!(outcome(5, 5, false, std::slice::from_ref(&failed)), (JobState::Completed, None));
        assert_eq!(outcome(0, 5, false, std::slice::from_ref(&exhausted)).0, JobState::Completed);
        let (state, reason) = outcome(1, 5, false, std::slice::from_ref(&failed));
        assert_eq!(
            (state, reason.as_deref()),
            (JobState::Completed, Some("kept 1 of 5: then it failed (site: gone)"))
        );
        let warned = FinishedChunk {
            warnings: (0..9).map(|number| number.to_string()).collect(),
            ..exhausted.clone()
        };
        let (_, reason) = outcome(1, 5, false, &[warned, failed.clone()]);
        assert!(reason.unwrap().starts_with("kept 1 of 5: 1 of 2 parts failed (site: gone; site: 0; "));
        let (state, reason) = outcome(0, 5, false, &[exhausted, failed]);
        assert_eq!((state, reason.as_deref()), (JobState::Failed, Some("nothing usable came (site: gone)")));
    }

    #[test]
    fn all_that_there_is_is_enough_where_nobody_said_how_many() {
        let ended = |state, reason: Option<&str>| FinishedChunk {
            source: "site".to_owned(),
            state,
            reason: reason.map(str::to_owned),
            warnings: vec!["slow".to_owned()],
        };
        let exhausted = ended(ChunkState::Exhausted, None);
        let failed = ended(ChunkState::Failed, Some("gone"));
        let said = |kept, chunks: &[FinishedChunk]| outcome(kept, 1000, true, chunks).1;
        assert_eq!(said(7, std::slice::from_ref(&exhausted)), None);
        let nothing = said(0, std::slice::from_ref(&exhausted));
        assert_eq!(nothing.unwrap(), "kept 0: the sources have no more (site: slow)");
        let partly = said(7, &[exhausted, failed]);
        assert_eq!(partly.unwrap(), "kept 7: 1 of 2 parts failed (site: gone; site: slow)");
    }

    proptest::proptest! {
        #[test]
        fn shares_add_up(wanted in 1..100_000i32, inputs in proptest::collection::vec(1usize..6, 1..50)) {
            let shares = shares(wanted, &inputs);
            proptest::prop_assert_eq!(shares.iter().flatten().sum::<i32>(), wanted);
        }
    }
}
