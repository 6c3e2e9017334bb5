//! Entity tags and checksums: S3 computes them from a content, and compares them with the client's.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::Checksum;
use s3s::{S3Error, S3Result, s3_error};

use super::chunks::Trailers;

/// The headers or trailers that hold a checksum.
const CHECKSUMS: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

/// Computes the digests of a content while it is received.
pub(super) struct Digests {
    md5: Md5,
    others: ChecksumHasher,
    size: u64,
}

/// The digests of a content.
pub(super) struct Digested {
    md5: [u8; 16],
    others: Checksum,
    /// The size of the content in bytes.
    pub(super) size: u64,
}

impl Digests {
    /// Prepares the checksums that a request names in its headers or announces as trailers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let trailers = text(headers, "x-amz-trailer").unwrap_or_default();
        let spoken_of = |name: &str| {
            let trailed = trailers
                .split(',')
                .any(|trailer| trailer.trim().eq_ignore_ascii_case(name));
            trailed || headers.contains_key(name)
        };
        let [crc32, crc32c, crc64nvme, sha1, sha256] = CHECKSUMS.map(spoken_of);
        let others = ChecksumHasher {
            crc32: crc32.then(Default::default),
            crc32c: crc32c.then(Default::default),
            sha1: sha1.then(Default::default),
            sha256: sha256.then(Default::default),
            crc64nvme: crc64nvme.then(Default::default),
        };
        Self {
            md5: Md5::new(),
            others,
            size: 0,
        }
    }

    /// Adds the next bytes of the content.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.others.update(bytes);
        self.size = self.size.saturating_add(bytes.len() as u64);
    }

    /// Returns the number of bytes so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Returns the digests of the complete content.
    pub(super) fn finish(self) -> Digested {
        Digested {
            md5: self.md5.finalize(),
            others: self.others.finalize(),
            size: self.size,
        }
    }
}

impl Digested {
    /// Returns the entity tag of an object that was put in one request, or of a part.
    pub(super) fn etag(&self) -> String {
        hex(&self.md5)
    }

    /// Fails with `BadDigest` where a digest from the client does not match the content.
    pub(super) fn check(&self, headers: &HeaderMap, trailers: Option<&Trailers>) -> S3Result<()> {
        if let Some(md5) = text(headers, "content-md5")
            && md5 != BASE64.encode(self.md5)
        {
            return Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what was received."
            ));
        }
        for (name, computed) in CHECKSUMS.into_iter().zip(self.others()) {
            let trailed = || trailers.and_then(|trailers| trailers.get(name));
            let said = text(headers, name).map(str::to_owned).or_else(trailed);
            if let Some(said) = said
                && computed.is_some_and(|computed| *computed != said)
            {
                return Err(bad_checksum(name));
            }
        }
        Ok(())
    }

    fn others(&self) -> [Option<&String>; 5] {
        [
            self.others.checksum_crc32.as_ref(),
            self.others.checksum_crc32c.as_ref(),
            self.others.checksum_crc64nvme.as_ref(),
            self.others.checksum_sha1.as_ref(),
            self.others.checksum_sha256.as_ref(),
        ]
    }
}

/// Returns the entity tag of an object that was uploaded in parts, from the entity tags of the
/// parts: the MD5 of their MD5s, and their number. `None` where one of them is not hexadecimal.
pub(super) fn multipart_etag<'a>(parts: impl ExactSizeIterator<Item = &'a str>) -> Option<String> {
    let count = parts.len();
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(&unhex(part)?);
    }
    Some(format!("{}-{count}", hex(&md5.finalize())))
}

fn bad_checksum(name: &str) -> S3Error {
    s3_error!(
        BadDigest,
        "The {name} you specified did not match what was received."
    )
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pair = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn checked(name: &'static str, value: &'static str) -> bool {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static(name),
            axum::http::HeaderValue::from_static(value),
        )]);
        let mut digests = Digests::of(&headers);
        digests.update(b"hello ");
        digests.update(b"world");
        digests.finish().check(&headers, None).is_ok()
    }

    #[test]
    fn each_checksum_is_held_against_the_content() {
        // These values were computed by other programs.
        for (name, value) in [
            ("content-md5", "XrY7u+Ae7tCTyyK7j1rNww=="),
            ("x-amz-checksum-crc32", "DUoRhQ=="),
            ("x-amz-checksum-crc32c", "yZRlqg=="),
            ("x-amz-checksum-sha1", "Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
            (
                "x-amz-checksum-sha256",
                "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=",
            ),
        ] {
            assert!(checked(name, value), "{name}");
            assert!(!checked(name, "AAAAAA=="), "{name}");
        }
        assert!(!checked("x-amz-checksum-crc64nvme", "AAAAAA=="));
    }

    #[test]
    fn entity_tags_are_those_of_s3() {
        let mut digests = Digests::of(&HeaderMap::new());
        digests.update(b"hello world");
        let etag = digests.finish().etag();
        assert_eq!(etag, "5eb63bbbe01eeed093cb22bb8f5acdc3");
        let parts = [etag.as_str(), etag.as_str()];
        assert_eq!(
            multipart_etag(parts.into_iter()).unwrap(),
            "f057f37734d5fb132a69d44a61780026-2"
        );
        assert_eq!(multipart_etag(["5e", "x"].into_iter()), None);
    }
}
