//! The OpenAPI document as a judge. Every answer that a test gets of the API is held against what the
//! document says of its operation: status, media type, headers and shape; and what was accepted, against
//! what the document lets one ask.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::api::Answer;

/// What the paths that it describes begin with.
const PREFIX: &str = "/api/v1/";

static DOCUMENT: LazyLock<Document> = LazyLock::new(Document::read);

struct Document {
    paths: Map<String, Value>,
    /// Schemas by name, in the validator's dialect: as they are, and with no room for other fields.
    open: Value,
    closed: Value,
    /// Those that were asked for already, which take a while to make.
    made: Mutex<HashMap<String, Arc<Validator>>>,
}

/// A schema, and those that it refers to.
struct Validator {
    schemas: Schemas,
    root: SchemaIndex,
}

/// Whether an object may have fields that its schema does not name. In the document of an API that
/// grows it may; an answer of this version has those that are named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    Allowed,
    Forbidden,
}

/// A request, as far as the document says something of it.
pub(crate) struct Asked {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An operation, and what stands in its path for each parameter.
struct Operation {
    says: &'static Value,
    values: Vec<(&'static str, String)>,
}

impl Document {
    fn read() -> Self {
        let mut document: Value = serde_json::from_str(&pixcrawler::api::document()).unwrap();
        let schemas = document["components"]["schemas"].take();
        let all = |others| {
            let named = schemas.as_object().unwrap().iter();
            named.map(|(name, schema)| (name.clone(), translated(schema, others))).collect()
        };
        let Value::Object(paths) = document["paths"].take() else { panic!("no paths") };
        Self { paths, open: all(Others::Allowed), closed: all(Others::Forbidden), made: Mutex::default() }
    }

    /// The path that is asked, with what stands for its parameters; one without is preferred.
    fn find(&'static self, path: &str) -> Option<(&'static Value, Vec<(&'static str, String)>)> {
        let asked: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let fits = |known: &'static String| {
            let known: Vec<&str> = known.split('/').filter(|part| !part.is_empty()).collect();
            let mut values = Vec::new();
            let same = known.iter().zip(&asked).all(|(known, asked)| {
                match known.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) => values.push((name, (*asked).to_owned())),
                    None => return known == asked,
                }
                true
            });
            (same && known.len() == asked.len()).then_some(values)
        };
        let found = self.paths.iter().filter_map(|(known, says)| Some((says, fits(known)?)));
        found.min_by_key(|(_, values)| values.len())
    }

    fn validator(&self, schema: &Value, others: Others) -> Arc<Validator> {
        let key = format!("{} {schema}", others == Others::Forbidden);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let schemas = if others == Others::Forbidden { &self.closed } else { &self.open };
            let whole =
                json!({ "allOf": [translated(schema, others)], "components": { "schemas": schemas } });
            Arc::new(Validator::new(whole))
        };
        made.entry(key).or_insert_with(make).clone()
    }

    /// What is wrong with this, if it is to be like that.
    fn wrong(&self, value: &Value, schema: &Value, others: Others) -> Option<String> {
        let Validator { schemas, root } = &*self.validator(schema, others);
        schemas.validate(value, *root).err().map(|error| error.to_string())
    }
}

impl Validator {
    fn new(schema: Value) -> Self {
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.add_resource("schema.json", schema).unwrap();
        let mut schemas = Schemas::new();
        let root = compiler.compile("schema.json", &mut schemas).unwrap();
        Self { schemas, root }
    }
}

/// A schema of OpenAPI 3.0 as JSON Schema has it.
fn translated(schema: &Value, others: Others) -> Value {
    let Value::Object(says) = schema else { return schema.clone() };
    let mut translated = Map::new();
    for (keyword, value) in says {
        let value = match keyword.as_str() {
            "properties" => {
                let each = value.as_object().unwrap().iter();
                each.map(|(name, schema)| (name.clone(), self::translated(schema, others))).collect()
            }
            "items" | "additionalProperties" | "not" => self::translated(value, others),
            "allOf" | "anyOf" | "oneOf" => {
                value.as_array().unwrap().iter().map(|part| self::translated(part, others)).collect()
            }
            "nullable" | "example" | "description" | "title" | "deprecated" => continue,
            _ => value.clone(),
        };
        translated.insert(keyword.clone(), value);
    }
    if others == Others::Forbidden && says.contains_key("properties") && says.contains_key("type") {
        translated.entry("additionalProperties").or_insert(json!(false));
    }
    let bounds = match says.get("format").and_then(Value::as_str) {
        Some("int32") => Some((json!(i32::MIN), json!(i32::MAX))),
        Some("int64") => Some((json!(i64::MIN), json!(i64::MAX))),
        Some("uint8") => Some((json!(0), json!(u8::MAX))),
        Some("uint16") => Some((json!(0), json!(u16::MAX))),
        Some("uint32") => Some((json!(0), json!(u32::MAX))),
        Some("uint64") => Some((json!(0), json!(u64::MAX))),
        _ => None,
    };
    if let Some((least, most)) = bounds {
        translated.entry("minimum").or_insert(least);
        translated.entry("maximum").or_insert(most);
    }
    let translated = Value::Object(translated);
    if says.get("nullable") == Some(&json!(true)) {
        return json!({ "anyOf": [translated, { "type": "null" }] });
    }
    translated
}

impl Asked {
    /// What is asked by this request.
    pub(crate) fn of(request: &reqwest::Request) -> Self {
        let url = request.url();
        Self {
            method: request.method().clone(),
            path: url.path().to_owned(),
            query: url.query_pairs().into_owned().collect(),
            body: request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default().to_vec(),
        }
    }

    /// Fails where the answer is not as the document says.
    pub(crate) fn judge(&self, answer: &Answer) {
        // What is around the API is not in its document, and no operation is a question for permission.
        if !self.path.starts_with(PREFIX) || self.method == Method::OPTIONS {
            return;
        }
        let place = format!("{} {}: {answer:?}", self.method, self.path);
        let Some((path, values)) = DOCUMENT.find(&self.path) else {
            return assert_eq!(answer.status, 404, "the document has no such path: {place}");
        };
        let method = if self.method == Method::HEAD { "get" } else { &self.method.as_str().to_lowercase() };
        let Some(says) = path.get(method) else {
            return assert_eq!(answer.status, 405, "the document has no such method: {place}");
        };
        let Some(response) = says["responses"].get(answer.status.to_string()) else {
            panic!("the document has no such status: {place}");
        };
        self.judge_content(response, answer, &place);
        let headers = response["headers"].as_object().into_iter().flatten();
        for (name, _) in headers.filter(|(_, header)| header["required"] == true) {
            assert!(answer.header(name).is_some(), "the document promises `{name}`: {place}");
        }
        if (200..300).contains(&answer.status) {
            self.judge_request(&Operation { says, values }, &place);
        }
    }

    fn judge_content(&self, response: &Value, answer: &Answer, place: &str) {
        let Some(content) = response["content"].as_object() else {
            return assert_eq!(answer.text, "", "the document has no content for this: {place}");
        };
        let kind = answer.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let family = format!("{}/*", kind.split('/').next().unwrap_or_default());
        let Some(media) = content.get(kind).or_else(|| content.get(&family)) else {
            panic!("the document has no such media type: {place}");
        };
        if self.method == Method::HEAD || !(kind.ends_with("/json") || kind.ends_with("+json")) {
            return;
        }
        let wrong = DOCUMENT.wrong(&answer.json(), &media["schema"], Others::Forbidden);
        assert_eq!(wrong, None, "not what the document says: {place}");
    }

    /// What was accepted must be what one may ask: clients are generated from it.
    fn judge_request(&self, operation: &Operation, place: &str) {
        let Operation { says, values } = operation;
        for parameter in says["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let given = match parameter["in"].as_str() {
                Some("path") => values.iter().find(|(known, _)| *known == name).map(|(_, value)| value),
                Some("query") => self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value),
                _ => continue,
            };
            match given {
                Some(text) => {
                    let is_text =
                        parameter["schema"]["type"] == "string" || parameter["schema"].get("type").is_none();
                    let value =
                        if is_text { json!(text) } else { serde_json::from_str(text).unwrap_or(json!(text)) };
                    let wrong = DOCUMENT.wrong(&value, &parameter["schema"], Others::Allowed);
                    assert_eq!(wrong, None, "`{name}` is accepted against the document: {place}");
                }
                None => assert_ne!(parameter["required"], true, "accepted without `{name}`: {place}"),
            }
        }
        let body = &says["requestBody"];
        if self.body.is_empty() {
            return assert_ne!(body["required"], true, "accepted without a body: {place}");
        }
        let Ok(sent) = serde_json::from_slice::<Value>(&self.body) else { return };
        if let Some(media) = body["content"].get("application/json") {
            let wrong = DOCUMENT.wrong(&sent, &media["schema"], Others::Allowed);
            assert_eq!(wrong, None, "{sent} is accepted against the document: {place}");
        }
    }
}

/// Fails where this, which came by another way than an answer, is not like the schema of this name.
pub(crate) fn judge_as(schema: &str, value: &Value) {
    let reference = json!({ "$ref": format!("#/components/schemas/{schema}") });
    let wrong = DOCUMENT.wrong(value, &reference, Others::Forbidden);
    assert_eq!(wrong, None, "not the {schema} of the document: {value:#}");
}

/// Whether the schema of this name lets one send this.
pub(crate) fn lets_send(schema: &str, value: &Value) -> bool {
    let reference = json!({ "$ref": format!("#/components/schemas/{schema}") });
    DOCUMENT.wrong(value, &reference, Others::Allowed).is_none()
}

/// Every example that stands beside its schema, with what is wrong with it.
pub(crate) fn examples() -> Vec<(Value, Option<String>)> {
    let document: Value = serde_json::from_str(&pixcrawler::api::document()).unwrap();
    let mut found = Vec::new();
    gather(&document, &mut found);
    let judged = found.into_iter().map(|(schema, example)| {
        let wrong = DOCUMENT.wrong(&example, &schema, Others::Forbidden);
        (example, wrong)
    });
    judged.collect()
}

fn gather(part: &Value, found: &mut Vec<(Value, Value)>) {
    match part {
        Value::Object(fields) => {
            if let Some(example) = fields.get("example") {
                let mut schema = part.clone();
                schema.as_object_mut().unwrap().remove("example");
                found.push((schema, example.clone()));
            }
            fields.iter().filter(|(name, _)| *name != "example").for_each(|(_, part)| gather(part, found));
        }
        Value::Array(parts) => parts.iter().for_each(|part| gather(part, found)),
        _ => {}
    }
}
