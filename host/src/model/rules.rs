//! What a job accepts.

use serde::{Deserialize, Serialize};

use super::Format;

/// What a job accepts beyond being a sound picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Licence ids that are accepted; empty accepts all. `*` at the end stands for anything.
    pub licenses: Vec<String>,
    /// In pixels.
    pub min_width: u32,
    /// In pixels.
    pub min_height: u32,
    /// Empty accepts all.
    pub formats: Vec<Format>,
}
