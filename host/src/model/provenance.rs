//! What a source says of a picture, as it is stored and shown beside it.

use serde::{Deserialize, Serialize};

use super::Candidate;

/// What a source says of a picture and of who made it: columns of `images`, properties of the API's images
/// and keys of `metadata.jsonl`, under these names and in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Provenance {
    /// The page a person would open to see it.
    pub page_url: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Description or alternative text.
    pub description: Option<String>,
    /// Who made it.
    pub creator: Option<String>,
    /// The creator's page.
    pub creator_url: Option<String>,
    /// Licence id, such as `cc-by-4.0`.
    pub license: Option<String>,
    /// The licence's text.
    pub license_url: Option<String>,
    /// The line to print beside it.
    pub attribution: Option<String>,
}

impl Provenance {
    /// The columns, as statements list them.
    pub const COLUMNS: &str =
        "page_url, title, description, creator, creator_url, license, license_url, attribution";
}

impl From<&Candidate> for Provenance {
    fn from(candidate: &Candidate) -> Self {
        let license = candidate.license.as_ref();
        Self {
            page_url: candidate.page_url.clone(),
            title: candidate.title.clone(),
            description: candidate.description.clone(),
            creator: candidate.creator.clone(),
            creator_url: candidate.creator_url.clone(),
            license: license.map(|license| license.id.clone()),
            license_url: license.and_then(|license| license.url.clone()),
            attribution: license.and_then(|license| license.attribution.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_a_column() {
        let fields = serde_json::to_value(Provenance::default()).unwrap();
        let mut columns: Vec<&str> = Provenance::COLUMNS.split(", ").collect();
        columns.sort_unstable();
        assert!(fields.as_object().unwrap().keys().eq(columns));
    }
}
