//! Whether two calls with the same input came to the same.

use super::{MeteredStep, StepError};
use crate::model::SourceInfo;

/// The step, if both calls made it, with the same number of instructions; the source's error, if
/// both say it.
pub(super) fn made(
    one: Result<MeteredStep, StepError>,
    other: Result<MeteredStep, StepError>,
) -> Result<MeteredStep, StepError> {
    match (one, other) {
        (Ok(one), Ok(other)) if one.step != other.step => {
            Err(unsteady(format!("{:?} and {:?}", one.step, other.step)))
        }
        (Ok(one), Ok(other)) if one.fuel != other.fuel => Err(instructions(one.fuel, other.fuel)),
        (Ok(one), Ok(_)) => Ok(one),
        (Err(StepError::Source(one)), Err(StepError::Source(other))) if one != other => {
            Err(unsteady(format!("{one} and {other}")))
        }
        (Err(error), Err(_)) => Err(error),
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => Err(unsteady(format!("once it fails: {error}"))),
    }
}

/// What the source says of itself, if it says so twice.
pub(super) fn described(
    one: Result<(SourceInfo, Option<u64>), StepError>,
    other: Result<(SourceInfo, Option<u64>), StepError>,
) -> Result<SourceInfo, StepError> {
    let ((one, fuel), (other, other_fuel)) = (one?, other?);
    if one != other {
        return Err(unsteady(format!("{one:?} and {other:?}")));
    }
    if fuel != other_fuel {
        return Err(instructions(fuel, other_fuel));
    }
    Ok(one)
}

fn instructions(one: Option<u64>, other: Option<u64>) -> StepError {
    let count = |fuel: Option<u64>| fuel.unwrap_or_default();
    unsteady(format!("{} and {} instructions", count(one), count(other)))
}

fn unsteady(what: String) -> StepError {
    StepError::Unsteady { what: what.chars().take(2000).collect() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Next, SourceError, Step};

    fn step(state: &str, fuel: u64) -> Result<MeteredStep, StepError> {
        let (candidates, warnings) = (Vec::new(), Vec::new());
        let step = Step { candidates, next: Next::Done, state: state.to_owned(), warnings };
        Ok(MeteredStep { step, cpu: Duration::ZERO, peak_memory: 0, fuel: Some(fuel) })
    }

    fn refusal(text: &str) -> Result<MeteredStep, StepError> {
        Err(StepError::Source(SourceError::Other(text.to_owned())))
    }

    #[test]
    fn what_is_not_the_same_is_named() {
        let check = |one, other, expect: &str| {
            let text = made(one, other).map_or_else(|error| error.to_string(), |_| "same".to_owned());
            assert!(text.contains(expect), "{text}");
        };
        check(step("a", 5), step("a", 5), "same");
        check(step("a", 5), step("b", 5), "state: \"b\"");
        check(step("a", 5), step("a", 6), "5 and 6 instructions");
        check(step("a", 5), refusal("no"), "once it fails: no");
        check(refusal("no"), refusal("yes"), "no and yes");
        check(refusal("no"), refusal("no"), "no");
    }
}
