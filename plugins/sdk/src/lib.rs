//! What makes a `PixCrawler` source short.
//!
//! A source is a pure function: it is given the answers to what it asked for,
//! and says which pictures it found and what to ask for next. An author
//! implements one of these traits and exports it with [`export_source!`]:
//!
//! - [`Paged`]: page 1, 2, 3, … of a list;
//! - [`Chained`]: each answer says where the next one is;
//! - [`Listed`]: a list in pages, and a request for each thing on it;
//! - [`Machine`]: anything else.
//!
//! ```
//! use pixcrawler_sdk::{Answer, Candidate, Found, Info, Paged, Pages, Query, Request, Result};
//! use serde::Deserialize;
//!
//! struct Example;
//!
//! #[derive(Deserialize)]
//! struct Page {
//!     photos: Vec<Photo>,
//! }
//!
//! #[derive(Deserialize)]
//! struct Photo {
//!     file: String,
//! }
//!
//! impl Paged for Example {
//!     fn info() -> Info {
//!         Info::keywords("example", "Example", "1.0.0").api("api.example.org")
//!     }
//!
//!     fn page(query: &Query, number: u32) -> Request {
//!         let number = number.to_string();
//!         Request::get("https://api.example.org/photos", &[("q", &query.text), ("page", &number)])
//!     }
//!
//!     fn read(_: &Query, _: u32, answer: Answer) -> Result<(Found, bool)> {
//!         let page: Page = answer.response()?.json()?;
//!         let more = !page.photos.is_empty();
//!         Ok((page.photos.into_iter().map(|photo| Candidate::new(photo.file)).collect(), more))
//!     }
//! }
//!
//! pixcrawler_sdk::export_source!(Pages<Example>);
//! ```
//!
//! Everything but the export is ordinary Rust, so a source is tested natively:
//! call `read` with an [`Answer::of`] a recorded body.

#[doc(hidden)]
pub mod bindings;
mod machine;
mod list;
mod walk;
mod found;
mod message;
mod part;
mod repeat;
mod candidate;
mod number;
mod lenient;
mod describe;
mod filter;
pub mod date;
mod log;
pub mod html;
pub mod json;
pub mod text;
pub mod url;
pub mod xml;

pub use bindings::pixcrawler::source::log::Level;
pub use bindings::pixcrawler::source::types::{
    Answer, Candidate, Checksum, Content, CredentialHeader, CredentialKind, CredentialSpec, Digest,
    Dimensions, Error, Failure, HostKind, HostRule, Info, Input, License, Method, Next, OptionKind,
    OptionSpec, Query, Request, Response, Step,
};
pub use candidate::media_type;
pub use filter::Filter;
pub use found::Found;
pub use lenient::{Flag, Lenient};
pub use list::{Chain, Chained, Paged, Pages};
pub use log::log;
pub use machine::{CANDIDATES_PER_STEP, Component, Machine, Result, Turn};
pub use number::{Side, Whole};
pub use part::Part;
pub use repeat::Seen;
pub use walk::{List, Listed};

#[doc(hidden)]
pub use bindings::export_bindings;

/// Makes a [`Machine`] the source that this component exports; once per crate.
/// In a native build, for tests, it only checks that it is one: native linkers
/// refuse the names of a component's exports.
#[macro_export]
macro_rules! export_source {
    ($machine:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::Component<$machine>;
    $crate::export_bindings!(Exported with_types_in $crate::bindings);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() -> $crate::Info = <$machine as $crate::Machine>::info;
    };
}
