//! The options of a job's sources, against what each source declares.

use std::collections::BTreeMap;

use super::{
    MOST_SOURCES, SourceOffer,
    field::{Fields, Violations},
};
use crate::model::OptionSpec;

/// Most options of one source.
pub(super) const MOST_OPTIONS: usize = 100;

/// Values per source, defaults filled in. What a source does not declare is refused.
pub(super) fn options(
    fields: &Fields<'_>,
    sources: &[&SourceOffer],
    report: &mut Violations,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let given = fields.object("options", MOST_SOURCES, report);
    if let Some(given) = &given {
        for key in given.keys().filter(|key| sources.iter().all(|source| source.info.id != **key)) {
            report.broken(given.pointer(key), "is not a source of this job");
        }
    }
    let mut options = BTreeMap::new();
    for source in sources {
        let id = &source.info.id;
        let given = given.as_ref().and_then(|given| given.object(id, MOST_OPTIONS, report));
        let values = of_source(source, given.as_ref(), &format!("/options/{id}"), report);
        if !values.is_empty() {
            options.insert(id.clone(), values);
        }
    }
    options
}

/// The values of one source, defaults filled in; `given` stands at `base`.
pub(super) fn of_source(
    source: &SourceOffer,
    given: Option<&Fields<'_>>,
    base: &str,
    report: &mut Violations,
) -> BTreeMap<String, String> {
    let declared: Vec<&str> = source.info.options.iter().map(|spec| spec.name.as_str()).collect();
    if let Some(fields) = given {
        fields.only(&declared, report);
    }
    let specs = source.info.options.iter();
    specs.filter_map(|spec| Some((spec.name.clone(), value(spec, base, given, report)?))).collect()
}

fn value(
    spec: &OptionSpec,
    base: &str,
    given: Option<&Fields<'_>>,
    report: &mut Violations,
) -> Option<String> {
    spec.value(given.and_then(|given| given.get(&spec.name))).unwrap_or_else(|must| {
        let name = spec.name.replace('~', "~0").replace('/', "~1");
        report.broken(format!("{base}/{name}"), must);
        None
    })
}
