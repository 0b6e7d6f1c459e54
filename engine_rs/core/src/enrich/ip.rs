//! Addresses: read from whatever a proxy or socket calls them, and kept as little as the operator asks for.

use super::Arena;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How much of a visitor's address is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepIp {
    /// Nothing.
    None,
    /// The network: /24 of IPv4, /48 of IPv6.
    #[default]
    Truncated,
    /// All of it.
    Full,
}

/// The client's address in `text`: an address with or without port, brackets, zone or quotes, a gRPC peer (`ipv4:...`,
/// `ipv6:...`), or a list of such (`X-Forwarded-For`), of which the first public address counts, or else the first one.
/// IPv4 mapped into IPv6 becomes IPv4.
#[must_use]
pub fn parse(text: &[u8]) -> Option<IpAddr> {
    let mut first = None;
    for part in text.split(|&byte| byte == b',') {
        let Some(address) = std::str::from_utf8(part).ok().and_then(parse_one) else {
            continue;
        };
        if is_public(address) {
            return Some(address);
        }
        first = first.or(Some(address));
    }
    first
}

fn parse_one(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '"');
    let text = text.strip_prefix("ipv4:").unwrap_or(text);
    let text = text.strip_prefix("ipv6:").unwrap_or(text);
    let bracketed = text.strip_prefix('[').or_else(|| text.strip_prefix("%5B"));
    let address = match bracketed {
        Some(inner) => inner.split(']').next()?.split("%5D").next()?,
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => host,
            _ => text,
        },
    };
    let address = address.split('%').next()?;
    address.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || shared)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local())
        }
    }
}

/// As much of `address` as may be stored, as text in `arena`.
#[must_use]
pub fn keep(address: IpAddr, keep: KeepIp, arena: &Arena) -> &[u8] {
    let kept = match keep {
        KeepIp::None => return b"",
        KeepIp::Truncated => truncate(address),
        KeepIp::Full => address,
    };
    arena.alloc_slice_copy(kept.to_string().as_bytes())
}

fn truncate(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & !0xff).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 80)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> Option<String> {
        parse(text.as_bytes()).map(|ip| ip.to_string())
    }

    #[test]
    fn addresses_are_found_in_every_dress() {
        for (text, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            (" \"203.0.113.7:4711\" ", "203.0.113.7"),
            ("ipv4:203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("ipv6:[2001:db8::1]:443", "2001:db8::1"),
            ("ipv6:%5B2001:db8::1%5D:443", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("203.0.113.7, 198.51.100.2", "203.0.113.7"),
            (
                "10.0.0.3, unknown, 203.0.113.7, 198.51.100.2",
                "203.0.113.7",
            ),
            ("192.168.0.3,10.0.0.1", "192.168.0.3"),
        ] {
            assert_eq!(ip(text).as_deref(), Some(expected), "{text}");
        }
        for junk in [
            "",
            "unknown",
            "_hidden",
            "300.1.1.1",
            "unix:/tmp/x",
            "[",
            ",,",
            "1.2.3",
        ] {
            assert_eq!(ip(junk), None, "{junk}");
        }
    }

    #[test]
    fn no_more_is_kept_than_asked_for() {
        let arena = Arena::new();
        let v4 = IpAddr::from([203, 0, 113, 77]);
        let v6: IpAddr = "2001:db8:1:2:3:4:5:6".parse().unwrap();
        assert_eq!(keep(v4, KeepIp::None, &arena), b"");
        assert_eq!(keep(v4, KeepIp::Truncated, &arena), b"203.0.113.0");
        assert_eq!(keep(v4, KeepIp::Full, &arena), b"203.0.113.77");
        assert_eq!(keep(v6, KeepIp::Truncated, &arena), b"2001:db8:1::");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(text: Vec<u8>) {
            let _ = parse(&text);
        }

        #[test]
        fn every_address_is_read_back(ip: IpAddr, port: u16) {
            let expected = Some(ip.to_canonical());
            prop_assert_eq!(parse(ip.to_string().as_bytes()), expected);
            prop_assert_eq!(parse(std::net::SocketAddr::new(ip, port).to_string().as_bytes()), expected);
        }
    }
}
