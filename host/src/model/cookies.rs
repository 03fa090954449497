//! The cookies of a crawl as they are stored between its steps.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A list; only `fetch` reads what is in it. They are secrets, so `Debug` does not show them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cookies(pub serde_json::Value);

impl fmt::Debug for Cookies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.as_array().map_or(0, Vec::len);
        write!(formatter, "Cookies({count})")
    }
}
