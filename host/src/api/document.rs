//! The OpenAPI document: what poem-openapi says of the routes, and what it has no words for. Bodies of
//! requests have no other fields than those that are named; what is not required may be null, which is
//! as if it were absent; and some fields belong together or exclude one another.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use Combination::{AnyOf, NoTwoOf, NoneOf, Not};
use FieldState::{Filled, Given, OneOf, True};

/// What the fields of bodies are like together, by the name of the schema. Each writes a keyword of its schema, so
/// that of `Not`, `NoneOf` and `NoTwoOf` a schema has one at most.
const COMBINATIONS: [(&str, Combination); 8] = [
    ("CreateCrawlJob", AnyOf(&[&[("keywords", Filled)], &[("urls", Filled)]])),
    (
        "CreateCrawlJob",
        NoneOf(&[
            &[("dataset_id", Given), ("project_id", Given)],
            &[("sources", Given), ("search_engine", Given)],
        ]),
    ),
    ("CreateApiKey", NoTwoOf(&["expires_at", "days"])),
    (
        "RemoveImages",
        AnyOf(&[
            &[("url", Filled)],
            &[("host", Filled)],
            &[("creator", Filled)],
            &[("sha256", Filled)],
            &[("pdq", Filled)],
        ]),
    ),
    ("RemoveImages", NoTwoOf(&["url", "host", "creator", "sha256", "pdq"])),
    ("MakePictures", AnyOf(&[&[("width", Given), ("height", Given)], &[("fit", OneOf(&["none"]))]])),
    ("MakePictures", Not(&[("quality", Given), ("format", OneOf(&["png", "webp"]))])),
    (
        "CreateExport",
        NoneOf(&[
            &[("pictures", Given), ("format", OneOf(&["csv", "json", "jsonl", "yaml", "txt"]))],
            &[
                ("parquet_beside", True),
                ("format", OneOf(&["zip", "parquet", "csv", "json", "jsonl", "yaml", "txt"])),
            ],
        ]),
    ),
];

/// What parameters are like whose routes check them, as they have more to say than that one is wrong.
const PARAMETERS: [(&str, &str); 6] = [
    ("Idempotency-Key", "^[ -~]{1,255}$"),
    ("resource_type", NO_CONTROL),
    ("url", NO_CONTROL),
    ("label", NO_CONTROL),
    ("source", NO_CONTROL),
    ("license", NO_CONTROL),
];

/// Text without control characters.
const NO_CONTROL: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

/// What text is that must not be empty, by the way it is read: white space around it does not count, and no
/// character in it is a control character.
const TEXT: &str = r"^[\t-\r ]*[^\s\u0000-\u001f\u007f-\u009f]([^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f])?[\t-\r ]*$";

/// What text is that may be empty and have several lines.
const PROSE: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";

/// Where schemas with a name are.
const SCHEMAS: &str = "#/components/schemas/";

/// What is so of several fields of a body at once.
enum Combination {
    /// At least one of these.
    AnyOf(&'static [&'static [Field]]),
    /// Not this.
    Not(&'static [Field]),
    /// None of these.
    NoneOf(&'static [&'static [Field]]),
    /// No two of these fields are given.
    NoTwoOf(&'static [&'static str]),
}

/// A field that is there, by name.
type Field = (&'static str, FieldState);

/// What a field that is there is like.
#[derive(Clone, Copy)]
enum FieldState {
    /// Of its type.
    Given,
    /// Text or a list with something in it.
    Filled,
    OneOf(&'static [&'static str]),
    True,
}

/// JSON whose fields keep their order, which is for people: `id` comes first.
#[derive(Clone, Deserialize, Serialize)]
#[serde(untagged)]
enum Node {
    Object(IndexMap<String, Self>),
    List(Vec<Self>),
    Leaf(Value),
}

/// The document, of what poem-openapi `says`.
pub(super) fn complete(says: &str) -> String {
    let complete = || -> serde_json::Result<String> {
        let mut document = serde_json::from_str::<Node>(says)?;
        document.drop_idle();
        for operation in document.at("paths").into_iter().flat_map(Node::parts).flat_map(Node::parts) {
            operation.at("parameters").into_iter().flat_map(Node::parts).for_each(Node::say_of_parameter);
        }
        let bodies = bodies(&document);
        if let Some(Node::Object(schemas)) = document.at("components").and_then(|all| all.at("schemas")) {
            for (name, schema) in schemas {
                if bodies.contains(name) {
                    schema.close(name)?;
                }
            }
        }
        serde_json::to_string_pretty(&document)
    };
    // Of what poem-openapi itself says nothing is no JSON.
    complete().unwrap_or_else(|_| says.to_owned())
}

/// Names of the schemas that bodies of requests have, and of those within them.
fn bodies(document: &Node) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for operation in document.get("paths").into_iter().flat_map(Node::children).flat_map(Node::children) {
        operation.get("requestBody").into_iter().for_each(|body| body.named(&mut found));
    }
    let mut looked_at = BTreeSet::new();
    while let Some(name) = found.difference(&looked_at).next().cloned() {
        let schemas = document.get("components").and_then(|components| components.get("schemas"));
        schemas
            .and_then(|schemas| schemas.get(&name))
            .into_iter()
            .for_each(|schema| schema.named(&mut found));
        looked_at.insert(name);
    }
    found
}

/// The schema of bodies in which all of these fields are there and like this, of fields of these types.
fn combined(fields: &[Field], types: &BTreeMap<String, String>) -> Value {
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let like = |(name, state): &Field| {
        let kind = types.get(*name).map(String::as_str);
        let schema = match state {
            Given => json!({ "type": kind }),
            Filled if kind == Some("array") => json!({ "type": kind, "minItems": 1 }),
            Filled => json!({ "type": kind, "pattern": "." }),
            OneOf(values) => json!({ "enum": values }),
            True => json!({ "enum": [true] }),
        };
        ((*name).to_owned(), schema)
    };
    let properties: Map<String, Value> = fields.iter().map(like).collect();
    json!({ "required": required, "properties": properties })
}

impl Node {
    fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.get(name),
            _ => None,
        }
    }

    fn at(&mut self, name: &str) -> Option<&mut Self> {
        match self {
            Self::Object(fields) => fields.get_mut(name),
            _ => None,
        }
    }

    fn parts(&mut self) -> Vec<&mut Self> {
        match self {
            Self::Object(fields) => fields.values_mut().collect(),
            Self::List(list) => list.iter_mut().collect(),
            Self::Leaf(_) => Vec::new(),
        }
    }

    fn children(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::Object(fields) => Box::new(fields.values()),
            Self::List(list) => Box::new(list.iter()),
            Self::Leaf(_) => Box::new(std::iter::empty()),
        }
    }

    /// Names of the schemas that it refers to.
    fn named(&self, found: &mut BTreeSet<String>) {
        if let Some(Self::Leaf(Value::String(reference))) = self.get("$ref") {
            found.extend(reference.strip_prefix(SCHEMAS).map(str::to_owned));
        }
        self.children().for_each(|child| child.named(found));
    }

    /// Leaves out what only burdens the types of generated clients: parts of `allOf` that demand nothing, as
    /// poem-openapi says the description of a field there again, and the charset of JSON.
    fn drop_idle(&mut self) {
        match self {
            Self::Object(fields) => {
                if let Some(Self::Object(content)) = fields.get_mut("content") {
                    let kinds = std::mem::take(content).into_iter();
                    let bare = |kind: String| kind.split(';').next().unwrap_or_default().to_owned();
                    content.extend(kinds.map(|(kind, media)| (bare(kind), media)));
                }
                if let Some(Self::List(all)) = fields.get_mut("allOf") {
                    all.retain(|part| match part {
                        Self::Object(fields) => fields.keys().any(|keyword| keyword != "description"),
                        _ => true,
                    });
                }
                fields.values_mut().for_each(Self::drop_idle);
            }
            Self::List(list) => list.iter_mut().for_each(Self::drop_idle),
            Self::Leaf(_) => {}
        }
    }

    fn say_of_parameter(&mut self) {
        let name = self.get("name").and_then(Self::text).unwrap_or_default();
        let pattern = PARAMETERS.iter().find(|(known, _)| *known == name).map(|(_, pattern)| *pattern);
        if let (Some(pattern), Some(Self::Object(schema))) = (pattern, self.at("schema")) {
            schema.insert("pattern".to_owned(), Self::Leaf(pattern.into()));
        }
    }

    /// Says of the schema of a body what else is the case.
    fn close(&mut self, name: &str) -> serde_json::Result<()> {
        let required: BTreeSet<String> = match self.get("required") {
            Some(Self::List(names)) => names.iter().filter_map(Self::text).map(str::to_owned).collect(),
            _ => BTreeSet::new(),
        };
        let Self::Object(fields) = self else { return Ok(()) };
        let Some(Self::Object(properties)) = fields.get_mut("properties") else { return Ok(()) };
        let mut types = BTreeMap::new();
        for (name, property) in properties {
            property.say_of_text();
            types.insert(
                name.clone(),
                property.get("type").and_then(Self::text).unwrap_or("object").to_owned(),
            );
            if !required.contains(name) {
                property.nullable();
            }
        }
        let mut say = |keyword: &str, value: Value| -> serde_json::Result<()> {
            fields.insert(keyword.to_owned(), serde_json::from_value(value)?);
            Ok(())
        };
        say("additionalProperties", json!(false))?;
        let all_of = |list: &[&[Field]]| -> Vec<Value> {
            list.iter().map(|fields| combined(fields, &types)).collect()
        };
        for (_, combination) in COMBINATIONS.iter().filter(|(schema, _)| *schema == name) {
            match combination {
                // Beside the fields themselves, some generators of clients take it for another form of the body.
                AnyOf(list) => say("allOf", json!([{ "anyOf": all_of(list) }]))?,
                Not(fields) => say("not", combined(fields, &types))?,
                NoneOf(list) => say("not", json!({ "anyOf": all_of(list) }))?,
                NoTwoOf(names) => {
                    let pairs = names.iter().enumerate().flat_map(|(at, one)| {
                        names[at + 1..].iter().map(move |other| [(*one, Given), (*other, Given)])
                    });
                    let pairs: Vec<Value> = pairs.map(|pair| combined(&pair, &types)).collect();
                    say("not", json!({ "anyOf": pairs }))?;
                }
            }
        }
        Ok(())
    }

    /// Says of texts, lists of them and values of maps what no attribute can.
    fn say_of_text(&mut self) {
        let Self::Object(fields) = self else { return };
        let pattern = match (fields.contains_key("minLength"), fields.contains_key("maxLength")) {
            (true, _) => Some(TEXT),
            (false, true) => Some(PROSE),
            (false, false) => None,
        };
        if let Some(pattern) = pattern {
            fields.entry("pattern".to_owned()).or_insert(Self::Leaf(pattern.into()));
        }
        fields.get_mut("items").into_iter().for_each(Self::say_of_text);
        if let Some(values) = fields.get_mut("additionalProperties") {
            values.say_of_text();
            // What may be anything may be null.
            if values.children().next().is_some() {
                values.nullable();
            }
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Leaf(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    fn nullable(&mut self) {
        let Self::Object(fields) = self else { return };
        if let Some(reference @ Self::Leaf(_)) = fields.shift_remove("$ref") {
            let reference = Self::Object(IndexMap::from([("$ref".to_owned(), reference)]));
            fields.insert("allOf".to_owned(), Self::List(vec![reference]));
        }
        fields.insert("nullable".to_owned(), Self::Leaf(Value::Bool(true)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// poem-openapi writes a path anew for each part of the API that has an operation of it, and whoever
    /// reads the document sees only the last.
    #[test]
    fn no_path_is_there_twice() {
        let says = crate::api::parts().spec();
        let paths: Vec<&str> = says.lines().filter(|line| line.starts_with("    \"/api/")).collect();
        let distinct: BTreeSet<&str> = paths.iter().copied().collect();
        assert!(!paths.is_empty() && paths.len() == distinct.len(), "{paths:#?}");
    }
}
