//! Where an address is, from an MMDB file that the operator names.

#[cfg(test)]
mod mmdb;

use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;
use std::net::IpAddr;
use std::path::Path;

/// A geographic database in MaxMind's format, held in memory.
pub struct Geo(Reader<Vec<u8>>);

/// A place; each text is empty where the database does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place<'a> {
    /// ISO 3166-1 alpha-2.
    pub country: &'a str,
    /// ISO 3166-2 code without the country, or the region's English name.
    pub region: &'a str,
    /// English name.
    pub city: &'a str,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the geo database {path} cannot be read: {source}")]
pub struct GeoError {
    path: String,
    source: MaxMindDbError,
}

impl Geo {
    /// Reads the database at `path` into memory.
    ///
    /// # Errors
    /// Where there is no such file, or it is not an MMDB.
    pub fn open(path: &Path) -> Result<Self, GeoError> {
        let read = Reader::open_readfile(path);
        read.map(Self).map_err(|source| GeoError {
            path: path.display().to_string(),
            source,
        })
    }

    /// Takes a database that is in memory already.
    ///
    /// # Errors
    /// Where it is not an MMDB.
    pub fn from_bytes(database: Vec<u8>) -> Result<Self, GeoError> {
        let read = Reader::from_source(database);
        read.map(Self).map_err(|source| GeoError {
            path: "in memory".to_owned(),
            source,
        })
    }

    /// Where `address` is; empty texts where the database does not know it.
    #[must_use]
    pub fn locate(&self, address: IpAddr) -> Place<'_> {
        let found = self.0.lookup(address).ok();
        let layout = found.and_then(|found| found.decode::<Layout>().ok().flatten());
        layout.map_or_else(Place::default, |layout| layout.place())
    }
}

/// The fields of every layout that is in use: MaxMind's and DB-IP's nested ones, IPinfo's and others' flat ones.
#[derive(Deserialize)]
struct Layout<'a> {
    #[serde(borrow)]
    country: Option<Named<'a>>,
    #[serde(borrow)]
    registered_country: Option<Named<'a>>,
    country_code: Option<&'a str>,
    #[serde(borrow)]
    subdivisions: Option<Vec<Record<'a>>>,
    region: Option<&'a str>,
    state1: Option<&'a str>,
    #[serde(borrow)]
    city: Option<Named<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Named<'a> {
    Flat(&'a str),
    Nested(#[serde(borrow)] Record<'a>),
}

#[derive(Deserialize)]
struct Record<'a> {
    iso_code: Option<&'a str>,
    #[serde(borrow)]
    names: Option<Names<'a>>,
}

#[derive(Deserialize)]
struct Names<'a> {
    en: Option<&'a str>,
}

impl<'a> Layout<'a> {
    fn place(&self) -> Place<'a> {
        let country = [&self.country, &self.registered_country];
        let country = country.into_iter().flatten().find_map(Named::code);
        let subdivision = self.subdivisions.as_ref().and_then(|list| list.first());
        Place {
            country: self.country_code.or(country).unwrap_or_default(),
            region: subdivision
                .and_then(|record| record.iso_code.or(record.name()))
                .or(self.region)
                .or(self.state1)
                .unwrap_or_default(),
            city: self.city.as_ref().and_then(Named::name).unwrap_or_default(),
        }
    }
}

impl<'a> Named<'a> {
    fn code(&self) -> Option<&'a str> {
        match self {
            Self::Flat(code) => Some(*code).filter(|code| code.len() == 2),
            Self::Nested(record) => record.iso_code,
        }
    }

    fn name(&self) -> Option<&'a str> {
        match self {
            Self::Flat(name) => Some(name),
            Self::Nested(record) => record.name(),
        }
    }
}

impl<'a> Record<'a> {
    fn name(&self) -> Option<&'a str> {
        self.names.as_ref().and_then(|names| names.en)
    }
}

#[cfg(test)]
mod tests {
    use super::mmdb::{Data, database};
    use super::*;
    use Data::{List, Map, Text};
    use proptest::prelude::*;

    fn geo(record: Data) -> Geo {
        let networks = [([81, 2, 69, 0], 24, record)];
        Geo::from_bytes(database(&networks)).unwrap()
    }

    fn names(english: &'static str) -> Data {
        Map(vec![(
            "names",
            Map(vec![("de", Text("Anders")), ("en", Text(english))]),
        )])
    }

    fn with_code(code: &'static str, english: &'static str) -> Data {
        let Map(mut fields) = names(english) else {
            unreachable!()
        };
        fields.push(("iso_code", Text(code)));
        Map(fields)
    }

    const LONDON: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(81, 2, 69, 160));

    #[test]
    fn every_layout_is_read() {
        let place = |country, region, city| Place {
            country,
            region,
            city,
        };
        for (layout, record, expected) in [
            (
                "GeoLite2-City",
                Map(vec![
                    ("city", names("London")),
                    ("continent", with_code("EU", "Europe")),
                    ("country", with_code("GB", "United Kingdom")),
                    ("location", Map(vec![("time_zone", Text("Europe/London"))])),
                    (
                        "subdivisions",
                        List(vec![
                            with_code("ENG", "England"),
                            with_code("WSM", "Westminster"),
                        ]),
                    ),
                ]),
                place("GB", "ENG", "London"),
            ),
            (
                "GeoLite2-Country",
                Map(vec![(
                    "registered_country",
                    with_code("GB", "United Kingdom"),
                )]),
                place("GB", "", ""),
            ),
            (
                "DB-IP",
                Map(vec![
                    ("city", names("London")),
                    ("country", with_code("GB", "United Kingdom")),
                    ("subdivisions", List(vec![names("England")])),
                ]),
                place("GB", "England", "London"),
            ),
            (
                "IPinfo location",
                Map(vec![
                    ("city", Text("London")),
                    ("region", Text("England")),
                    ("country", Text("GB")),
                ]),
                place("GB", "England", "London"),
            ),
            (
                "IPinfo Lite",
                Map(vec![
                    ("country", Text("United Kingdom")),
                    ("country_code", Text("GB")),
                ]),
                place("GB", "", ""),
            ),
        ] {
            assert_eq!(geo(record).locate(LONDON), expected, "{layout}");
        }
    }

    #[test]
    fn unknown_addresses_are_nowhere() {
        let geo = geo(with_code("GB", "United Kingdom"));
        assert_eq!(geo.locate("81.2.70.1".parse().unwrap()), Place::default());
        assert_eq!(geo.locate("2001:db8::1".parse().unwrap()), Place::default());
    }

    #[test]
    fn records_of_other_shapes_are_nowhere() {
        for record in [
            Text("London"),
            Map(vec![("city", List(vec![]))]),
            Map(vec![]),
        ] {
            assert_eq!(geo(record).locate(LONDON), Place::default());
        }
    }

    #[test]
    fn a_file_that_is_no_database_is_named() {
        let error = Geo::open(Path::new("/nonexistent/places.mmdb"))
            .err()
            .unwrap();
        assert!(
            error.to_string().contains("/nonexistent/places.mmdb"),
            "{error}"
        );
        assert!(Geo::from_bytes(b"nothing".to_vec()).is_err());
    }

    proptest! {
        #[test]
        fn any_damage_is_survived(at: prop::sample::Index, byte: u8, address: IpAddr) {
            let record = Map(vec![("city", names("London")), ("country", with_code("GB", "United Kingdom"))]);
            let mut bytes = database(&[([81, 2, 69, 0], 24, record)]);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(geo) = Geo::from_bytes(bytes) {
                let _ = geo.locate(address);
                let _ = geo.locate(LONDON);
            }
        }
    }
}
