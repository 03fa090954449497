//! What a page says of the pictures on it: in the header of its answer, and in `meta` elements.

use html5gum::{
    Span, Tokenizer,
    emitters::callback::{CallbackEmitter, CallbackEvent},
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{PRODUCT, in_header, robots_tag, tdm};
use crate::model::{ConsentPlace, ConsentSignal, Content, Response, add_signals};

/// What an answer to a source says of the pictures that it names. Of what is no HTML the header alone counts.
///
/// It means the page and not what is shown on it, by the TDM Reservation Protocol and by AI preferences; but
/// who opts out with a page is not asked to do so with every picture.
#[must_use]
pub fn of_page(response: &Response) -> Vec<ConsentSignal> {
    let mut signals = Vec::new();
    // An answer that is no page, such as a redirect or an error, says nothing of pictures.
    if !(200..300).contains(&response.status) {
        return signals;
    }
    let url = Some(response.url.as_str());
    let fields = response.headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    });
    // One by one, since a field may come in several lines.
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name, value);
    }
    add_signals(&mut signals, in_header(&headers, ConsentPlace::PageHeader, url));
    let kind = headers.get(http::header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let may_be_html = kind.is_none_or(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.starts_with(b"text/html") || kind.starts_with(b"application/xhtml+xml")
    });
    if let (true, Content::Text(html)) = (may_be_html, &response.body) {
        add_signals(&mut signals, in_html(html, url));
    }
    signals
}

/// What the `meta` elements of a page say.
fn in_html(html: &str, url: Option<&str>) -> Vec<ConsentSignal> {
    let place = ConsentPlace::PageMeta;
    let mut signals = Vec::new();
    let (mut reservation, mut policy) = (None, None);
    for (name, content) in metas(html) {
        match name.trim().to_ascii_lowercase().as_str() {
            // The first counts, as there is no more than one.
            "tdm-reservation" => reservation = reservation.or(Some(content)),
            "tdm-policy" => policy = policy.or_else(|| tdm::policy(&content)),
            name if name == "robots" || name.eq_ignore_ascii_case(PRODUCT) => {
                let directives = content.split(',');
                signals.extend(directives.filter_map(|part| robots_tag::signal(part, place, url)));
            }
            _ => {}
        }
    }
    signals.extend(reservation.map(|reservation| tdm::signal(&reservation, policy, place, url)));
    signals
}

/// A `meta` element as far as it is read.
#[derive(Default)]
struct Meta {
    name: Option<String>,
    content: Option<String>,
    /// Of which a value comes next.
    attribute: Option<Attribute>,
}

#[derive(Clone, Copy)]
enum Attribute {
    Name,
    Content,
}

/// Name and content of each `meta` element that has both.
fn metas(html: &str) -> impl Iterator<Item = (String, String)> {
    let mut meta: Option<Meta> = None;
    let read = move |event: CallbackEvent<'_>, _: Span<()>| {
        match event {
            CallbackEvent::OpenStartTag { name } => meta = (name == b"meta").then(Meta::default),
            CallbackEvent::AttributeName { name } => {
                if let Some(meta) = &mut meta {
                    // Of two attributes of one name browsers take the first.
                    meta.attribute = match name {
                        b"name" if meta.name.is_none() => Some(Attribute::Name),
                        b"content" if meta.content.is_none() => Some(Attribute::Content),
                        _ => None,
                    };
                }
            }
            CallbackEvent::AttributeValue { value } => {
                if let Some(meta) = &mut meta {
                    let value = || Some(String::from_utf8_lossy(value).into_owned());
                    match meta.attribute.take() {
                        Some(Attribute::Name) => meta.name = value(),
                        Some(Attribute::Content) => meta.content = value(),
                        None => {}
                    }
                }
            }
            CallbackEvent::CloseStartTag { .. } => {
                return meta.take().and_then(|meta| Some((meta.name?, meta.content?)));
            }
            _ => {}
        }
        None
    };
    let mut emitter = CallbackEmitter::new(read);
    // What stands in a script or a title is no element.
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConsentMeaning, ConsentVocabulary};

    fn page(headers: &[(&str, &str)], html: &str) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let url = "https://a.test/page".to_owned();
        Response { status: 200, url, headers, body: Content::Text(html.to_owned()), encoding: None }
    }

    /// What a page says, in words.
    fn said(html: &str) -> Vec<String> {
        let signals = of_page(&page(&[("content-type", "text/html; charset=utf-8")], html));
        signals.into_iter().map(|signal| signal.to_string()).collect()
    }

    #[test]
    fn what_pages_say_of_pictures() {
        for html in [
            "<meta name=robots content=noai>",
            "<META NAME='Robots' CONTENT='index, NOAI, follow'>",
            "<head><meta content=\"noai\" name=\"PixCrawler\"/>",
            "<body><p><meta name=' robots ' content='noindex,noai'>",
            "<meta name=robots content='&#110;oai'>",
            "<meta name=robots name=author content=noai content=index>",
        ] {
            assert_eq!(said(html), ["its page https://a.test/page says `meta robots: noai`"], "{html}");
        }
        for html in [
            "<meta name=otherbot content=noai>",
            "<meta name=robots content='noindex, nofollow'>",
            "<meta name=robots><meta content=noai>",
            "<meta property=robots content=noai>",
            "<!-- <meta name=robots content=noai> -->",
            "<script>'<meta name=robots content=noai>'</script>",
            "<title><meta name=robots content=noai></title>",
            "<img name=robots content=noai>",
        ] {
            assert_eq!(said(html), [""; 0], "{html}");
        }
        // The example of the TDM Reservation Protocol.
        let policy = "https://provider.com/policies/policy.json";
        let html = format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"tdm-reservation\" content=\"1\"><meta name=\"tdm-policy\" content=\"{policy}\">"
        );
        let signals = of_page(&page(&[], &html));
        let expect = ConsentSignal::new(
            ConsentVocabulary::TdmReservation,
            ConsentPlace::PageMeta,
            Some("https://a.test/page"),
            "1",
            ConsentMeaning::Reserved,
        );
        assert_eq!(signals, [ConsentSignal { policy: Some(policy.to_owned()), ..expect }]);
    }

    #[test]
    fn headers_count_of_every_answer_and_elements_of_html() {
        let html = "<meta name=robots content=noai>";
        let count = |headers: &[(&str, &str)]| of_page(&page(headers, html)).len();
        assert_eq!(count(&[("content-type", "application/json")]), 0);
        assert_eq!(count(&[("content-type", "Application/XHTML+xml")]), 1);
        let fields =
            [("content-type", "application/json"), ("x-robots-tag", "noai"), ("tdm-reservation", "0")];
        assert_eq!(count(&fields), 2);
        assert_eq!(count(&[("content-usage", "train-ai=n"), ("content-usage", "search=n")]), 2);
        let missing = Response { status: 404, ..page(&[("x-robots-tag", "noai")], html) };
        assert_eq!(of_page(&missing), []);
    }

    proptest::proptest! {
        #[test]
        fn any_page_is_read(
            noise: String,
            likely in "(</?(meta|script|title|!--)|-->|>| (name|content)=|'|\"|robots|noai|tdm-reservation|1|&#1;| ){0,30}",
        ) {
            for html in [&noise, &likely] {
                let _ = said(html);
            }
        }
    }
}
