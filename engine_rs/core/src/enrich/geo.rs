//! Where an address is, from an MMDB file that the operator names.

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
        Reader::open_readfile(path)
            .map(Self)
            .map_err(|source| GeoError {
                path: path.display().to_string(),
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
