//! What the source makes of answers, natively: `cargo test`.

use pixcrawler_sdk::{Answer, Error, Paged, Query};
use source::Source;

const URL: &str = "https://api.example.org/photos?q=fox&page=1";

#[test]
fn an_empty_page_is_the_last() {
    let answer = Answer::of(URL, 200, r#"{"photos": [], "pages": 0}"#);
    let (found, more) = Source::read(&Query::of("fox"), 1, answer).unwrap();
    assert_eq!((found.candidates.len(), more), (0, false));
}

#[test]
fn a_foreign_answer_is_no_empty_page() {
    let answer = Answer::of(URL, 200, r#"{"images": []}"#);
    assert!(matches!(Source::read(&Query::of("fox"), 1, answer), Err(Error::LayoutChanged(_))));
}
