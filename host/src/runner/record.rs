//! Remembers what was asked and what came of it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{RequestOutcome, Transport, cassette::Exchange};
use crate::model::Request;

/// Passes every request on and keeps it with its answer.
pub struct Recorder<T> {
    transport: T,
    /// By number, because several are under way at a time.
    exchanges: Mutex<BTreeMap<usize, Exchange>>,
}

impl<T> Recorder<T> {
    /// Nothing is recorded yet.
    pub fn new(transport: T) -> Self {
        Self { transport, exchanges: Mutex::default() }
    }

    /// What was recorded, in the order asked.
    pub fn into_exchanges(self) -> Vec<Exchange> {
        let exchanges = self.exchanges.into_inner().unwrap_or_else(PoisonError::into_inner);
        exchanges.into_values().collect()
    }
}

impl<T: Transport> Transport for Recorder<T> {
    const AT_A_TIME: usize = T::AT_A_TIME;

    async fn answer(&self, number: usize, request: &Request) -> RequestOutcome {
        let outcome = self.transport.answer(number, request).await;
        let recorded = match &outcome {
            RequestOutcome::Answered(response) => Ok(response.clone()),
            RequestOutcome::Failed(failure) => Err(failure.clone()),
            RequestOutcome::Deferred(_) | RequestOutcome::Aborted(_) => return outcome,
        };
        let exchange = Exchange::recorded(request.clone(), recorded);
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).insert(number, exchange);
        outcome
    }
}
