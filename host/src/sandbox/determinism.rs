//! Whether two calls with the same input came to the same.

use std::fmt;

use super::step::{CallCost, StepError};

/// Gives what came of two calls with the same input, if it is the same and took the same number of
/// instructions; or the source's own error, if both say it.
///
/// # Errors
/// [`StepError::Unsteady`] when they differ, else the error of the first.
pub(super) fn same<T: PartialEq + fmt::Debug>(
    one: Result<(T, CallCost), StepError>,
    other: Result<(T, CallCost), StepError>,
) -> Result<(T, CallCost), StepError> {
    match (one, other) {
        (Ok((one, _)), Ok((other, _))) if one != other => Err(unsteady(format!("{one:?} and {other:?}"))),
        (Ok((_, one)), Ok((_, other))) if one.fuel != other.fuel => {
            let count = |cost: CallCost| cost.fuel.unwrap_or_default();
            Err(unsteady(format!("{} and {} instructions", count(one), count(other))))
        }
        (Ok(one), Ok(_)) => Ok(one),
        (Err(StepError::Source(one)), Err(StepError::Source(other))) if one != other => {
            Err(unsteady(format!("{one} and {other}")))
        }
        (Err(error), Err(_)) => Err(error),
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => Err(unsteady(format!("once it fails: {error}"))),
    }
}

fn unsteady(what: String) -> StepError {
    StepError::Unsteady { what: what.chars().take(2000).collect() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Next, SourceError, Step};

    fn step(state: &str, fuel: u64) -> Result<(Step, CallCost), StepError> {
        let (candidates, warnings) = (Vec::new(), Vec::new());
        let step = Step { candidates, next: Next::Done, state: state.to_owned(), warnings };
        Ok((step, CallCost { cpu: Duration::ZERO, peak_memory: 0, fuel: Some(fuel) }))
    }

    fn refusal(text: &str) -> Result<(Step, CallCost), StepError> {
        Err(StepError::Source(SourceError::Other(text.to_owned())))
    }

    #[test]
    fn what_is_not_the_same_is_named() {
        let check = |one, other, expect: &str| {
            let text = same(one, other).map_or_else(|error| error.to_string(), |_| "same".to_owned());
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
