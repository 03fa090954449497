//! What documents say of an export as a whole: what was asked, what came of it, and how much of what is in it.
//! Nothing here is of this host: the same pictures, asked for in the same way, give the same facts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    db::{
        self,
        facts::{self, CrawlRow, Scope},
    },
    model::{ExportRecord, Rules, SplitPart, UserId},
};

/// Keywords and addresses of a crawl that are named; of the rest only the number is known.
const MOST_INPUTS: usize = 20;
/// Keywords of a dataset that are named.
const MOST_KEYWORDS: usize = 100;

/// What is known of an export as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExportFacts {
    /// Name of the dataset.
    pub name: String,
    /// In the words of its owner.
    pub description: Option<String>,
    /// What it is to show.
    pub keywords: Vec<String>,
    /// What brought its pictures, in order.
    pub crawls: Vec<CrawlFacts>,
    /// What was found and not kept, by code.
    pub refused: BTreeMap<String, u64>,
    /// What is in it.
    pub counts: Counts,
}

/// What was asked of one crawl.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CrawlFacts {
    /// In the words of its owner.
    pub name: String,
    /// Keywords, the first of them.
    pub keywords: Vec<String>,
    /// Addresses, the first of them.
    pub urls: Vec<String>,
    /// How many keywords and addresses there were.
    pub inputs: usize,
    /// Labels of the keywords and addresses that are named, where these are not the labels themselves.
    pub labels: BTreeMap<String, String>,
    /// Ids of the sources.
    pub sources: Vec<String>,
    /// Most pictures; none where nobody said.
    pub max_images: Option<i32>,
    /// Options of sources.
    pub options: BTreeMap<String, BTreeMap<String, String>>,
    /// What was accepted.
    pub rules: Rules,
    /// How many hashes its list of unwanted pictures has.
    pub unlike: u32,
    /// Whether what is not safe for work was left out.
    pub safe_search: bool,
    /// BCP 47.
    pub language: Option<String>,
}

/// Pictures, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// All of them.
    pub images: u64,
    /// Of their files.
    pub bytes: u64,
    /// By first label.
    pub classes: BTreeMap<String, ClassCount>,
    /// With more than one label.
    pub with_more_labels: u64,
    /// By licence as sources say it; the empty one is that of pictures whose source does not.
    pub licenses: BTreeMap<String, LicenseCount>,
    /// By what was read of their use by machines: meaning and vocabulary, such as `reserved noai`. A picture
    /// counts once for each.
    pub consent: BTreeMap<String, u64>,
    /// By source.
    pub sources: BTreeMap<String, u64>,
    /// By part, where it is split.
    pub splits: BTreeMap<SplitPart, u64>,
    /// By extension of the files.
    pub formats: BTreeMap<String, u64>,
}

/// Pictures of a class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// Where they lie.
    pub folder: String,
    /// How many.
    pub images: u64,
}

/// Pictures under a licence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseCount {
    /// Of its text, where a source says it.
    pub url: Option<String>,
    /// How many.
    pub images: u64,
}

impl ExportFacts {
    /// What was asked and refused in a dataset or job of this user, with the pictures still to be counted;
    /// none where there is no such. It is of one moment where the connection is in a transaction that reads
    /// as of one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(
        connection: &mut db::PgConnection,
        user: UserId,
        scope: Scope,
    ) -> Result<Option<Self>, db::Error> {
        let Some(named) = facts::name(connection, user, scope).await? else { return Ok(None) };
        let most = i32::try_from(MOST_INPUTS).unwrap_or(i32::MAX);
        let crawls = facts::crawls(connection, user, scope, most).await?;
        let refused = facts::refused(connection, user, scope).await?;
        let count = |(code, count): (String, i64)| (code, u64::try_from(count).unwrap_or_default());
        Ok(Some(Self {
            name: named.name,
            description: named.description,
            keywords: named.keywords.0.0.into_iter().take(MOST_KEYWORDS).collect(),
            crawls: crawls.into_iter().map(CrawlFacts::from).collect(),
            refused: refused.into_iter().map(count).collect(),
            counts: Counts::default(),
        }))
    }
}

impl From<CrawlRow> for CrawlFacts {
    fn from(row: CrawlRow) -> Self {
        let (options, keywords, url_count) = (row.options.0, row.keywords.0.0, row.url_count);
        let inputs = keywords.len() + usize::try_from(url_count).unwrap_or_default();
        let keywords: Vec<String> = keywords.into_iter().take(MOST_INPUTS).collect();
        let urls: Vec<String> = row.urls.0.into_iter().take(MOST_INPUTS - keywords.len()).collect();
        let mut labels = row.labels.0;
        labels.retain(|input, _| keywords.contains(input) || urls.contains(input));
        Self {
            name: row.name,
            keywords,
            urls,
            inputs,
            labels,
            sources: row.sources.0.0,
            max_images: (!row.max_is_default).then_some(row.max_images),
            options: options.sources,
            rules: row.rules.0,
            unlike: u32::try_from(row.unlike_count).unwrap_or_default(),
            safe_search: options.safe_search,
            language: options.language,
        }
    }
}

impl Counts {
    /// Counts a picture.
    pub fn add(&mut self, record: &ExportRecord) {
        self.images += 1;
        self.bytes += record.size;
        self.with_more_labels += u64::from(record.labels.len() > 1);
        let (folder, file) = record.file_name.split_once('/').unwrap_or(("", &record.file_name));
        let class = self.classes.entry(record.label.clone()).or_default();
        folder.clone_into(&mut class.folder);
        class.images += 1;
        let provenance = &record.provenance;
        let license = self.licenses.entry(provenance.license.clone().unwrap_or_default()).or_default();
        license.images += 1;
        // Whichever picture comes first.
        if let Some(url) = provenance.license_url.as_ref().filter(|_| provenance.license.is_some())
            && license.url.as_ref().is_none_or(|known| url < known)
        {
            license.url = Some(url.clone());
        }
        let words = |text: &String| text.split(' ').take(2).collect::<Vec<_>>().join(" ");
        for said in record.consent.iter().map(words).collect::<BTreeSet<String>>() {
            *self.consent.entry(said).or_default() += 1;
        }
        *self.sources.entry(record.source.clone().unwrap_or_default()).or_default() += 1;
        if let Some(part) = record.split {
            *self.splits.entry(part).or_default() += 1;
        }
        let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
        *self.formats.entry(extension.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Provenance;

    #[test]
    fn pictures_are_counted_in_whatever_order() {
        let record = |label: &str, license: Option<&str>, url: Option<&str>| ExportRecord {
            file_name: format!("{label}-folder/ab.jpg"),
            label: label.to_owned(),
            labels: vec![label.to_owned(); label.len()],
            size: 5,
            source: Some("demo".to_owned()),
            provenance: Provenance {
                license: license.map(str::to_owned),
                license_url: url.map(str::to_owned),
                ..Provenance::default()
            },
            consent: [
                "reserved noai header noai",
                "reserved noai page-meta noai",
                "noted c2pa file manifest",
            ]
            .iter()
            .take(label.len() + 1)
            .map(|said| (*said).to_owned())
            .collect(),
            ..ExportRecord::default()
        };
        let records = [
            record("a", Some("mit"), Some("https://b.example")),
            record("a", Some("mit"), Some("https://a.example")),
            record("bb", None, Some("https://c.example")),
        ];
        let count = |records: &mut dyn Iterator<Item = &ExportRecord>| {
            let mut counts = Counts::default();
            records.for_each(|record| counts.add(record));
            counts
        };
        let counts = count(&mut records.iter());
        assert_eq!(counts, count(&mut records.iter().rev()));
        assert_eq!((counts.images, counts.bytes, counts.with_more_labels), (3, 15, 1));
        assert_eq!(counts.classes["a"], ClassCount { folder: "a-folder".to_owned(), images: 2 });
        let mit = LicenseCount { url: Some("https://a.example".to_owned()), images: 2 };
        assert_eq!(
            (&counts.licenses["mit"], &counts.licenses[""]),
            (&mit, &LicenseCount { url: None, images: 1 })
        );
        assert_eq!((counts.sources["demo"], counts.formats["jpg"]), (3, 3));
        let said = [("noted c2pa", 1), ("reserved noai", 3)];
        assert_eq!(counts.consent, BTreeMap::from(said.map(|(said, images)| (said.to_owned(), images))));
    }
}
