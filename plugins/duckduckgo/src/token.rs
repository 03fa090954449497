//! The token that belongs to the search words.

use pixcrawler_sdk::{Error, Result, text};

use crate::refusal;

const NAME: &str = "vqd=";
/// In characters; real ones have thirty and more.
const SHORTEST: usize = 8;

/// The token in the search page, where scripts hold it as `vqd="4-123…"`, with
/// other quotation marks, or as a parameter of an address.
pub(crate) fn read(page: &str) -> Result<String> {
    let token = page.split(NAME).skip(1).find_map(|rest| {
        let rest = rest.trim_start_matches(['"', '\'']);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
        // A word would be the name of a variable.
        let sound = end >= SHORTEST && rest.starts_with(|c: char| c.is_ascii_digit());
        sound.then(|| text::token(&rest[..end]))
    });
    token.unwrap_or_else(|| {
        Err(refusal(page).unwrap_or_else(|| {
            Error::LayoutChanged("looked for the token `vqd` in the search page".to_owned())
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_however_they_are_quoted() {
        for page in [
            r#"<script>x=1;vqd="4-123456789-0";y=2</script>"#,
            "<script>vqd='4-123456789-0';</script>",
            r#"<script>fetch("/d.js?q=x&vqd=4-123456789-0&p=1")</script>"#,
            "vqd=encodeURIComponent(token); vqd=''; vqd=\"4-123456789-0\"",
            "vqd=4-123456789-0",
        ] {
            assert_eq!(read(page).as_deref(), Ok("4-123456789-0"), "{page}");
        }
    }

    #[test]
    fn pages_without_a_token_are_told_apart() {
        for page in ["", "<html><body>vqd</body></html>", "vqd=", "vqd=\"\"", "vqd=12"] {
            let Err(Error::LayoutChanged(message)) = read(page) else { panic!("{page}") };
            assert!(message.contains("vqd"), "{message}");
        }
        let challenge = r#"<div class="anomaly-modal__title">Unfortunately, bots use it too.</div>"#;
        assert_eq!(read(challenge), Err(Error::RateLimited(None)));
        assert!(matches!(read("if(DDG.deep){DDG.deep.is506=1;}"), Err(Error::Unavailable(_))));
    }
}
