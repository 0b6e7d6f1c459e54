//! Content-Encoding, undone under a hard limit of size.

use crate::verdict::{Code, RequestError};
use std::borrow::Cow;
use std::io::{self, Read};

const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// How many encodings may lie over each other.
const MAX_LAYERS: usize = 3;

/// The largest zstd window that is accepted, as a power of two: it is allocated before any output is seen.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Whether a body is as large as it looks; `encoding` as for [`inflate`].
#[must_use]
pub fn is_plain(body: &[u8], encoding: &str) -> bool {
    encoding.is_empty() && !body.starts_with(&GZIP_MAGIC)
}

/// Undoes `encoding` (a Content-Encoding header; empty for none). A body that begins like gzip is inflated without one too,
/// as some browser SDKs send it.
///
/// # Errors
/// `unsupported_encoding`, `invalid_encoding`, or `inflated_too_large` as soon as the output passes `limit` bytes.
pub fn inflate<'a>(
    body: &'a [u8],
    encoding: &str,
    limit: usize,
) -> Result<Cow<'a, [u8]>, RequestError> {
    let layers: Vec<&str> = encoding
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"))
        .collect();
    if layers.len() > MAX_LAYERS {
        return Err(unsupported(encoding));
    }
    if layers.is_empty() && body.starts_with(&GZIP_MAGIC) {
        return one(body, "gzip", limit).map(Cow::Owned);
    }
    layers
        .iter()
        .rev()
        .try_fold(Cow::Borrowed(body), |body, name| {
            one(&body, name, limit).map(Cow::Owned)
        })
}

fn one(body: &[u8], name: &str, limit: usize) -> Result<Vec<u8>, RequestError> {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "gzip" | "x-gzip" => capped(flate2::bufread::MultiGzDecoder::new(body), &name, limit),
        "deflate" if is_zlib(body) => capped(flate2::bufread::ZlibDecoder::new(body), &name, limit),
        "deflate" => capped(flate2::bufread::DeflateDecoder::new(body), &name, limit),
        "br" => capped(
            brotli_decompressor::Decompressor::new(body, 4096),
            &name,
            limit,
        ),
        "zstd" => capped(zstd_reader(body, &name)?, &name, limit),
        _ => Err(unsupported(&name)),
    }
}

fn zstd_reader<'a>(body: &'a [u8], name: &str) -> Result<impl Read + 'a, RequestError> {
    let mut reader =
        zstd::stream::read::Decoder::with_buffer(body).map_err(|error| invalid(name, &error))?;
    reader
        .window_log_max(ZSTD_WINDOW_LOG)
        .map_err(|error| invalid(name, &error))?;
    Ok(reader)
}

/// Servers and clients disagree on whether "deflate" has zlib's header; its two bytes tell.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0)
}

fn capped(reader: impl Read, name: &str, limit: usize) -> Result<Vec<u8>, RequestError> {
    let mut out = Vec::new();
    reader
        .take(limit as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|error| invalid(name, &error))?;
    if out.len() > limit {
        return Err(RequestError::new(
            Code::InflatedTooLarge,
            format!("the body inflates to more than {limit} bytes; send smaller batches"),
        ));
    }
    Ok(out)
}

fn unsupported(encoding: &str) -> RequestError {
    RequestError::new(
        Code::UnsupportedEncoding,
        format!("Content-Encoding \"{encoding}\" is not supported; use gzip, deflate, br or zstd"),
    )
}

fn invalid(encoding: &str, error: &io::Error) -> RequestError {
    RequestError::new(
        Code::InvalidEncoding,
        format!("the body is not valid {encoding}: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(text).unwrap();
        out.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
        out.write_all(text).unwrap();
        out.finish().unwrap()
    }

    fn raw(text: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
        out.write_all(text).unwrap();
        out.finish().unwrap()
    }

    /// `hello hello hello hello`, as node's zlib.brotliCompressSync makes it (no encoder is among the dependencies).
    const BROTLI: &[u8] = b"\x1b\x16\0\xf8\x8d\x94n\xde\x44U\x86\x96l o!O\x1c\xe08";

    #[test]
    fn every_encoding_is_undone() {
        let text = b"hello hello hello hello";
        let zstd = zstd::encode_all(text.as_slice(), 1).unwrap();
        for (body, encoding) in [
            (gzip(text), "gzip"),
            (gzip(text), "X-GZIP"),
            (gzip(text), ""),
            (zlib(text), "deflate"),
            (raw(text), "deflate"),
            (zstd, "zstd"),
            (BROTLI.to_vec(), "br"),
            (text.to_vec(), "identity"),
            (text.to_vec(), ""),
            (gzip(&zlib(text)), "deflate, gzip"),
        ] {
            let out = inflate(&body, encoding, 100).expect(encoding);
            assert_eq!(&*out, text, "{encoding}");
        }
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let zeros = vec![0; 1 << 20];
        let zstd = zstd::encode_all(zeros.as_slice(), 1).unwrap();
        for (body, encoding) in [
            (gzip(&zeros), "gzip"),
            (zlib(&zeros), "deflate"),
            (zstd, "zstd"),
        ] {
            let error = inflate(&body, encoding, 1000).unwrap_err();
            assert_eq!(error.code, Code::InflatedTooLarge, "{encoding}");
        }
        assert!(inflate(&gzip(&zeros), "gzip", zeros.len()).is_ok());
    }

    #[test]
    fn cut_or_wrong_bodies_are_refused() {
        let whole = gzip(b"some text that is long enough");
        for (body, encoding) in [
            (&whole[..whole.len() - 9], "gzip"),
            (b"plain".as_slice(), "gzip"),
            (b"plain", "br"),
            (b"plain", "zstd"),
            (&[0xff; 9], "deflate"),
        ] {
            let error = inflate(body, encoding, 1000).unwrap_err();
            assert_eq!(error.code, Code::InvalidEncoding, "{encoding}");
        }
        for encoding in ["compress", "gzip,gzip,gzip,gzip"] {
            let error = inflate(b"", encoding, 1000).unwrap_err();
            assert_eq!(error.code, Code::UnsupportedEncoding, "{encoding}");
        }
    }
}
