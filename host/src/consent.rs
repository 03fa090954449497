//! What owners of pictures say of crawling and of use by machines. Pure: bytes in, rules and signals out.
//!
//! Each file reads one thing that is written somewhere: [`robots_txt`] whom a site lets in and what it prefers,
//! `robots_tag` the `X-Robots-Tag` of an answer, `content_usage` preferences as structured fields, `tdm` the
//! TDM Reservation Protocol, `page` the `meta` elements of a page, `file` what is within a picture. What breaks
//! its own specification is recorded as unreadable and reserves nothing, as the specifications have it. What a
//! job makes of it all is [`ConsentPolicy`](crate::model::ConsentPolicy).

mod content_usage;
mod file;
mod page;
mod robots_tag;
pub mod robots_txt;
mod tdm;

use http::HeaderMap;

pub use file::in_file;
pub use page::of_page;
pub use tdm::{MAX_TDMREP_BYTES, TdmRules};

use crate::model::{ConsentPlace, ConsentSignal};

/// Our name as a crawler, in `User-Agent` and where sites speak of us.
pub const PRODUCT: &str = "PixCrawler";

/// What the header of an answer says, that with the picture or that with the page at `url`.
#[must_use]
pub fn in_header(headers: &HeaderMap, place: ConsentPlace, url: Option<&str>) -> Vec<ConsentSignal> {
    let mut signals = robots_tag::signals(headers, place, url);
    signals.extend(content_usage::in_header(headers, place, url));
    signals.extend(tdm::in_header(headers, place, url));
    signals
}
