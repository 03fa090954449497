//! Which addresses may be asked. Pure: nothing here resolves or connects.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

/// What may be reached: public addresses, and private ranges that the operator named.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressPolicy {
    allow_private: Vec<IpNet>,
}

/// Why an address is not asked. The text is for the user who named it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// Relative, or nothing at all.
    #[error("not an absolute address such as https://example.org/picture.jpg")]
    NotAbsolute,
    /// `file:`, `ftp:`, `data:`, …
    #[error("only http and https addresses are asked, not `{0}:`")]
    Scheme(String),
    /// `https://user:password@…`
    #[error("an address with a user name or a password is not asked")]
    UserInfo,
    /// A port on which no web server is expected.
    #[error("port {0} is not asked; 80, 443 and those above 1023 are")]
    Port(u16),
    /// More than 8 192 bytes.
    #[error("an address of more than {} bytes is not asked", AddressPolicy::MAX_URL_BYTES)]
    TooLong,
    /// The host is, or its name resolves to, an address that is not public.
    #[error(
        "`{host}` leads to {address}, which is not public ({range}); \
         only PIXCRAWLER_ALLOW_PRIVATE can open such a range"
    )]
    NotPublic {
        /// As in the URL.
        host: String,
        /// What it stands for.
        address: IpAddr,
        /// Name of the range it falls into.
        range: &'static str,
    },
}

impl AddressPolicy {
    const MAX_URL_BYTES: usize = 8192;

    pub(super) const fn new(allow_private: Vec<IpNet>) -> Self {
        Self { allow_private }
    }

    /// Parses `text` and checks what can be checked without a resolver.
    pub(super) fn parse(&self, text: &str) -> Result<Url, Blocked> {
        if text.len() > Self::MAX_URL_BYTES {
            return Err(Blocked::TooLong);
        }
        let url = Url::parse(text.trim()).map_err(|_| Blocked::NotAbsolute)?;
        let url = without_root_dot(url).ok_or(Blocked::NotAbsolute)?;
        self.check(&url)?;
        Ok(url)
    }

    /// Scheme, user, port, and the host if it is literal. `url` has already turned
    /// every spelling of a literal address (decimal, octal, short) into the usual one.
    pub(super) fn check(&self, url: &Url) -> Result<(), Blocked> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Blocked::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Blocked::UserInfo);
        }
        match url.host() {
            None => return Err(Blocked::NotAbsolute),
            Some(Host::Domain(_)) => {}
            Some(Host::Ipv4(address)) => self.check_address(&address.to_string(), address.into())?,
            Some(Host::Ipv6(address)) => self.check_address(&address.to_string(), address.into())?,
        }
        if let Some(port) = url.port().filter(|port| !matches!(port, 80 | 443 | 1024..)) {
            return Err(Blocked::Port(port));
        }
        if url.as_str().len() > Self::MAX_URL_BYTES {
            return Err(Blocked::TooLong);
        }
        Ok(())
    }

    /// Whether the host is a literal address in a private range that the operator named.
    pub(super) fn was_opened(&self, url: &Url) -> bool {
        let address: IpAddr = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            _ => return false,
        };
        self.allow_private.iter().any(|allowed| allowed.contains(&address))
    }

    /// One address that `host` stands for.
    pub(super) fn check_address(&self, host: &str, address: IpAddr) -> Result<(), Blocked> {
        match not_public(address) {
            Some(range) if !self.allow_private.iter().any(|allowed| allowed.contains(&address)) => {
                Err(Blocked::NotPublic { host: host.to_owned(), address, range })
            }
            _ => Ok(()),
        }
    }
}

/// `url` with `example.org.` as `example.org`: one host under two spellings would be two to
/// grants, pace and robots.txt. None when nothing is left.
pub(super) fn without_root_dot(mut url: Url) -> Option<Url> {
    if let Some(host) = url.host_str().filter(|host| host.ends_with('.')) {
        let host = host.trim_end_matches('.').to_owned();
        url.set_host(Some(&host)).ok()?;
    }
    Some(url)
}

/// The special-purpose range `address` falls into; none means that it is public.
/// From the IANA registries (RFC 6890 and successors). Addresses that carry another
/// address are refused whatever they carry: nothing public is reached only by them.
fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => {
            let bits = u32::from(address);
            let within = |(net, length, _): &&([u8; 4], u32, &str)| {
                (bits ^ u32::from_be_bytes(*net)) >> (32 - length) == 0
            };
            V4.iter().find(within).map(|(.., name)| *name)
        }
        IpAddr::V6(address) => {
            let bits = u128::from(address);
            let within = |(net, length, _): &&([u16; 8], u32, &str)| {
                (bits ^ u128::from(std::net::Ipv6Addr::from(*net))) >> (128 - length) == 0
            };
            let named = V6.iter().find(within).map(|(.., name)| *name);
            // All that is public today lies in 2000::/3.
            named.or_else(|| (bits >> 125 != 1).then_some("not global unicast"))
        }
    }
}

const V4: &[([u8; 4], u32, &str)] = &[
    ([0, 0, 0, 0], 8, "this network"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "carrier-grade NAT"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([169, 254, 0, 0], 16, "link-local"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "protocol assignments"),
    ([192, 0, 2, 0], 24, "documentation"),
    ([192, 88, 99, 0], 24, "6to4 relay"),
    ([192, 168, 0, 0], 16, "private"),
    ([198, 18, 0, 0], 15, "benchmarking"),
    ([198, 51, 100, 0], 24, "documentation"),
    ([203, 0, 113, 0], 24, "documentation"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([255, 255, 255, 255], 32, "broadcast"),
    ([240, 0, 0, 0], 4, "reserved"),
];

const V6: &[([u16; 8], u32, &str)] = &[
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, "unspecified"),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback"),
    ([0, 0, 0, 0, 0, 0, 0, 0], 96, "IPv4-compatible"),
    ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "IPv4-mapped"),
    ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, "NAT64"),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "NAT64"),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discard-only"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "Teredo"),
    ([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, "benchmarking"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "protocol assignments"),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation"),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4"),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation"),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "unique local"),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link-local"),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "site-local"),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges() {
        let check = |address: &str, expect: Option<&str>| {
            assert_eq!(not_public(address.parse().unwrap()), expect, "{address}");
        };
        for (first, last, name) in [
            ("0.0.0.0", "0.255.255.255", "this network"),
            ("10.0.0.0", "10.255.255.255", "private"),
            ("100.64.0.0", "100.127.255.255", "carrier-grade NAT"),
            ("127.0.0.0", "127.255.255.255", "loopback"),
            ("169.254.0.0", "169.254.169.254", "link-local"),
            ("172.16.0.0", "172.31.255.255", "private"),
            ("192.0.0.0", "192.0.0.255", "protocol assignments"),
            ("192.0.2.0", "192.0.2.255", "documentation"),
            ("192.88.99.0", "192.88.99.255", "6to4 relay"),
            ("192.168.0.0", "192.168.255.255", "private"),
            ("198.18.0.0", "198.19.255.255", "benchmarking"),
            ("198.51.100.0", "198.51.100.255", "documentation"),
            ("203.0.113.0", "203.0.113.255", "documentation"),
            ("224.0.0.0", "239.255.255.255", "multicast"),
            ("240.0.0.0", "255.255.255.254", "reserved"),
            ("255.255.255.255", "255.255.255.255", "broadcast"),
            ("::", "::", "unspecified"),
            ("::1", "::1", "loopback"),
            ("::2", "::8.8.8.8", "IPv4-compatible"),
            ("::ffff:0.0.0.0", "::ffff:8.8.8.8", "IPv4-mapped"),
            ("64:ff9b::", "64:ff9b::8.8.8.8", "NAT64"),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "NAT64"),
            ("100::", "100::ffff", "discard-only"),
            ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo"),
            ("2001:2::", "2001:2:0:ffff::", "benchmarking"),
            ("2001:10::", "2001:1ff:ffff::", "protocol assignments"),
            ("2001:db8::", "2001:db8:ffff::", "documentation"),
            ("2002::", "2002:808:808::1", "6to4"),
            ("3fff::", "3fff:fff::", "documentation"),
            ("4000::", "5f00::1", "not global unicast"),
            ("fc00::", "fdff:ffff::", "unique local"),
            ("fe80::1", "febf::", "link-local"),
            ("fec0::", "feff::", "site-local"),
            ("ff00::", "ff02::1", "multicast"),
        ] {
            check(first, Some(name));
            check(last, Some(name));
        }
        for public in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.114.0",
            "223.255.255.255",
            "2000::",
            "2001:200::1",
            "2001:db7::",
            "2001:db9::",
            "2003::1",
            "2606:4700::1111",
            "3fff:1000::",
        ] {
            check(public, None);
        }
    }

    #[test]
    fn addresses_of_users() {
        let policy = AddressPolicy::new(vec!["10.1.0.0/16".parse().unwrap()]);
        let check = |text: &str| policy.parse(text).map(String::from);
        let private = |host: &str, address: [u8; 4], range| {
            Err(Blocked::NotPublic { host: host.to_owned(), address: address.into(), range })
        };
        assert_eq!(check(" HTTPS://EXAMPLE.org:443/a#b "), Ok("https://example.org/a#b".to_owned()));
        assert_eq!(check("https://example.org.:8443/a"), Ok("https://example.org:8443/a".to_owned()));
        assert_eq!(check("http://./"), Err(Blocked::NotAbsolute));
        assert_eq!(check("http://8.8.8.8:8080/"), Ok("http://8.8.8.8:8080/".to_owned()));
        assert_eq!(check("http://10.1.2.3/"), Ok("http://10.1.2.3/".to_owned()));
        assert_eq!(check("http://10.2.0.1/"), private("10.2.0.1", [10, 2, 0, 1], "private"));
        assert_eq!(check("example.org/a.jpg"), Err(Blocked::NotAbsolute));
        assert_eq!(check("//example.org/a.jpg"), Err(Blocked::NotAbsolute));
        assert_eq!(check(""), Err(Blocked::NotAbsolute));
        assert_eq!(check("http://"), Err(Blocked::NotAbsolute));
        for scheme in ["file", "ftp", "gopher", "data", "javascript", "blob"] {
            assert_eq!(check(&format!("{scheme}://example.org/")), Err(Blocked::Scheme(scheme.to_owned())));
        }
        assert_eq!(check("http://user@example.org/"), Err(Blocked::UserInfo));
        assert_eq!(check("http://:secret@example.org/"), Err(Blocked::UserInfo));
        assert_eq!(check("http://example.org:22/"), Err(Blocked::Port(22)));
        assert_eq!(check("http://example.org:0/"), Err(Blocked::Port(0)));
        assert_eq!(check("http://example.org:1023/"), Err(Blocked::Port(1023)));
        assert_eq!(check("https://example.org:80/"), Ok("https://example.org:80/".to_owned()));
        assert_eq!(check(&format!("http://example.org/{}", "a".repeat(8192))), Err(Blocked::TooLong));
        assert_eq!(check(&format!("http://example.org/{}", "é".repeat(3000))), Err(Blocked::TooLong));
        for loopback in [
            "127.0.0.1",
            "127.0.0.1.",
            "127.0.0.1..",
            "127.1",
            "2130706433",
            "0x7f000001",
            "017700000001",
            "0177.0.0.1",
            "0x7f.1",
            "127.0.1",
            "１２７.0.0.1",
            "%31%32%37.0.0.1",
        ] {
            let found = check(&format!("http://{loopback}/"));
            assert!(
                matches!(found, Err(Blocked::NotPublic { range: "loopback", .. })),
                "{loopback}: {found:?}"
            );
        }
        for host in
            ["[::1]", "[::]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[fe80::1]", "0", "169.254.169.254"]
        {
            let found = check(&format!("http://{host}/"));
            assert!(matches!(found, Err(Blocked::NotPublic { .. })), "{host}: {found:?}");
        }
    }

    /// Whether a host is a name and no address.
    fn literal_free(host: &str) -> bool {
        host.trim_matches(['[', ']']).parse::<IpAddr>().is_err()
    }

    proptest! {
        #[test]
        fn what_the_standard_library_calls_special_is_not_public(bits: u32) {
            let address = std::net::Ipv4Addr::from(bits);
            if address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast()
                || address.is_broadcast() || address.is_documentation() || address.is_unspecified()
            {
                prop_assert!(not_public(address.into()).is_some());
            }
        }

        #[test]
        fn carried_addresses_are_not_public(bits: u32, low: u64) {
            let [a, b] = [(bits >> 16) as u16, bits as u16];
            for carrier in [
                [0, 0, 0, 0, 0, 0xffff, a, b], [0, 0, 0, 0, 0, 0, a, b], [0x64, 0xff9b, 0, 0, 0, 0, a, b],
                [0x2002, a, b, low as u16, 0, 0, 0, 1], [0x2001, 0, a, b, low as u16, 0, a, b],
            ] {
                prop_assert!(not_public(std::net::Ipv6Addr::from(carrier).into()).is_some());
            }
        }

        #[test]
        fn only_global_unicast_is_public(bits: u128) {
            let address = std::net::Ipv6Addr::from(bits);
            if not_public(address.into()).is_none() {
                prop_assert_eq!(address.segments()[0] & 0xe000, 0x2000);
            }
        }

        #[test]
        fn what_is_asked_is_what_was_checked(
            text: String,
            likely in "[ \t]?(https?|HTTP|ftp)?:?/{0,3}\\\\?([0-9]{1,10}|0x[0-9a-f]{1,8}|0[0-7]{1,4}|[a-z]{1,3}|\\.|:|@|\\[|\\]|%[0-9a-f]{2}|。|１|ü|/|#|\\?){0,16}",
        ) {
            for text in [text, likely] {
                let Ok(url) = AddressPolicy::default().parse(&text) else { continue };
                prop_assert!(matches!(url.scheme(), "http" | "https"));
                prop_assert!(url.username().is_empty() && url.password().is_none());
                prop_assert!(url.as_str().len() <= AddressPolicy::MAX_URL_BYTES);
                let host = url.host_str().unwrap();
                let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
                prop_assert!(literal.is_ok_and(|address| not_public(address).is_none()) || literal_free(host));
                let again = AddressPolicy::default().parse(url.as_str());
                prop_assert_eq!(again.as_ref(), Ok(&url));
            }
        }

        #[test]
        fn no_spelling_hides_an_address(low: u32, range in 0usize..4, spelling in 0usize..8) {
            let bits = [0x7f00_0000, 0x0a00_0000, 0xa9fe_0000, 0xc0a8_0000][range] | (low & 0xffff);
            let [a, b, c, d] = u32::to_be_bytes(bits);
            let host = match spelling {
                0 => format!("{bits}"),
                1 => format!("{bits:#x}"),
                2 => format!("{bits:#o}").replacen('o', "", 1),
                3 => format!("{a:#x}.{b}.{c:#x}.{d}"),
                4 => format!("{a}.{}", bits & 0x00ff_ffff),
                5 => format!("{a}.{b}.{}.", bits & 0xffff),
                6 => format!("%{:02x}{b}.{c}.{d}", b'0').replacen("%30", &format!("{a}."), 1),
                _ => format!("[::ffff:{a}.{b}.{c}.{d}]"),
            };
            let found = AddressPolicy::default().parse(&format!("http://{host}/"));
            prop_assert!(matches!(found, Err(Blocked::NotPublic { .. })), "{}: {:?}", host, found);
        }
    }
}
