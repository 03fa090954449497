//! A candidate as people see it: in a cassette and in the JSON of the command line.

use serde::{Deserialize, Serialize};

use super::cassette::pairs;
use crate::model::{Candidate, Checksum, ConsentSignal, License};

/// A candidate under the names of its fields; what is empty is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CandidateView(#[serde(with = "CandidateFields")] pub Candidate);

/// Width and height by name.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dimensions {
    width: u32,
    height: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Candidate", deny_unknown_fields)]
struct CandidateFields {
    url: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    alternates: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thumbnail_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    creator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    creator_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    license: Option<License>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "dimensions")]
    dimensions: Option<(u32, u32)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mime: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    byte_size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<Checksum>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    labels: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "pairs")]
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "pairs")]
    extra: Vec<(String, String)>,
    /// The host's, and not the source's.
    #[serde(skip)]
    consent: Vec<ConsentSignal>,
}

mod dimensions {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Dimensions;

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(value: &Option<(u32, u32)>, to: S) -> Result<S::Ok, S::Error> {
        value.map(|(width, height)| Dimensions { width, height }).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<(u32, u32)>, D::Error> {
        Dimensions::deserialize(from).map(|Dimensions { width, height }| Some((width, height)))
    }
}
