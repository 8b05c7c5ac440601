//! Unpacks the body of an answer (RFC 9110, 8.4).

use std::io::{self, Read};

/// What a server may pack a page with.
pub const ACCEPTED: &str = "gzip, deflate, br";
/// A packed body may be this much longer than what comes out of it.
pub const OVERHEAD: u64 = 64 * 1024;
/// As many as curl takes.
const STACKED: usize = 5;
/// Encodings of the IANA registry that moyai does not ask for.
const OTHERS: [&str; 8] = ["compress", "x-compress", "zstd", "dcb", "dcz", "exi", "pack200-gzip", "bzip2"];

/// Why a body cannot be unpacked.
#[derive(Debug, PartialEq)]
pub enum Packed {
    /// More than the limit comes out.
    Large,
    /// A sentence.
    Wrong(String),
}

/// Unpacks a body by its header `Content-Encoding`, the last encoding first. A body without bytes is not packed,
/// whatever the header says: answers to HEAD, and 204 and 304, have the header of a page that is not there.
///
/// # Errors
/// If more than `limit` bytes come out, and if the bytes are not what the header says.
///
/// ```
/// use moyai::host::http::body::unpack;
/// assert_eq!(unpack(b"plain".to_vec(), "identity", 100).unwrap(), b"plain");
/// assert_eq!(unpack(Vec::new(), "gzip", 100).unwrap(), b"");
/// ```
pub fn unpack(mut bytes: Vec<u8>, encodings: &str, limit: u64) -> Result<Vec<u8>, Packed> {
    if bytes.is_empty() {
        return Ok(bytes);
    }
    let names: Vec<String> = encodings.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    if names.len() > STACKED {
        return Err(Packed::Wrong(format!("the page is compressed {} times", names.len())));
    }
    // What is still packed may be a little longer than what comes out in the end.
    let most = limit.saturating_add(OVERHEAD);
    for name in names.iter().rev() {
        let unpacked = match name.as_str() {
            "gzip" | "x-gzip" => gunzip(&bytes, most),
            "deflate" => inflate(&bytes, most),
            "br" => read(brotli_decompressor::Decompressor::new(&bytes[..], 4096), most),
            other if OTHERS.contains(&other) => {
                return Err(Packed::Wrong(format!("the page is compressed with `{other}`, which was not requested")));
            }
            // Browsers take `none`, `utf-8` and the like for no encoding, too.
            _ => continue,
        };
        bytes = unpacked.map_err(|_| Packed::Wrong(format!("the page cannot be decompressed ({name})")))?;
        if bytes.len() as u64 > most {
            return Err(Packed::Large);
        }
    }
    if bytes.len() as u64 > limit { Err(Packed::Large) } else { Ok(bytes) }
}

/// At most one byte more than the limit comes out.
fn read(from: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Several members are one file (RFC 1952, 2.2). What else is after a member is not a part of it.
fn gunzip(mut packed: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut member = flate2::bufread::GzDecoder::new(packed);
        (&mut member).take((limit + 1).saturating_sub(bytes.len() as u64)).read_to_end(&mut bytes)?;
        packed = member.into_inner();
        if bytes.len() as u64 > limit || !packed.starts_with(b"\x1f\x8b") {
            return Ok(bytes);
        }
    }
}

/// What HTTP calls deflate is a zlib stream, but some servers send it bare (RFC 9110, 8.4.1.2).
fn inflate(packed: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    read(flate2::read::ZlibDecoder::new(packed), limit)
        .or_else(|_| read(flate2::read::DeflateDecoder::new(packed), limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut writer = GzEncoder::new(Vec::new(), Compression::best());
        writer.write_all(text).and_then(|()| writer.finish()).unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut writer = ZlibEncoder::new(Vec::new(), Compression::best());
        writer.write_all(text).and_then(|()| writer.finish()).unwrap()
    }

    #[test]
    fn an_encoding_is_known_in_any_spelling_and_behind_another() {
        for (bytes, encodings) in [
            (gzip(b"packed"), "gzip"),
            (gzip(b"packed"), "GZIP"),
            (gzip(b"packed"), " X-Gzip "),
            (gzip(b"packed"), "gzip, identity"),
            (gzip(&gzip(b"packed")), "gzip, gzip"),
            (gzip(&zlib(b"packed")), "deflate, x-gzip"),
            (zlib(&gzip(b"packed")), "gzip,Deflate"),
            (gzip(b"\x50\x00\x10packed\x03"), "br, gzip"),
            ([gzip(b"pac"), gzip(b"ked")].concat(), "gzip"),
            ([gzip(b"packed"), vec![0; 9]].concat(), "gzip"),
            (b"packed".to_vec(), ""),
            (b"packed".to_vec(), "none"),
            (b"packed".to_vec(), "utf-8"),
        ] {
            assert_eq!(unpack(bytes, encodings, 6).unwrap(), b"packed", "{encodings}");
        }
        for encodings in ["gzip", "deflate", "br", "zstd", "gzip, br", "x"] {
            assert_eq!(unpack(Vec::new(), encodings, 6), Ok(Vec::new()), "{encodings}");
        }
    }

    #[test]
    fn what_is_too_large_or_not_what_it_says_is_refused() {
        let bomb = gzip(&vec![0; 1024 * 1024]);
        for (bytes, encodings) in
            [(bomb.clone(), "gzip"), (gzip(&bomb), "gzip, gzip"), (b"packed".to_vec(), "identity")]
        {
            assert_eq!(unpack(bytes, encodings, 5), Err(Packed::Large), "{encodings}");
        }
        for (bytes, encodings, why) in [
            (b"packed".to_vec(), "gzip", "the page cannot be decompressed (gzip)"),
            (gzip(b"packed")[..12].to_vec(), "gzip", "the page cannot be decompressed (gzip)"),
            (b"\xff\xff\xff".to_vec(), "deflate", "the page cannot be decompressed (deflate)"),
            (b"\xff\xff\xff".to_vec(), "br", "the page cannot be decompressed (br)"),
            (b"(\xb5/\xfd".to_vec(), "zstd", "the page is compressed with `zstd`, which was not requested"),
            (b"x".to_vec(), "gzip,gzip,gzip,gzip,gzip,gzip", "the page is compressed 6 times"),
        ] {
            assert_eq!(unpack(bytes, encodings, 100), Err(Packed::Wrong(why.into())), "{encodings}");
        }
    }
}
