//! Name/value pairs as a table; a name that occurs more than once has a list of values.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};

/// One value, or several of one name.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(Vec<String>),
}

/// By name, so that the order of names does not count.
pub(in crate::runner) fn serialize<S: Serializer>(
    pairs: &[(String, String)],
    to: S,
) -> Result<S::Ok, S::Error> {
    let mut values = BTreeMap::<&str, Vec<&str>>::new();
    for (name, value) in pairs {
        values.entry(name).or_default().push(value);
    }
    let values = values.into_iter().map(|(name, values)| match values[..] {
        [one] => (name, Values::One(one.to_owned())),
        _ => (name, Values::Many(values.into_iter().map(str::to_owned).collect())),
    });
    to.collect_map(values)
}

/// In the order written.
pub(in crate::runner) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<(String, String)>, D::Error> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table of texts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some((name, values)) = map.next_entry::<String, Values>()? {
                match values {
                    Values::One(value) => pairs.push((name, value)),
                    Values::Many(values) => {
                        pairs.extend(values.into_iter().map(|value| (name.clone(), value)));
                    }
                }
            }
            Ok(pairs)
        }
    }
    from.deserialize_map(Pairs)
}
