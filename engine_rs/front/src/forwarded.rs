//! Which address a request came from: `X-Forwarded-For` counts only as far as trusted proxies wrote it.

use hyper::HeaderMap;
use hyper::header::HeaderName;
use ipnet::IpNet;
use std::net::IpAddr;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Networks of proxies that are believed.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Those of these networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The nearest address that is no trusted proxy; `None` where the header cannot be read.
    pub(crate) fn remote_ip<'h>(&self, headers: &'h HeaderMap, peer: &'h str) -> Option<&'h str> {
        let is_believed =
            !self.0.is_empty() && headers.contains_key(FORWARDED_FOR) && self.is_trusted(peer);
        if !is_believed {
            return Some(peer);
        }
        let mut farthest = "";
        // Proxies may add a header of their own instead of extending the one that is there.
        for value in headers.get_all(FORWARDED_FOR).iter().rev() {
            for hop in value.to_str().ok()?.rsplit(',').map(str::trim) {
                if !hop.is_empty() && !self.is_trusted(hop) {
                    return Some(hop);
                }
                farthest = hop;
            }
        }
        Some(if farthest.is_empty() { peer } else { farthest })
    }

    fn is_trusted(&self, address: &str) -> bool {
        let address = address.parse::<IpAddr>();
        address.is_ok_and(|address| self.0.iter().any(|network| network.contains(&address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote_ip(peer: &str, forwarded: &[&str]) -> String {
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        proxies.remote_ip(&headers, peer).unwrap().to_owned()
    }

    #[test]
    fn an_address_is_believed_as_far_as_trusted_proxies_wrote_it() {
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["203.0.113.7"][..], "192.0.2.1"),
            ("10.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            (
                "10.0.0.1",
                &["6.6.6.6, 203.0.113.7 , 10.9.9.9"],
                "203.0.113.7",
            ),
            (
                "10.0.0.1",
                &["6.6.6.6", "203.0.113.7", "10.2.2.2"],
                "203.0.113.7",
            ),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ] {
            assert_eq!(remote_ip(peer, forwarded), expected, "{forwarded:?}");
        }
    }
}
