//! Public domain pictures of the Metropolitan Museum of Art, from its open access
//! API: a search gives the ids of all that matches, and each object is asked for by itself.

use pixcrawler_sdk::{
    Answer, Error, Found, Info, Lenient, List, Listed, Query, Request, Response, Result, Whole,
};
use serde::Deserialize;

mod object;
mod option;

use object::Object;

/// The source.
#[derive(Debug)]
pub struct MetMuseum;

pixcrawler_sdk::export_source!(List<MetMuseum>);

const API: &str = "https://collectionapi.metmuseum.org/public/collection/v1";
/// The API allows 80 requests a second on paper; the guard in front of it shuts out
/// whoever makes some thirty in a row.
const REQUESTS_PER_MINUTE: u32 = 60;
/// Seconds for which it does so, at least.
const SHUT_OUT: u32 = 60;

impl Listed for MetMuseum {
    /// One answer has all ids.
    type Place = ();

    fn info() -> Info {
        Info {
            description:
                "Public domain works of the Metropolitan Museum of Art in New York, photographed by \
                the museum and given to everybody under CC0. The search is generous: it also finds what only \
                mentions the words."
                    .to_owned(),
            homepage: Some("https://www.metmuseum.org/art/collection/".to_owned()),
            terms_url: Some("https://www.metmuseum.org/policies/terms-and-conditions".to_owned()),
            options: option::specs(),
            requests_per_minute: Some(REQUESTS_PER_MINUTE),
            ..Info::keywords("met-museum", "The Metropolitan Museum of Art", env!("CARGO_PKG_VERSION"))
                .api("collectionapi.metmuseum.org")
        }
    }

    fn page(query: &Query, _: Option<&()>) -> Request {
        let mut parameters = vec![("hasImages", "true")];
        parameters.extend(option::parameters(query));
        parameters.push(("q", query.text.trim()));
        Request::get(&format!("{API}/search"), &parameters)
    }

    fn ids(_: &Query, _: Option<&()>, page: Answer) -> Result<(impl Iterator<Item = String>, Option<()>)> {
        let list: Ids = response(page)?.json()?;
        let ids = list.ids.unwrap_or_default();
        let ids: Vec<_> = ids.into_iter().filter_map(|Lenient(id)| id).collect();
        if ids.is_empty() {
            let Lenient(Some(Whole(total))) = list.total else {
                return Err(Error::LayoutChanged("expected a number in `total`".to_owned()));
            };
            Found::expect_none(total, "objectIDs")?;
        }
        Ok((ids.into_iter().map(|Whole(id)| id.to_string()), None))
    }

    fn item(_: &Query, id: &str) -> Request {
        Request::get(&format!("{API}/objects/{id}"), &[])
    }

    fn read(_: &Query, _: &str, answer: Answer) -> Result<Found> {
        response(answer)?.json::<Object>()?.pictures()
    }
}

/// What a search gives. Without a match there are no ids, not even an empty list.
#[derive(Deserialize)]
struct Ids {
    total: Lenient<Whole<u64>>,
    #[serde(rename = "objectIDs")]
    ids: Option<Vec<Lenient<Whole<u64>>>>,
}

/// The response, unless it comes from the guard in front of the API: that says 403, or sends a
/// page for browsers with status 200.
fn response(answer: Answer) -> Result<Response> {
    let guard = answer.outcome.as_ref().is_ok_and(|response| {
        let page = |text: &str| text.trim_start().starts_with('<') && text.contains("_Incapsula_");
        response.status == 403 || response.text().is_ok_and(page)
    });
    if guard { Err(Error::RateLimited(Some(SHUT_OUT))) } else { answer.response() }
}
