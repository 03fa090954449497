//! The requests of one step, performed: the one place where a source's requests are made.

use std::sync::{Arc, OnceLock};

use futures_util::{StreamExt as _, stream};

use super::{Deferred, RequestOutcome, Transport, TransportError};
use crate::model::{Answer, Answers, Failure, Request, Response};

/// What a request is answered with without being made; none where it must be made.
pub type KnownAnswer = Option<Result<Arc<Response>, Failure>>;

/// What came of the requests of one step.
#[derive(Debug)]
pub struct Performed {
    /// In the order asked. That of a request that was left for later says nothing.
    pub answers: Vec<Answer>,
    /// Requests that were made, in vain or not.
    pub made: usize,
    /// Bytes of the answers to them.
    pub received: usize,
    /// Why some were left for later, so that the step cannot be made now.
    pub deferred: Option<Deferred>,
}

/// Makes those requests that have no `known` answer, [`Transport::AT_A_TIME`] of them at a time;
/// the first of them has the number `first`. Once one is deferred no other is begun, but what
/// is under way is waited for. Dropping the future closes its connections.
///
/// # Errors
/// When there is no answer to go on with.
pub async fn perform<T: Transport>(
    transport: &T,
    requests: &[Request],
    known: Vec<KnownAnswer>,
    first: usize,
) -> Result<Performed, TransportError> {
    let deferred = OnceLock::new();
    let mut number = first;
    // Collected first: a closure over borrowed requests is not general enough for a spawned task.
    let mut outcomes = Vec::with_capacity(requests.len());
    for (request, known) in requests.iter().zip(known) {
        let own = number;
        number += usize::from(known.is_none());
        outcomes.push(ask(transport, own, request, known, &deferred));
    }
    let mut outcomes = stream::iter(outcomes).buffered(T::AT_A_TIME);
    let (mut answers, mut made, mut received) = (Answers::default(), 0, 0);
    let mut unanswered = requests.iter();
    while let (Some(outcome), Some(request)) = (outcomes.next().await, unanswered.next()) {
        let (outcome, is_made) = outcome?;
        let answer = Answer { key: request.key.clone(), url: request.url.clone(), outcome };
        if is_made {
            made += 1;
            received += answer.size();
        }
        answers.push(answer);
    }
    drop(outcomes);
    Ok(Performed { answers: answers.into_inner(), made, received, deferred: deferred.into_inner() })
}

/// The answer to one request, and whether it was made for that. Sets `deferred` when it must wait.
async fn ask<T: Transport>(
    transport: &T,
    number: usize,
    request: &Request,
    known: KnownAnswer,
    deferred: &OnceLock<Deferred>,
) -> Result<(Result<Response, Failure>, bool), TransportError> {
    let later = Err(Failure::Other("deferred".to_owned()));
    if let Some(known) = known {
        // Copied only now: a step may ask for one large answer in each of its requests.
        return Ok((known.map(|response| Response::clone(&response)), false));
    }
    if deferred.get().is_some() {
        return Ok((later, false));
    }
    match transport.answer(number, request).await {
        RequestOutcome::Answered(response) => Ok((Ok(response), true)),
        RequestOutcome::Failed(failure) => Ok((Err(failure), true)),
        RequestOutcome::Deferred(why) => {
            let is_made = !matches!(why, Deferred::Pace { .. });
            deferred.get_or_init(|| why);
            Ok((later, is_made))
        }
        RequestOutcome::Aborted(error) => Err(error),
    }
}
