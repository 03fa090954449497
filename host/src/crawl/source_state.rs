//! What a source does in a slice, and how the slice ends: states, and what leads from one to the
//! next. Nothing here reads a clock or a database.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::{
    crawl::SliceEnd,
    db::{
        chunks::{ClaimedChunk, Deferral},
        job_lifecycle::ChunkEnd,
    },
};

/// No step is made while the backlog holds this many.
pub(super) const MOST_BACKLOG: i64 = 1000;
/// What is in flight when a slice ends is given this long.
pub(super) const DRAINING: Duration = Duration::from_secs(5);
/// The same where another user waits.
const GIVING_WAY: Duration = Duration::from_secs(1);

/// Whether the source of a chunk can be asked for more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SourceState {
    /// It can.
    Ready,
    /// A step is under way.
    Stepping,
    /// Not before a time, because of an error that may pass, or of its pace.
    Deferred { until: DateTime<Utc>, reason: String },
    /// It is paused for everybody; at that time another slice looks whether it still is.
    Paused { until: DateTime<Utc>, reason: String },
    /// It has no more.
    Exhausted,
    /// It will bring no more, for this reason; what it gave until then is tried first.
    Failed(String),
}

/// What happens to the source of a chunk during a slice.
#[derive(Clone, Debug)]
pub(super) enum SourceEvent {
    StepStarted,
    /// The step was made and written; whether it is the last.
    StepMade {
        done: bool,
    },
    /// The same step is to be made again later.
    StepDeferred(Deferral),
    /// The step was dropped; it is as if it had never been started.
    StepDropped,
    /// By the step that was under way, or by a budget that allows for no other.
    Failed(String),
}

impl SourceState {
    /// As the chunk's row says, for a source that is not paused.
    pub(super) fn of(chunk: &ClaimedChunk, now: DateTime<Utc>) -> Self {
        match chunk.progress.step_not_before.filter(|at| *at > now) {
            _ if chunk.source_done => Self::Exhausted,
            Some(until) => Self::Deferred { until, reason: format!("{} waits", chunk.source) },
            None => Self::Ready,
        }
    }

    /// Goes on to the state that follows from an event.
    pub(super) fn apply(&mut self, event: SourceEvent) {
        // From these nothing leads back in the same slice.
        if matches!(self, Self::Paused { .. } | Self::Exhausted | Self::Failed(_)) {
            return;
        }
        *self = match event {
            SourceEvent::StepStarted => Self::Stepping,
            SourceEvent::StepMade { done: true } => Self::Exhausted,
            SourceEvent::StepMade { done: false } | SourceEvent::StepDropped => Self::Ready,
            SourceEvent::StepDeferred(Deferral { until, reason, .. }) => Self::Deferred { until, reason },
            SourceEvent::Failed(reason) => Self::Failed(reason),
        };
    }

    /// Whether the next step is to be made now, if the backlog holds fewer than [`MOST_BACKLOG`].
    pub(super) fn wants_step(&self, supply: &Supply, now: DateTime<Utc>) -> bool {
        let may_step = match self {
            Self::Ready => true,
            Self::Deferred { until, .. } => *until <= now,
            Self::Stepping | Self::Paused { .. } | Self::Exhausted | Self::Failed(_) => false,
        };
        let is_short = supply.loaded < supply.places || supply.stalled;
        may_step && supply.backlog_exhausted && supply.loaded < supply.capacity && is_short
    }

    /// How a slice ends that has nothing in flight; none when there is more to do now.
    pub(super) fn end(&self, left: &Remainder<'_>) -> Option<SliceEnd> {
        if left.kept >= left.share {
            return Some(SliceEnd::End(ChunkEnd::Share));
        }
        if left.loaded > 0 {
            return None;
        }
        match (self, left.unauthorized) {
            _ if left.backlog > 0 => {}
            (Self::Failed(reason), _) => return Some(SliceEnd::End(ChunkEnd::Failed(reason.clone()))),
            (Self::Exhausted, None) => return Some(SliceEnd::End(ChunkEnd::Exhausted)),
            (Self::Exhausted, Some(reason)) => {
                return Some(SliceEnd::End(ChunkEnd::Failed(reason.to_owned())));
            }
            _ => {}
        }
        let step = match self {
            _ if left.backlog >= MOST_BACKLOG => None,
            Self::Ready | Self::Stepping => return None,
            Self::Deferred { until, reason } | Self::Paused { until, reason } => Some((*until, reason)),
            Self::Exhausted | Self::Failed(_) => None,
        };
        let is_paused = matches!(self, Self::Paused { .. });
        if is_paused && step.is_some_and(|(at, _)| at <= left.now) {
            return Some(SliceEnd::Again);
        }
        // One has had its time since it was last looked at.
        if left.backlog > 0 && left.deferred_until.is_none() {
            return None;
        }
        let step_at = step.map(|(at, _)| at);
        let until = step_at.into_iter().chain(left.deferred_until).min().filter(|until| *until > left.now)?;
        let reason = match step {
            Some((at, reason)) if at == until => reason.clone(),
            _ => "the hosts of the pictures that are left ask to come back later".to_owned(),
        };
        let error = false;
        // How long a pause may last is its own matter.
        if is_paused && step_at == Some(until) {
            return Some(SliceEnd::Wait(Deferral { until, reason, error }));
        }
        let since = left.idle_since.unwrap_or(left.now);
        if (until - since).to_std().is_ok_and(|wait| wait > left.longest_wait) {
            let at = until.format("%Y-%m-%d %H:%M UTC");
            let pictures = match left.backlog {
                0 => String::new(),
                1 => "1 picture is left; ".to_owned(),
                left => format!("{left} pictures are left; "),
            };
            let reason = format!("{pictures}nothing can be done before {at}: {reason}");
            return Some(SliceEnd::End(ChunkEnd::Failed(reason)));
        }
        Some(SliceEnd::Idle(Deferral { until, reason, error }))
    }
}

/// What there is for the places of downloads, beside those that are under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Supply {
    /// Pictures that the chunk may keep beyond those on their way.
    pub(super) capacity: usize,
    /// Pictures taken from the backlog that wait for a place.
    pub(super) loaded: usize,
    /// Downloads at a time.
    pub(super) places: usize,
    /// The backlog had no more for now.
    pub(super) backlog_exhausted: bool,
    /// No download has ended for long.
    pub(super) stalled: bool,
}

/// What is left to do for a chunk that has nothing in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remainder<'a> {
    pub(super) now: DateTime<Utc>,
    pub(super) kept: i32,
    pub(super) share: i32,
    /// Pictures taken from the backlog that wait for a place.
    pub(super) loaded: usize,
    /// Pictures of the backlog, without those that need another credential.
    pub(super) backlog: i64,
    /// Until when all of these are deferred, if all are.
    pub(super) deferred_until: Option<DateTime<Utc>>,
    /// Why some need another credential, if some do.
    pub(super) unauthorized: Option<&'a str>,
    /// Since when nothing was left but what must wait.
    pub(super) idle_since: Option<DateTime<Utc>>,
    /// Longest time from then on.
    pub(super) longest_wait: Duration,
}

/// Whether a slice begins anything new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// Not any more: it ends so as soon as nothing is in flight; `until` cuts that short.
    Draining {
        end: SliceEnd,
        until: Instant,
    },
}

impl Phase {
    pub(super) const fn is_running(&self) -> bool {
        matches!(self, Self::Running)
    }

    /// Lets the slice come to this end. The first one counts; but a failure is told in any case.
    pub(super) fn drain(&mut self, end: SliceEnd, now: Instant) {
        match self {
            Self::Running => {
                let time = if end == SliceEnd::GaveWay { GIVING_WAY } else { DRAINING };
                *self = Self::Draining { end, until: now + time };
            }
            Self::Draining { end: before, .. } if matches!(end, SliceEnd::End(_)) => *before = end,
            Self::Draining { .. } => {}
        }
    }

    /// Whether a step that is under way is dropped at once. When only the time is up it is finished,
    /// however long that takes: one that takes longer than a slice would never be, if each slice
    /// began it anew.
    pub(super) const fn drops_step(&self) -> bool {
        matches!(self, Self::Draining { end: SliceEnd::Wait(_) | SliceEnd::Idle(_) | SliceEnd::End(_), .. })
    }

    /// Whether a step is cut off at `until` as the downloads are.
    pub(super) const fn cuts_step(&self) -> bool {
        matches!(self, Self::Draining { end: SliceEnd::GaveWay, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn at(seconds: u64) -> DateTime<Utc> {
        NOW + Duration::from_secs(seconds)
    }

    fn deferred(seconds: u64) -> SourceState {
        SourceState::Deferred { until: at(seconds), reason: "slow".to_owned() }
    }

    fn paused(seconds: u64) -> SourceState {
        SourceState::Paused { until: at(seconds), reason: "paused".to_owned() }
    }

    fn failed() -> SourceState {
        SourceState::Failed("broken".to_owned())
    }

    fn wait(seconds: u64, reason: &str) -> Deferral {
        Deferral { until: at(seconds), reason: reason.to_owned(), error: false }
    }

    fn failure(reason: &str) -> SliceEnd {
        SliceEnd::End(ChunkEnd::Failed(reason.to_owned()))
    }

    #[test]
    fn a_source_goes_from_step_to_step_until_it_has_no_more() {
        use SourceEvent::{Failed, StepDeferred, StepDropped, StepMade, StepStarted};
        use SourceState::{Exhausted, Ready, Stepping};
        let broken = || Failed("broken".to_owned());
        for (before, event, after) in [
            (Ready, StepStarted, Stepping),
            (Ready, broken(), failed()),
            (deferred(1), StepStarted, Stepping),
            (deferred(1), broken(), failed()),
            (Stepping, StepMade { done: false }, Ready),
            (Stepping, StepMade { done: true }, Exhausted),
            (Stepping, StepDeferred(wait(9, "slow")), deferred(9)),
            (Stepping, StepDropped, Ready),
            (Stepping, broken(), failed()),
        ] {
            let mut state = before.clone();
            state.apply(event.clone());
            assert_eq!(state, after, "{before:?}, {event:?}");
        }
        for last in [paused(1), Exhausted, failed()] {
            for event in [StepStarted, StepMade { done: false }, StepDeferred(wait(9, "slow")), broken()] {
                let mut state = last.clone();
                state.apply(event.clone());
                assert_eq!(state, last, "{event:?}");
            }
        }
    }

    #[test]
    fn a_step_is_wanted_where_places_would_be_free() {
        let short = Supply { capacity: 9, loaded: 0, places: 4, backlog_exhausted: true, stalled: false };
        for (state, wanted) in [
            (SourceState::Ready, true),
            (deferred(0), true),
            (deferred(1), false),
            (SourceState::Stepping, false),
            (paused(0), false),
            (SourceState::Exhausted, false),
            (failed(), false),
        ] {
            assert_eq!(state.wants_step(&short, NOW), wanted, "{state:?}");
        }
        for (supply, wanted) in [
            (Supply { loaded: 3, ..short }, true),
            (Supply { loaded: 4, ..short }, false),
            (Supply { loaded: 4, stalled: true, ..short }, true),
            (Supply { loaded: 9, stalled: true, ..short }, false),
            (Supply { capacity: 0, ..short }, false),
            (Supply { backlog_exhausted: false, ..short }, false),
        ] {
            assert_eq!(SourceState::Ready.wants_step(&supply, NOW), wanted, "{supply:?}");
        }
    }

    #[test]
    fn a_slice_ends_by_what_is_left() {
        use SourceState::{Exhausted, Ready};
        let none = Remainder {
            now: NOW,
            kept: 2,
            share: 3,
            loaded: 0,
            backlog: 0,
            deferred_until: None,
            unauthorized: None,
            idle_since: None,
            longest_wait: Duration::from_secs(100),
        };
        let some = Remainder { backlog: 2, ..none };
        let held = |seconds| Remainder { deferred_until: Some(at(seconds)), ..some };
        let full = Remainder { backlog: MOST_BACKLOG, ..held(9) };
        let hosts = "the hosts of the pictures that are left ask to come back later";
        let too_long = |pictures: &str, reason: &str| {
            failure(&format!("{pictures}nothing can be done before 1970-01-01 00:01 UTC: {reason}"))
        };
        let idle = |seconds, reason| Some(SliceEnd::Idle(wait(seconds, reason)));
        let paused_until = |seconds| Some(SliceEnd::Wait(wait(seconds, "paused")));
        for (state, left, end) in [
            // The share is reached, whatever else.
            (Ready, Remainder { kept: 3, ..some }, Some(SliceEnd::End(ChunkEnd::Share))),
            (failed(), Remainder { kept: 4, loaded: 1, ..none }, Some(SliceEnd::End(ChunkEnd::Share))),
            // There is more to do.
            (failed(), Remainder { loaded: 1, ..none }, None),
            (Ready, none, None),
            (Ready, held(9), None),
            (Exhausted, some, None),
            (failed(), some, None),
            (deferred(9), some, None),
            (paused(9), some, None),
            (deferred(0), none, None),
            (deferred(9), held(0), None),
            // The source has no more, and the backlog neither.
            (Exhausted, none, Some(SliceEnd::End(ChunkEnd::Exhausted))),
            (Exhausted, Remainder { unauthorized: Some("key"), ..none }, Some(failure("key"))),
            (failed(), Remainder { unauthorized: Some("key"), ..none }, Some(failure("broken"))),
            // All that is left must wait for what comes first.
            (deferred(9), none, idle(9, "slow")),
            (deferred(9), held(10), idle(9, "slow")),
            (deferred(9), held(8), idle(8, hosts)),
            (Exhausted, held(8), idle(8, hosts)),
            (failed(), held(8), idle(8, hosts)),
            (Ready, full, idle(9, hosts)),
            (deferred(1), full, idle(9, hosts)),
            // But not for too long.
            (deferred(101), none, Some(too_long("", "slow"))),
            (Exhausted, held(101), Some(too_long("2 pictures are left; ", hosts))),
            (
                deferred(101),
                Remainder { backlog: 1, ..held(110) },
                Some(too_long("1 picture is left; ", "slow")),
            ),
            (
                deferred(60),
                Remainder { idle_since: Some(NOW - Duration::from_secs(40)), ..none },
                idle(60, "slow"),
            ),
            (
                deferred(60),
                Remainder { idle_since: Some(NOW - Duration::from_secs(41)), ..none },
                Some(too_long("", "slow")),
            ),
            // A pause lasts as long as it lasts; its end is seen by another slice.
            (paused(9), none, paused_until(9)),
            (paused(999), none, paused_until(999)),
            (paused(9), held(8), idle(8, hosts)),
            (paused(0), none, Some(SliceEnd::Again)),
            (paused(0), full, idle(9, hosts)),
        ] {
            assert_eq!(state.end(&left), end, "{state:?}, {left:?}");
        }
    }

    #[test]
    fn the_first_end_counts_unless_a_failure_follows() {
        let now = Instant::now();
        let wait = || SliceEnd::Wait(wait(1, "full"));
        for (first, second, end, time, step) in [
            (SliceEnd::Again, SliceEnd::GaveWay, SliceEnd::Again, DRAINING, (false, false)),
            (SliceEnd::GaveWay, SliceEnd::Again, SliceEnd::GaveWay, GIVING_WAY, (false, true)),
            (wait(), SliceEnd::Again, wait(), DRAINING, (true, false)),
            (SliceEnd::Again, wait(), SliceEnd::Again, DRAINING, (false, false)),
            (SliceEnd::GaveWay, failure("panic"), failure("panic"), GIVING_WAY, (true, false)),
        ] {
            let mut phase = Phase::Running;
            assert!(phase.is_running() && !phase.drops_step() && !phase.cuts_step());
            phase.drain(first, now);
            phase.drain(second, now + DRAINING);
            assert_eq!((phase.drops_step(), phase.cuts_step()), step, "{phase:?}");
            assert_eq!(phase, Phase::Draining { end, until: now + time });
        }
    }
}
