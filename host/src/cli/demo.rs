//! `pixcrawler demo`: a whole crawl on this machine alone, in a minute.

mod contact_sheet;
mod gallery;

pub use contact_sheet::contact_sheet;
pub use gallery::{Expected, Gallery, ORIGIN, ServedGallery};
