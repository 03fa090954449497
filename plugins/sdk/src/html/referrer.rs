//! Where a page lets its pictures be asked from (Referrer Policy).

use crate::url;

/// What a browser says about the page when it asks for a picture of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Policy {
    /// What browsers and the host do by themselves: the origin, to the page's own site the address.
    #[default]
    StrictOriginWhenCrossOrigin,
    NoReferrer,
    NoReferrerWhenDowngrade,
    Origin,
    OriginWhenCrossOrigin,
    SameOrigin,
    StrictOrigin,
    UnsafeUrl,
}

impl Policy {
    /// The last policy that is known in a list with commas; old names too.
    pub(super) fn of(words: &str) -> Option<Self> {
        words.split(',').rev().find_map(|word| match word.trim().to_ascii_lowercase().as_str() {
            "no-referrer" | "never" => Some(Self::NoReferrer),
            "no-referrer-when-downgrade" => Some(Self::NoReferrerWhenDowngrade),
            "origin" => Some(Self::Origin),
            "origin-when-cross-origin" | "origin-when-crossorigin" => Some(Self::OriginWhenCrossOrigin),
            "same-origin" => Some(Self::SameOrigin),
            "strict-origin" => Some(Self::StrictOrigin),
            "strict-origin-when-cross-origin" | "default" => Some(Self::StrictOriginWhenCrossOrigin),
            "unsafe-url" | "always" => Some(Self::UnsafeUrl),
            _ => None,
        })
    }

    /// The header for a picture of the page, where it is another than the host's own; with an empty
    /// value where none is sent.
    pub(super) fn header(self, page: &str, picture: &str) -> Option<(String, String)> {
        let referrer = self.referrer(page, picture);
        (referrer != Self::default().referrer(page, picture)).then(|| ("referer".to_owned(), referrer))
    }

    /// Whether the host says no more than this allows when it asks for another copy of a picture: at the
    /// picture's origin what it says for the picture, elsewhere what it says by itself.
    pub(super) fn covers(self, page: &str, picture: &str, copy: &str) -> bool {
        self == Self::default()
            || url::origin(picture) == url::origin(copy)
            || self.referrer(page, copy).starts_with(&Self::default().referrer(page, copy))
    }

    /// The one that says less when all copies of a picture are asked for.
    pub(super) fn stricter<'a>(
        self,
        other: Self,
        page: &str,
        copies: impl Iterator<Item = &'a String> + Clone,
    ) -> Self {
        let length =
            |policy: Self| copies.clone().map(|copy| policy.referrer(page, copy).len()).sum::<usize>();
        if self != other && length(other) < length(self) { other } else { self }
    }

    fn referrer(self, page: &str, picture: &str) -> String {
        let is_same = url::origin(page) == url::origin(picture);
        let is_downgrade = page.starts_with("https:") && picture.starts_with("http:");
        let (full, origin) = (|| page.to_owned(), || format!("{}/", url::origin(page)));
        match self {
            Self::NoReferrer => String::new(),
            Self::Origin => origin(),
            Self::UnsafeUrl => full(),
            Self::SameOrigin if !is_same => String::new(),
            Self::OriginWhenCrossOrigin if !is_same => origin(),
            _ if is_downgrade => String::new(),
            Self::StrictOrigin => origin(),
            Self::StrictOriginWhenCrossOrigin if !is_same => origin(),
            _ => full(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let page = "https://example.org/a?b";
        let (own, other, plain) =
            ("https://example.org/1.jpg", "https://cdn.example.org/1.jpg", "http://example.org/1.jpg");
        let (origin, none) = ("https://example.org/", "");
        for (policy, picture, expect) in [
            ("strict-origin-when-cross-origin", own, None),
            ("nonsense", other, None),
            ("", own, None),
            ("no-referrer", own, Some(none)),
            ("no-referrer", plain, None),
            ("Never", other, Some(none)),
            ("origin", own, Some(origin)),
            ("origin", other, None),
            ("origin", plain, Some(origin)),
            ("same-origin", own, None),
            ("same-origin", other, Some(none)),
            ("strict-origin", own, Some(origin)),
            ("strict-origin", plain, None),
            ("unsafe-url", other, Some(page)),
            ("no-referrer, unsafe-url, nonsense", other, Some(page)),
            ("no-referrer-when-downgrade", other, Some(page)),
            ("no-referrer-when-downgrade", plain, None),
            ("origin-when-cross-origin", plain, Some(origin)),
        ] {
            let header = Policy::of(policy).unwrap_or_default().header(page, picture);
            let expect = expect.map(|value| ("referer".to_owned(), value.to_owned()));
            assert_eq!(header, expect, "{policy} {picture}");
        }
    }
}
