//! The form of the API's answers, in both versions of its JSON.

use std::{fmt, marker::PhantomData};

use pixcrawler_sdk::{Error, Found, Lenient, Response, Result, Whole};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// An answer.
pub(crate) struct Api {
    pub(crate) error: Option<Refusal>,
    pub(crate) warnings: Vec<String>,
    pub(crate) pages: Vec<Box<RawValue>>,
    /// Whether everything that was asked for about these pages has been said.
    pub(crate) complete: bool,
    /// Parameters for what follows, to be taken over whole.
    pub(crate) next: Vec<(String, String)>,
}

/// What an answer may hold beside its pages.
const KNOWN: [&str; 10] = [
    "batchcomplete",
    "continue",
    "curtimestamp",
    "error",
    "limits",
    "query",
    "requestid",
    "servedby",
    "uselang",
    "warnings",
];

impl Api {
    pub(crate) fn of(response: &Response) -> Result<Self> {
        let parts: Many<Box<RawValue>> = response.json()?;
        let query: Option<Query> = part(&parts, "query")?;
        let warnings: Option<Lenient<Many<Lenient<Warning>>>> = part(&parts, "warnings")?;
        let next: Option<Many<Box<RawValue>>> = part(&parts, "continue")?;
        let api = Self {
            error: part(&parts, "error")?,
            warnings: warnings
                .into_iter()
                .filter_map(|Lenient(warnings)| warnings)
                .flat_map(Many::into_list)
                .filter_map(|Lenient(warning)| warning?.text())
                .collect(),
            complete: parts.get("batchcomplete").is_some(),
            next: next.into_iter().flat_map(|next| next.0).map(|(name, raw)| (name, scalar(&raw))).collect(),
            pages: Vec::new(),
        };
        if api.error.is_none() && !api.complete && api.next.is_empty() {
            return Err(Error::LayoutChanged(
                "expected `batchcomplete` or `continue`, found neither".to_owned(),
            ));
        }
        let mut foreign = parts.0.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str()));
        let changed = |what: String| Err(Error::LayoutChanged(what));
        let Some(query) = query else {
            // Without a match there is no `query`, but then nothing else stands in its place.
            return match foreign.next() {
                Some((name, _)) => changed(format!("expected `query`, found `{name}`")),
                None => Ok(api),
            };
        };
        if let Some((name, _)) = foreign.find(|(_, raw)| raw.get().contains("\"gsroffset\""))
            && api.next.is_empty()
        {
            return changed(format!("expected `continue`, found `{name}`"));
        }
        let pages = query.pages.into_list();
        if pages.is_empty() {
            let counted = query.search.0.and_then(|search| search.total.0).map_or(0, |Whole(total)| total);
            Found::expect_none(counted, "pages")?;
            return changed("expected files in `pages`, found none".to_owned());
        }
        Ok(Self { pages, ..api })
    }
}

fn part<T: DeserializeOwned>(parts: &Many<Box<RawValue>>, name: &str) -> Result<Option<T>> {
    let part = parts.get(name).map(|raw| serde_json::from_str(raw.get())).transpose();
    part.map_err(|error| Error::LayoutChanged(format!("`{name}` of the answer: {error}")))
}

/// A text, or a number as it is written.
pub(crate) fn scalar(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

#[derive(Deserialize)]
struct Query {
    /// Never empty: without a match there is no `query`.
    pages: Many<Box<RawValue>>,
    #[serde(rename = "searchinfo", default)]
    search: Lenient<Search>,
}

#[derive(Deserialize)]
struct Search {
    #[serde(rename = "totalhits", default)]
    total: Lenient<Whole<u64>>,
}

#[derive(Deserialize)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) info: String,
}

/// A module's warnings, in the newer and the older form.
#[derive(Deserialize)]
struct Warning {
    #[serde(default)]
    warnings: Lenient<String>,
    #[serde(rename = "*", default)]
    older: Lenient<String>,
}

impl Warning {
    fn text(self) -> Option<String> {
        self.warnings.0.or(self.older.0).map(|said| format!("Wikimedia Commons says: {said}"))
    }
}

/// The page of a file.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Page {
    #[serde(rename = "pageid")]
    pub(crate) id: Lenient<Whole<u64>>,
    pub(crate) title: Lenient<String>,
    /// Its place among the results.
    pub(crate) index: Lenient<Whole<u64>>,
    /// There for a page that was deleted.
    missing: Option<IgnoredAny>,
    /// Empty for a page whose file was deleted.
    #[serde(rename = "imagerepository")]
    repository: Lenient<String>,
    #[serde(rename = "imageinfo")]
    info: Lenient<Vec<Box<RawValue>>>,
}

impl Page {
    pub(crate) fn has_file(&self) -> bool {
        self.missing.is_none() && self.repository.0.as_deref() != Some("")
    }

    /// Of the newest version of the file.
    pub(crate) fn first_info(&self) -> Option<Box<RawValue>> {
        self.info.0.as_ref().and_then(|info| info.first()).cloned()
    }
}

/// A list, or an object of which the names matter only sometimes. PHP does not tell an
/// empty object from an empty list.
pub(crate) struct Many<T>(Vec<(String, T)>);

impl<T> Many<T> {
    pub(crate) fn into_list(self) -> Vec<T> {
        self.0.into_iter().map(|(_, value)| value).collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ManyOf(PhantomData))
    }
}

struct ManyOf<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyOf<T> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Many<T>, A::Error> {
        let mut many = Vec::new();
        while let Some(value) = list.next_element()? {
            many.push((String::new(), value));
        }
        Ok(Many(many))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Many<T>, A::Error> {
        let mut many = Vec::new();
        while let Some(entry) = object.next_entry()? {
            many.push(entry);
        }
        Ok(Many(many))
    }
}
