//! `TIER.LIMIT=N`: what users of a tier may have.

use std::str::FromStr;

use crate::model::meant;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// Images that one job may keep.
    ImagesPerJob,
    /// Images kept within a day in UTC, with those that open jobs may still keep.
    ImagesPerDay,
    /// Jobs begun within a minute.
    JobsPerMinute,
}

/// What users of one tier may have of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierLimit {
    /// `plan_id` of a subscription, or `free`.
    pub tier: String,
    /// Of what.
    pub kind: LimitKind,
    /// How many.
    pub most: i64,
}

impl LimitKind {
    const ALL: [Self; 3] = [Self::ImagesPerJob, Self::ImagesPerDay, Self::JobsPerMinute];

    /// As in the setting.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ImagesPerJob => "images_per_job",
            Self::ImagesPerDay => "images_per_day",
            Self::JobsPerMinute => "jobs_per_minute",
        }
    }
}

impl FromStr for TierLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is not of the form TIER.LIMIT=N, such as free.images_per_day=1000");
        let (place, most) = text.split_once('=').ok_or_else(form)?;
        let (tier, name) =
            place.trim().rsplit_once('.').filter(|(tier, _)| !tier.is_empty()).ok_or_else(form)?;
        let names = LimitKind::ALL.map(LimitKind::name);
        let kind = LimitKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            format!("there is no limit `{name}`{}; there are: {}", meant(name, names), names.join(", "))
        })?;
        let most = most.trim().parse().ok().filter(|most| (0..=i64::from(i32::MAX)).contains(most));
        Ok(Self { tier: tier.to_owned(), kind, most: most.ok_or_else(form)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_as_they_are_written() {
        let limit = |tier: &str, kind, most| Ok(TierLimit { tier: tier.to_owned(), kind, most });
        for (text, expected) in [
            ("free.images_per_day=1000", limit("free", LimitKind::ImagesPerDay, 1000)),
            (" pro.v2.jobs_per_minute = 0", limit("pro.v2", LimitKind::JobsPerMinute, 0)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        for (text, told) in [
            ("free.image_per_day=1", "did you mean `images_per_day`?"),
            ("free.datasets=1", "there are: images_per_job, images_per_day, jobs_per_minute"),
            ("images_per_day=1", "TIER.LIMIT=N"),
            (".images_per_day=1", "TIER.LIMIT=N"),
            ("free.images_per_day", "TIER.LIMIT=N"),
            ("free.images_per_day=-1", "TIER.LIMIT=N"),
            ("free.images_per_day=many", "TIER.LIMIT=N"),
        ] {
            let error = text.parse::<TierLimit>().unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
