//! Addresses: resolving references and escaping text.

use std::net::Ipv6Addr;

/// The absolute http(s) address that `reference`, as it stands in a document at `base`, means to
/// browsers (the URL standard), without its fragment, which is never sent; see [`parse`].
/// `None` for everything else.
#[must_use]
pub fn resolve(base: &str, reference: &str) -> Option<String> {
    parse(base, reference).ok()
}

/// Bytes of an address; the host takes none that is longer.
pub const LONGEST: usize = 8_192;

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The base, the reference or what it means has more than [`LONGEST`] bytes.
    TooLong,
    /// It is not of the web: `data:`, `mailto:`, `javascript:`.
    Foreign,
    /// It cannot be asked for: no host, a port that is none; or it is relative, and `base` is none.
    Broken,
}

/// As [`resolve`], which says nothing of why there is no address. Space around the reference and line
/// breaks in it are dropped, `\` counts as `/`, as many slashes as there are begin a host, what may not
/// stand in an address is escaped as UTF-8, names of hosts are in small letters and numeric ones as
/// usual. Beyond ASCII the names of hosts and the query stay as they are: the host puts names into their
/// other form and escapes the query in the encoding of the page, which it alone knows. Of a base that is
/// nothing but a scheme (`https:`) that is taken.
///
/// # Errors
///
/// Why there is none.
pub fn parse(base: &str, reference: &str) -> Result<String, Fault> {
    let reference = clean(reference)?;
    let (scheme, rest) = match scheme(&reference) {
        Some((scheme, rest)) if scheme == "http" || scheme == "https" => (Some(scheme), rest),
        Some(_) => return Err(Fault::Foreign),
        None => (None, reference.as_str()),
    };
    let base = Base::of(base)?;
    let is_relative = scheme.as_ref().is_none_or(|scheme| *scheme == base.scheme);
    let slashes = rest.bytes().take_while(|&byte| matches!(byte, b'/' | b'\\')).count();
    // `http:a` and `http:/a` are relative to a page of the same scheme.
    let address = if slashes >= 2 || !is_relative || base.origin.is_empty() {
        let scheme = match scheme {
            Some(scheme) => scheme,
            None if slashes >= 2 && !base.scheme.is_empty() => base.scheme,
            None => return Err(Fault::Broken),
        };
        absolute(&scheme, &rest[slashes..])?
    } else {
        let (path, query) = split(rest);
        let folder = base.path.rfind('/').map_or("/", |slash| &base.path[..=slash]);
        let (path, query) = match path {
            "" => (base.path.clone(), query.map(ToOwned::to_owned).or(base.query)),
            _ if slashes > 0 => (normal(&[path]), query.map(ToOwned::to_owned)),
            _ => (normal(&[folder, path]), query.map(ToOwned::to_owned)),
        };
        write(&base.origin, &path, query.as_deref())
    };
    if address.len() <= LONGEST { Ok(address) } else { Err(Fault::TooLong) }
}

/// `text` for use as a name or value in a query, or as one segment of a path:
/// everything but letters, digits and `-._~` is percent-encoded as UTF-8.
#[must_use]
pub fn escape(text: &str) -> String {
    encode(text, |c| c.is_ascii_alphanumeric() || "-._~".contains(c))
}

/// Scheme, host and port of an absolute address as [`resolve`] gives it: `https://example.org`.
#[must_use]
pub fn origin(address: &str) -> &str {
    let host = address.find("://").map_or(0, |at| at + 3);
    let end = address.bytes().skip(host).position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let end = end.map_or(address.len(), |at| host + at);
    &address[..end]
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

/// What a reference is relative to.
#[derive(Default)]
struct Base {
    /// `http`, `https` or empty.
    scheme: String,
    /// As it is written; empty where only the scheme is known.
    origin: String,
    path: String,
    query: Option<String>,
}

impl Base {
    /// What is no address of the web is no base.
    fn of(address: &str) -> Result<Self, Fault> {
        if address.len() <= LONGEST && is_plain(address) {
            let (path, query) = split(&address[origin(address).len()..]);
            return Ok(Self {
                scheme: address.split(':').next().unwrap_or_default().to_owned(),
                origin: origin(address).to_owned(),
                path: path.to_owned(),
                query: query.map(ToOwned::to_owned),
            });
        }
        let address = clean(address)?;
        let Some((scheme, rest)) = scheme(&address).filter(|(scheme, _)| is_web(scheme)) else {
            return Ok(Self::default());
        };
        let rest = rest.trim_start_matches(['/', '\\']);
        if rest.is_empty() {
            return Ok(Self { scheme, ..Self::default() });
        }
        let Ok(address) = absolute(&scheme, rest) else { return Ok(Self::default()) };
        let origin = origin(&address);
        let (path, query) = split(&address[origin.len()..]);
        Ok(Self {
            scheme,
            origin: origin.to_owned(),
            path: path.to_owned(),
            query: query.map(ToOwned::to_owned),
        })
    }
}

/// Whether it certainly is an address as [`resolve`] gives it, like almost all bases.
fn is_plain(address: &str) -> bool {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    let Some((host, path)) = rest.and_then(|rest| Some(rest.split_at(rest.find('/')?))) else { return false };
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_~.,=&+?".contains(&byte);
    is_plain_host(host) && path.bytes().all(is_usual) && !path.contains("/.")
}

fn is_plain_host(host: &str) -> bool {
    host.ends_with(|c: char| c.is_ascii_lowercase())
        && host
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte))
        && !host.rsplit('.').next().is_some_and(is_numeric)
}

/// Without space around it and line breaks; what is too long before anything is made of it.
fn clean(address: &str) -> Result<String, Fault> {
    let address = address.trim_matches(|c: char| c <= ' ');
    if address.len() > LONGEST {
        return Err(if is_inline(address) { Fault::Foreign } else { Fault::TooLong });
    }
    // The fragment is read by nobody else.
    let address = address.split('#').next().unwrap_or_default();
    let mut clean = address.to_owned();
    if address.bytes().any(|byte| matches!(byte, b'\t' | b'\n' | b'\r')) {
        clean.retain(|c| !matches!(c, '\t' | '\n' | '\r'));
    }
    Ok(clean)
}

/// Pictures that stand in the page itself may be long.
fn is_inline(address: &str) -> bool {
    address.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("data:"))
}

/// The scheme in small letters, and what stands behind its colon.
fn scheme(address: &str) -> Option<(String, &str)> {
    let (scheme, rest) = address.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then(|| (scheme.to_ascii_lowercase(), rest))
}

fn is_web(scheme: &str) -> bool {
    scheme == "http" || scheme == "https"
}

/// The address of that scheme, of which `rest` is what stands behind the slashes.
fn absolute(scheme: &str, rest: &str) -> Result<String, Fault> {
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'\\' | b'?')).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (user_of(user), place),
        None => (String::new(), authority),
    };
    // A host in brackets has colons of its own.
    let colon = place.rfind(':').filter(|&colon| !place[colon..].contains(']'));
    let (host, port) = match colon {
        Some(colon) => (&place[..colon], &place[colon + 1..]),
        None => (place, ""),
    };
    let host = host_of(host).ok_or(Fault::Broken)?;
    let port = port_of(port, scheme)?;
    let (path, query) = split(rest);
    Ok(write(&format!("{scheme}://{user}{host}{port}"), &normal(&[path]), query))
}

/// `name:word@` of what stands in front of the last `@`; nothing where both are empty.
fn user_of(user: &str) -> String {
    let escape = |text: &str| encode(text, |c| c.is_ascii_graphic() && !"\"#<>?`{}^/:;=@[\\]|".contains(c));
    match user.split_once(':') {
        None | Some((_, "")) => {
            let name = user.strip_suffix(':').unwrap_or(user);
            if name.is_empty() { String::new() } else { format!("{}@", escape(name)) }
        }
        Some((name, word)) => format!("{}:{}@", escape(name), escape(word)),
    }
}

/// `:8080`, or nothing where it is the scheme's own.
fn port_of(port: &str, scheme: &str) -> Result<String, Fault> {
    if port.is_empty() {
        return Ok(String::new());
    }
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let number: u16 = port.parse().ok().filter(|_| is_number).ok_or(Fault::Broken)?;
    let own = if scheme == "https" { 443 } else { 80 };
    Ok(if number == own { String::new() } else { format!(":{number}") })
}

fn host_of(host: &str) -> Option<String> {
    if is_plain_host(host) {
        return Some(host.to_owned());
    }
    if let Some(inside) = host.strip_prefix('[') {
        return ipv6(inside.strip_suffix(']')?);
    }
    let host = String::from_utf8(percent_decoded(host)).ok()?.to_ascii_lowercase();
    let forbidden = |c: char| c.is_ascii_control() || " #%/:<>?@[\\]^|".contains(c);
    if host.is_empty() || host.contains(forbidden) {
        return None;
    }
    match host.trim_end_matches('.').rsplit('.').next() {
        // A last part that is a number makes all of it one.
        Some(last) if host.is_ascii() && is_numeric(last) && !host.ends_with("..") => ipv4(&host),
        _ => Some(host),
    }
}

fn is_numeric(part: &str) -> bool {
    let is_decimal = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal || part.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// `127.0.0.1` of `0x7f.1` and the like.
fn ipv4(host: &str) -> Option<String> {
    let parts: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
    let number = |part: &&str| match (part.strip_prefix("0x"), part.strip_prefix('0')) {
        (Some(""), _) => Some(0),
        (Some(hex), _) => u32::from_str_radix(hex, 16).ok(),
        (None, Some(octal)) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok(),
        _ => part.parse().ok(),
    };
    let (last, firsts) = parts.split_last()?;
    let room = 4_usize.checked_sub(firsts.len()).filter(|room| *room > 0)?;
    let mut address = u64::from(number(last)?);
    if address >= 1 << (8 * room) {
        return None;
    }
    for (at, part) in firsts.iter().enumerate() {
        let byte = u8::try_from(number(part)?).ok()?;
        address |= u64::from(byte) << (8 * (3 - at));
    }
    let bytes: Vec<String> = (0..4).rev().map(|at| (address >> (8 * at) & 0xff).to_string()).collect();
    Some(bytes.join("."))
}

/// In brackets, the longest row of noughts left out.
fn ipv6(inside: &str) -> Option<String> {
    let parts = inside.parse::<Ipv6Addr>().ok()?.segments();
    let row = |from: usize| parts[from..].iter().take_while(|part| **part == 0).count();
    let longest = (0..parts.len()).rev().max_by_key(|&from| row(from)).filter(|&from| row(from) > 1);
    let shown = |parts: &[u16]| parts.iter().map(|part| format!("{part:x}")).collect::<Vec<_>>().join(":");
    Some(match longest {
        Some(from) => format!("[{}::{}]", shown(&parts[..from]), shown(&parts[from + row(from)..])),
        None => format!("[{}]", shown(&parts)),
    })
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).filter(|_| byte == b'%');
        let hex = hex.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(escaped) => {
                decoded.push(escaped);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

fn split(rest: &str) -> (&str, Option<&str>) {
    match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    }
}

/// The path that these make one behind the other, without `.` and `..`.
fn normal(parts: &[&str]) -> String {
    let whole = parts.concat();
    let whole = if whole.contains('\\') { whole.replace('\\', "/") } else { whole };
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = whole.strip_prefix('/').unwrap_or(&whole).split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        let is_one_of = |dots: &[&str]| dots.iter().any(|dots| segment.eq_ignore_ascii_case(dots));
        if segment.len() > 6 || !(is_one_of(&[".", "%2e"]) || is_one_of(&PARENTS)) {
            kept.push(segment);
            continue;
        }
        if is_one_of(&PARENTS) {
            kept.pop();
        }
        // A dot segment at the end stands for the folder itself.
        if last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

/// How the folder above is written.
const PARENTS: [&str; 4] = ["..", ".%2e", "%2e.", "%2e%2e"];

fn write(origin: &str, path: &str, query: Option<&str>) -> String {
    let in_path = |c: char| c.is_ascii_graphic() && !"\"#<>?^`{}".contains(c);
    let in_query = |c: char| !c.is_ascii() || (c.is_ascii_graphic() && !"\"#<>'".contains(c));
    let mut address = format!("{origin}{}", encode(path, in_path));
    if let Some(query) = query {
        address.push('?');
        address.push_str(&encode(query, in_query));
    }
    address
}

fn encode(text: &str, plain: impl Fn(char) -> bool) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        if plain(c) {
            encoded.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
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
        check(base, "HTTP://Example.ORG:80/a.jpg", "http://example.org/a.jpg");
        check(base, "https:a.jpg", "https://example.org/gallery/a.jpg");
        check(base, "https:/a.jpg", "https://example.org/a.jpg");
        check(base, "https:///cdn.example.org/a.jpg", "https://cdn.example.org/a.jpg");
        check(base, "http:cdn.example.org/a.jpg", "http://cdn.example.org/a.jpg");
        check(base, "\\\\cdn.example.org\\a.jpg", "https://cdn.example.org/a.jpg");
        check(base, "/a//b.jpg", "https://example.org/a//b.jpg");
        check(base, "/a/%2e%2E/b%2Ejpg", "https://example.org/b%2Ejpg");
        check(base, "/{a}|b'?{c}'", "https://example.org/%7Ba%7D|b'?{c}%27");
        check(base, "/gr%FCn.jpg?%", "https://example.org/gr%FCn.jpg?%");
        check(base, "//bücher.example/a", "https://bücher.example/a");
        check(base, "//0x7f.1/a", "https://127.0.0.1/a");
        check(base, "//[2001:DB8:0:0:1::]:8080", "https://[2001:db8:0:0:1::]:8080/");
        check(base, "//a:b@c@ex%41mple.org", "https://a:b%40c@example.org/");
        check("https:", "//example.org/a", "https://example.org/a");
        check(base, "my photo.jpg?w=1 2", "https://example.org/gallery/my%20photo.jpg?w=1%202");
        check(base, "grün.jpg", "https://example.org/gallery/gr%C3%BCn.jpg");
        check(base, "/ö?grün='狐 '&%FC#ü", "https://example.org/%C3%B6?grün=%27狐%20%27&%FC");
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
            ("https://example.org/", "https://"),
            ("https://example.org/", "//a b/"),
            ("https://example.org/", "//a:99999/"),
            ("https://example.org/", "//256.1/"),
            ("https://example.org/", "//[::1/"),
            ("https:", "a"),
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
        assert_eq!(resolve(base, &format!("?{}", "ü".repeat(LONGEST / 2 - 5))), None);
        assert_eq!(parse(base, &fill(LONGEST)), Err(Fault::TooLong));
        assert_eq!(parse(base, &format!("data:,{}", fill(LONGEST))), Err(Fault::Foreign));
        assert_eq!(parse(base, "mailto:a"), Err(Fault::Foreign));
        assert_eq!(parse(base, "https://"), Err(Fault::Broken));
        assert_eq!(parse("", "/a"), Err(Fault::Broken));
    }

    #[test]
    fn origins() {
        assert_eq!(origin("https://example.org:8080/a?b"), "https://example.org:8080");
        assert_eq!(origin("http://example.org"), "http://example.org");
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
