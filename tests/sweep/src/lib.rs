//! Puts odd values into the answers that a source's cassettes hold, and looks what it costs. The
//! rule for every source that reads JSON: a value of another type than expected costs the field
//! that it stands in, and neither the picture nor the answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::Path;

use pixcrawler_sdk::{Answer, Info, Machine, Next, Query};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What is read of a cassette. Answers that are no text are left away.
#[derive(Deserialize)]
struct Cassette {
    query: Asked,
    #[serde(default, rename = "exchange")]
    exchanges: Vec<Exchange>,
    expect: Expected,
}

#[derive(Deserialize)]
struct Asked {
    text: String,
    limit: Option<u32>,
    safe_search: Option<bool>,
    language: Option<String>,
    #[serde(default)]
    options: BTreeMap<String, String>,
    #[serde(default)]
    credentials: Vec<String>,
}

#[derive(Deserialize)]
struct Exchange {
    url: String,
    answer: Answered,
}

#[derive(Deserialize)]
struct Answered {
    status: Option<u16>,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Expected {
    error: Option<String>,
}

/// What a cassette came to: the addresses of its pictures in alphabetical order, or the error.
type Outcome = Result<Vec<String>, String>;

/// Replaces every value in the JSON answers of the cassettes in `plugin`'s folder, one at a time, by
/// null, a truth, a number, a text, a list and an object: each time all pictures come, with the same
/// addresses. `essential` are the paths for which that cannot be: addresses of
/// pictures and what leads to them, and what says that a picture is not wanted. `results[].url` is a
/// path; `*` in it is any one name.
///
/// # Panics
///
/// When a picture is lost, when a cassette cannot be read or none has pictures, and
/// for an essential path that is none: no answer has it, or nothing that stands in it costs anything.
pub fn sweep<M: Machine>(plugin: &str, essential: &[&str]) {
    let mut wrong = BTreeSet::new();
    let mut needed = BTreeSet::new();
    let mut tried = 0;
    for cassette in cassettes(&Path::new(plugin).join("cassettes")) {
        let query = cassette.query.query(&M::info());
        let bodies: Vec<_> = cassette.exchanges.iter().map(|exchange| exchange.answer.text.clone()).collect();
        let expect = run::<M>(&query, &cassette.exchanges, &bodies);
        if !expect.as_ref().is_ok_and(|pictures| !pictures.is_empty()) {
            continue;
        }
        for (number, body) in bodies.iter().enumerate() {
            let Some(body) = body.as_deref() else { continue };
            for (path, place) in places(body) {
                let known = essential.iter().find(|known| matches(known, &path));
                for odd in ODD {
                    // The rest stays as it is written.
                    let mut bodies = bodies.clone();
                    bodies[number] = Some([&body[..place.start], odd, &body[place.end..]].concat());
                    let outcome = run::<M>(&query, &cassette.exchanges, &bodies);
                    tried += 1;
                    let Some(cost) = cost(&expect, &outcome) else { continue };
                    match known {
                        Some(known) => _ = needed.insert(*known),
                        None => _ = wrong.insert(format!("{odd} in `{path}`: {cost}")),
                    }
                }
            }
        }
    }
    assert!(tried > 0, "{plugin}: no cassette has pictures");
    let idle = essential.iter().filter(|known| !needed.contains(**known));
    wrong.extend(idle.map(|known| format!("`{known}` is not essential")));
    let wrong: Vec<_> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Those that end well.
fn cassettes(folder: &Path) -> Vec<Cassette> {
    let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files.filter_map(Result::ok).map(|file| file.path()).collect();
    files.sort();
    let read = |file: &Path| -> Cassette {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    files.iter().map(|file| read(file)).filter(|cassette| cassette.expect.error.is_none()).collect()
}

impl Asked {
    /// The query, with the defaults that the host fills in.
    fn query(&self, info: &Info) -> Query {
        let defaults = info.options.iter().filter(|spec| !self.options.contains_key(&spec.name));
        let defaults = defaults.filter_map(|spec| Some((spec.name.clone(), spec.default.clone()?)));
        let base = Query::of(&self.text);
        Query {
            limit: self.limit.unwrap_or(base.limit),
            safe_search: self.safe_search.unwrap_or(base.safe_search),
            language: self.language.clone(),
            options: self.options.clone().into_iter().chain(defaults).collect(),
            credentials: self.credentials.clone(),
            ..base
        }
    }
}

/// Plays the cassette until it has no answer.
fn run<M: Machine>(query: &Query, exchanges: &[Exchange], bodies: &[Option<String>]) -> Outcome {
    let mut pictures = Vec::new();
    let mut turn = M::start(query).map_err(|error| format!("{error:?}"))?;
    let mut answers = Vec::new();
    let mut given = vec![false; exchanges.len()];
    'turns: loop {
        pictures.extend(turn.found.candidates.into_iter().map(|picture| picture.url));
        match &turn.next {
            Next::Done => break,
            Next::Again => {}
            Next::Fetch(requests) => {
                answers.clear();
                for request in requests {
                    // The same address may be answered twice, and what is kept is asked for again.
                    let mut all = (0..exchanges.len()).filter(|at| exchanges[*at].url == request.url);
                    let at = all.find(|at| request.keep || !given[*at]);
                    let Some((at, body)) = at.and_then(|at| Some((at, bodies[at].as_ref()?))) else {
                        break 'turns;
                    };
                    given[at] = true;
                    let status = exchanges[at].answer.status.unwrap_or(200);
                    let answer = Answer::of(&request.url, status, body);
                    answers.push(Answer { key: request.key.clone(), ..answer });
                }
            }
        }
        turn = M::resume(query, turn.state, answers.clone()).map_err(|error| format!("{error:?}"))?;
    }
    pictures.sort();
    Ok(pictures)
}

/// What it cost, if anything.
fn cost(expect: &Outcome, outcome: &Outcome) -> Option<String> {
    match (expect, outcome) {
        (_, Err(error)) => Some(error.clone()),
        (Ok(expect), Ok(pictures)) if expect != pictures => {
            Some(format!("{} instead of {} pictures, or others", pictures.len(), expect.len()))
        }
        _ => None,
    }
}

const ODD: [&str; 6] = ["null", "true", "7", "\"odd\"", "[\"odd\"]", "{\"odd\": 7}"];

/// Every value but the outermost: its path, and where it stands in the text. Nothing if that is no JSON.
fn places(body: &str) -> Vec<(String, Range<usize>)> {
    fn walk(body: &str, value: &str, path: &str, places: &mut Vec<(String, Range<usize>)>) {
        let mut place = |value: &RawValue, path: String| {
            let start = value.get().as_ptr().addr() - body.as_ptr().addr();
            walk(body, value.get(), &path, places);
            places.push((path, start..start + value.get().len()));
        };
        if let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(value) {
            let dot = if path.is_empty() { "" } else { "." };
            fields.into_iter().for_each(|(name, value)| place(value, format!("{path}{dot}{name}")));
        } else if let Ok(values) = serde_json::from_str::<Vec<&RawValue>>(value) {
            values.into_iter().for_each(|value| place(value, format!("{path}[]")));
        }
    }
    let mut all = Vec::new();
    walk(body, body, "", &mut all);
    all
}

fn matches(known: &str, path: &str) -> bool {
    let (known, path): (Vec<_>, Vec<_>) = (known.split('.').collect(), path.split('.').collect());
    known.len() == path.len() && known.iter().zip(path).all(|(known, name)| *known == "*" || *known == name)
}
