//! What a source says of a picture, as properties of the object that shows it.

use poem_openapi::Object;

use super::nullable::Nullable;
use crate::model;

/// What a source says of a picture.
#[derive(Object)]
#[oai(remote = "model::Provenance")]
pub(super) struct ProvenanceFields {
    /// The page a person would open to see it.
    page_url: Nullable<String>,
    /// Title.
    title: Nullable<String>,
    /// Description or alternative text.
    description: Nullable<String>,
    /// Who made it.
    creator: Nullable<String>,
    /// The creator's page.
    creator_url: Nullable<String>,
    /// Licence id, such as `cc-by-4.0`.
    license: Nullable<String>,
    /// The licence's text.
    license_url: Nullable<String>,
    /// The line to print beside it.
    attribution: Nullable<String>,
}
