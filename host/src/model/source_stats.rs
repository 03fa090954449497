//! What a source did and what came of it, in numbers.

use std::{collections::BTreeMap, time::Duration};

use serde::{Serialize, Serializer};

/// Totals of one source. Statuses are as the site answered, `none` where it did not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceStats {
    /// Steps that it made.
    pub steps: u64,
    /// Steps that it did not make because of its own faults.
    pub faults: u64,
    /// Requests that were made for it.
    pub requests: u64,
    /// Answers to them by status.
    pub answers: BTreeMap<String, u64>,
    /// Pictures that it found, those that were known already included.
    pub candidates: u64,
    /// Pictures that were kept.
    pub kept: u64,
    /// Pictures that the dataset had already.
    pub duplicates: u64,
    /// Pictures that were refused, by code.
    pub refused: BTreeMap<String, u64>,
    /// CPU time of its steps; kept to the microsecond.
    #[serde(rename = "cpu_ms", serialize_with = "milliseconds")]
    pub cpu: Duration,
    /// Most memory of a step, in bytes.
    pub peak_memory: u64,
}

/// Before a status in the name of a count.
const ANSWER: &str = "answer.";
/// Name of the count of CPU time, in microseconds.
const CPU: &str = "cpu_us";
/// Before a code in the name of a count.
const REFUSED: &str = "refused.";

impl SourceStats {
    /// What adds up, by name; what is zero is left out.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let Self { steps, faults, requests, answers, candidates, kept, duplicates, refused, cpu, .. } = self;
        let cpu = &u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
        let plain = [
            ("steps", steps),
            ("faults", faults),
            ("requests", requests),
            ("candidates", candidates),
            ("kept", kept),
            ("duplicates", duplicates),
            (CPU, cpu),
        ];
        let plain = plain.into_iter().map(|(name, count)| (name.to_owned(), *count));
        let answers = answers.iter().map(|(status, count)| (format!("{ANSWER}{status}"), *count));
        let refused = refused.iter().map(|(code, count)| (format!("{REFUSED}{code}"), *count));
        plain.chain(answers).chain(refused).filter(|(_, count)| *count > 0).collect()
    }

    /// Adds counts by name, and the memory of a step.
    pub fn add(&mut self, counts: &BTreeMap<String, u64>, peak_memory: u64) {
        self.peak_memory = self.peak_memory.max(peak_memory);
        for (name, count) in counts {
            let total = match name.as_str() {
                "steps" => &mut self.steps,
                "faults" => &mut self.faults,
                "requests" => &mut self.requests,
                "candidates" => &mut self.candidates,
                "kept" => &mut self.kept,
                "duplicates" => &mut self.duplicates,
                CPU => {
                    self.cpu += Duration::from_micros(*count);
                    continue;
                }
                name => match (name.strip_prefix(ANSWER), name.strip_prefix(REFUSED)) {
                    (Some(status), _) => self.answers.entry(status.to_owned()).or_default(),
                    (_, Some(code)) => self.refused.entry(code.to_owned()).or_default(),
                    // A newer program counts more than this one knows.
                    (None, None) => continue,
                },
            };
            *total += count;
        }
    }
}

fn milliseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_adds_up() {
        let some = |name: &str, count| BTreeMap::from([(name.to_owned(), count)]);
        let figures = SourceStats {
            steps: 2,
            kept: 3,
            cpu: Duration::from_micros(1500),
            answers: some("404", 5),
            refused: some("too-large", 7),
            peak_memory: 11,
            ..SourceStats::default()
        };
        let mut sum = SourceStats::default();
        sum.add(&figures.counts(), figures.peak_memory);
        assert_eq!(sum, figures);
        sum.add(&some("answer.404", 1), 10);
        sum.add(&some("unheard-of", 1), 12);
        assert_eq!((sum.answers, sum.peak_memory, sum.faults), (some("404", 6), 12, 0));
    }
}
