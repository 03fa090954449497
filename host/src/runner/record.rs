//! Remembers what was asked and what came of it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{Transport, TransportError, cassette::Exchange};
use crate::model::{Failure, Request, Response};

/// Passes every request on and keeps it with its answer.
pub struct Recorder<A> {
    answering: A,
    /// By number, because several are under way at a time.
    exchanges: Mutex<BTreeMap<usize, Exchange>>,
}

impl<A> Recorder<A> {
    /// Nothing is recorded yet.
    pub fn new(answering: A) -> Self {
        Self { answering, exchanges: Mutex::default() }
    }

    /// What was recorded, in the order asked.
    pub fn into_exchanges(self) -> Vec<Exchange> {
        let exchanges = self.exchanges.into_inner().unwrap_or_else(PoisonError::into_inner);
        exchanges.into_values().collect()
    }
}

impl<A: Transport> Transport for Recorder<A> {
    const AT_A_TIME: usize = A::AT_A_TIME;

    async fn answer(
        &self,
        number: usize,
        request: &Request,
    ) -> Result<Result<Response, Failure>, TransportError> {
        let outcome = self.answering.answer(number, request).await?;
        let exchange = Exchange::recorded(request.clone(), &outcome);
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).insert(number, exchange);
        Ok(outcome)
    }
}
