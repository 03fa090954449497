//! Addresses: resolving references and escaping text.

/// The absolute http(s) address that `reference`, as it stands in a document
/// at `base`, means (RFC 3986 section 5, strict), without its fragment, which is
/// never sent. As browsers do, space around it and line breaks in it are
/// dropped, `\` counts as `/`, and what may not stand in an address is escaped.
/// `None` for everything that is not http(s) in the end: `data:`, `mailto:`,
/// `javascript:`, a broken base; and where the base, the reference or the address would be
/// longer than [`LONGEST`].
#[must_use]
pub fn resolve(base: &str, reference: &str) -> Option<String> {
    let base = clean(base)?;
    let reference = clean(reference)?;
    let base = Parts::of(&base);
    let given = Parts::of(&reference);
    let target = if given.scheme.is_some() {
        Parts { path: normal(given.path), ..given.owned() }
    } else if given.authority.is_some() {
        Parts { scheme: base.scheme, path: normal(given.path), ..given.owned() }
    } else if given.path.is_empty() {
        Parts { query: given.query.or(base.query), path: base.path.to_owned(), ..base.owned() }
    } else if given.path.starts_with('/') {
        Parts { query: given.query, path: normal(given.path), ..base.owned() }
    } else {
        let folder = base.path.rfind('/').map_or("/", |slash| &base.path[..=slash]);
        Parts { query: given.query, path: normal(&format!("{folder}{}", given.path)), ..base.owned() }
    };
    target.write().filter(|address| address.len() <= LONGEST)
}

/// Bytes of an address; the host takes none that is longer.
pub const LONGEST: usize = 2_048;

/// `text` for use as a name or value in a query, or as one segment of a path:
/// everything but letters, digits and `-._~` is percent-encoded as UTF-8.
#[must_use]
pub fn escape(text: &str) -> String {
    encode(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// A number that tells an absolute address, without its fragment, from a few hundred others: for
/// a source that remembers where it was.
#[must_use]
pub fn fingerprint(address: &str) -> u64 {
    hash([resolve(address, "").unwrap_or_default().as_bytes()])
}

/// FNV-1a: short, and the same in every build. Parts end with a byte that no text has.
pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let bytes = parts.into_iter().flat_map(|part| part.iter().chain(&[0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// An address in its parts; the fragment is left out.
struct Parts<'a, P> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: P,
    query: Option<&'a str>,
}

impl<'a> Parts<'a, &'a str> {
    fn of(address: &'a str) -> Self {
        let rest = address.split('#').next().unwrap_or(address);
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, rest),
        };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                Self { scheme, authority: Some(authority), path, query }
            }
            None => Self { scheme, authority: None, path: rest, query },
        }
    }

    fn owned(&self) -> Parts<'a, String> {
        Parts {
            scheme: self.scheme,
            authority: self.authority,
            path: self.path.to_owned(),
            query: self.query,
        }
    }
}

impl Parts<'_, String> {
    fn write(&self) -> Option<String> {
        let scheme = self.scheme?.to_ascii_lowercase();
        let authority = self.authority.filter(|authority| !authority.is_empty())?;
        if scheme != "http" && scheme != "https" {
            return None;
        }
        let path = if self.path.is_empty() { "/" } else { &self.path };
        let mut address = format!("{scheme}://{authority}{}", encode(path, may_stand));
        if let Some(query) = self.query {
            address.push('?');
            address.push_str(&encode(query, may_stand));
        }
        Some(address)
    }
}

/// None for what is too long, before anything is made of it.
fn clean(address: &str) -> Option<String> {
    let address = address.trim_matches(|c: char| c <= ' ');
    if address.len() > LONGEST {
        return None;
    }
    let path_end = address.find(['?', '#']).unwrap_or(address.len());
    let (path, rest) = address.split_at(path_end);
    let mut clean = path.replace('\\', "/");
    clean.push_str(rest);
    clean.retain(|c| !matches!(c, '\t' | '\n' | '\r'));
    Some(clean)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The path without `.` and `..` (RFC 3986 section 5.2.4).
fn normal(path: &str) -> String {
    let Some(segments) = path.strip_prefix('/') else { return path.to_owned() };
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = segments.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => {
                kept.push(segment);
                continue;
            }
        }
        // A dot segment at the end stands for the folder itself.
        if last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

const fn may_stand(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'`')
}

fn encode(text: &str, plain: impl Fn(u8) -> bool) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
            encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(base: &str, reference: &str, expect: &str) {
        assert_eq!(resolve(base, reference).as_deref(), Some(expect), "{base} {reference}");
    }

    #[test]
    fn fingerprints_are_without_fragments() {
        let same = fingerprint("https://example.org/a?b");
        assert_eq!(fingerprint(" https://example.org/a?b#c"), same);
        assert_ne!(fingerprint("https://example.org/a?c"), same);
    }

    #[test]
    fn examples_of_rfc_3986() {
        for (reference, expect) in [
            // Section 5.4.1, but for `g:h`, which is not http, and without fragments.
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            ("g?y#s", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            // Section 5.4.2.
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s/./x", "http://a/b/c/g"),
        ] {
            check("http://a/b/c/d;p?q", reference, expect);
        }
    }

    #[test]
    fn what_pages_write() {
        let base = "https://example.org/gallery/index.html";
        check(base, " photo.jpg\n", "https://example.org/gallery/photo.jpg");
        check(base, "//cdn.example.org/a.jpg", "https://cdn.example.org/a.jpg");
        check(base, "HTTP://Example.org/a.jpg", "http://Example.org/a.jpg");
        check(base, "my photo.jpg?w=1 2", "https://example.org/gallery/my%20photo.jpg?w=1%202");
        check(base, "grün.jpg", "https://example.org/gallery/gr%C3%BCn.jpg");
        check(base, "a%20b.jpg", "https://example.org/gallery/a%20b.jpg");
        check(base, "pho\nto.jpg", "https://example.org/gallery/photo.jpg");
        check(base, "..\\a.jpg?b=\\", "https://example.org/a.jpg?b=\\");
        check(base, "/a?b#c?d", "https://example.org/a?b");
        check("https://example.org", "a.jpg", "https://example.org/a.jpg");
        check("https://example.org", "", "https://example.org/");
        check("https://example.org?x", "?y", "https://example.org/?y");
    }

    #[test]
    fn what_is_not_a_web_address() {
        for (base, reference) in [
            ("https://example.org/", "data:image/gif;base64,R0lGOD"),
            ("https://example.org/", "javascript:void(0)"),
            ("https://example.org/", "mailto:a@example.org"),
            ("https://example.org/", "g:h"),
            ("https://example.org/", "http:g"),
            ("https://example.org/", "https:///g"),
            ("ftp://example.org/", "a"),
            ("example.org/", "a"),
            ("", ""),
        ] {
            assert_eq!(resolve(base, reference), None, "{base} {reference}");
        }
    }

    #[test]
    fn what_is_too_long() {
        let base = "https://example.org/";
        let fill = |length: usize| "a".repeat(length);
        let full = format!("{base}{}", fill(LONGEST - base.len()));
        assert_eq!(resolve(base, &full).as_deref(), Some(full.as_str()));
        assert_eq!(resolve(base, &fill(LONGEST - base.len())).as_deref(), Some(full.as_str()));
        assert_eq!(resolve(&full, "?b"), None);
        assert_eq!(resolve(&format!("{full}a"), "/b"), None);
        assert_eq!(resolve(base, &fill(LONGEST)), None);
        assert_eq!(resolve(base, &fill(1 << 20)), None);
        assert_eq!(resolve(base, &"ü".repeat(LONGEST / 4)), None);
    }

    #[test]
    fn escaping() {
        assert_eq!(escape("a-b._~Z9"), "a-b._~Z9");
        assert_eq!(escape("a b&c=d/ü%"), "a%20b%26c%3Dd%2F%C3%BC%25");
    }

    proptest! {
        #[test]
        fn any_reference_gives_a_clean_address_or_none(
            base in ".*",
            reference in ".*",
            likely in "[a-z/.?#:\\\\ ]*",
        ) {
            for base in [base.as_str(), "https://example.org/a/b?c"] {
                for reference in [reference.as_str(), likely.as_str()] {
                    let Some(address) = resolve(base, reference) else { continue };
                    prop_assert!(address.starts_with("http://") || address.starts_with("https://"));
                    prop_assert!(!address.contains('#'));
                    // Resolving what came out changes nothing more.
                    let again = resolve(&address, &address);
                    prop_assert_eq!(again.as_deref(), Some(address.as_str()));
                }
            }
        }
    }
}
