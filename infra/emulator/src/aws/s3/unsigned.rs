//! Removes the signature from a request. The emulator has no secrets to verify a signature with,
//! and the protocol library refuses a signature that it cannot verify.

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::chunks::{self, Trailers};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");
const CHUNKED: &str = "aws-chunked";

/// The query parameters of a presigned URL that belong to its signature, in both versions of it.
const SIGNATURE: [&str; 11] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-security-token",
    "x-amz-content-sha256",
    "awsaccesskeyid",
    "signature",
    "expires",
];

/// The reason why a request cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) &'static str);

/// Removes the signature from the head of a request, and decodes a body in chunks.
pub(super) fn remove_signature(parts: &mut Parts, body: Body) -> Result<Body, Refused> {
    parts.headers.remove(AUTHORIZATION);
    parts.uri = without_signature(&parts.uri)?;
    let digest = parts.headers.remove(CONTENT_DIGEST);
    let in_chunks = digest.is_some_and(|digest| digest.as_bytes().starts_with(b"STREAMING-"));
    if !in_chunks {
        return Ok(body);
    }
    let length = parts.headers.remove(DECODED_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let length: u64 = length.ok_or(Refused("x-amz-decoded-content-length is missing"))?;
    parts.headers.insert(CONTENT_LENGTH, length.into());
    drop_chunked(&mut parts.headers);
    let trailers = Trailers::default();
    parts.extensions.insert(trailers.clone());
    let stream = chunks::decode(body.into_data_stream(), length, trailers);
    Ok(Body::from_stream(stream))
}

/// Returns the URI without the parameters of its signature. The rest is unchanged.
fn without_signature(uri: &Uri) -> Result<Uri, Refused> {
    let Some(query) = uri.query() else {
        return Ok(uri.clone());
    };
    let belongs = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        !SIGNATURE
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    };
    let kept: Vec<&str> = query.split('&').filter(belongs).collect();
    let address = match kept.as_slice() {
        [] => uri.path().to_owned(),
        kept => format!("{}?{}", uri.path(), kept.join("&")),
    };
    let refused = |_| Refused("the address cannot be read");
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(address).map_err(refused)?);
    Uri::from_parts(parts).map_err(|_| Refused("the address cannot be read"))
}

/// Removes `aws-chunked` from `Content-Encoding`: it codes the transfer, not the object.
fn drop_chunked(headers: &mut HeaderMap) {
    let Some(codings) = headers.remove(CONTENT_ENCODING) else {
        return;
    };
    let codings = codings.to_str().unwrap_or_default().split(',');
    let kept: Vec<&str> = codings
        .map(str::trim)
        .filter(|coding| !coding.eq_ignore_ascii_case(CHUNKED))
        .collect();
    if let Ok(kept) = HeaderValue::from_str(&kept.join(","))
        && !kept.is_empty()
    {
        headers.insert(CONTENT_ENCODING, kept);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn an_address_loses_its_signature_and_nothing_else() {
        for (signed, unsigned) in [
            ("/b/k", "/b/k"),
            ("/b/k?versionId=1", "/b/k?versionId=1"),
            ("/b/k?X-Amz-Date=1&X-Amz-Signature=2", "/b/k"),
            (
                "/b/a%20b?AWSAccessKeyId=1&x-id=GetObject&Signature=2&Expires=3",
                "/b/a%20b?x-id=GetObject",
            ),
            ("/b?uploads&X-Amz-Expires=9", "/b?uploads"),
        ] {
            let uri = without_signature(&signed.parse().unwrap()).unwrap();
            assert_eq!(uri.to_string(), unsigned);
        }
    }

    #[tokio::test]
    async fn a_body_in_chunks_is_decoded() {
        let request = Request::put("/b/k")
            .header(AUTHORIZATION, "AWS4-HMAC-SHA256 whatever")
            .header(CONTENT_DIGEST, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header(DECODED_LENGTH, "5")
            .header(CONTENT_ENCODING, "gzip, aws-chunked")
            .body(Body::from(
                "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
            ));
        let (mut parts, body) = request.unwrap().into_parts();
        let body = remove_signature(&mut parts, body).unwrap();
        let body = axum::body::to_bytes(body, 100).await.unwrap();
        assert_eq!(body, "hello");
        assert_eq!(parts.headers.len(), 2);
        assert_eq!(parts.headers[CONTENT_LENGTH], "5");
        assert_eq!(parts.headers[CONTENT_ENCODING], "gzip");
        let trailers = parts.extensions.get::<Trailers>().unwrap();
        let checksum = trailers.get("x-amz-checksum-crc32");
        assert_eq!(checksum.as_deref(), Some("NhCmhg=="));
    }

    #[test]
    fn a_body_in_chunks_says_how_long_it_is() {
        let request = Request::put("/b/k").header(CONTENT_DIGEST, "STREAMING-X");
        let (mut parts, body) = request.body(Body::empty()).unwrap().into_parts();
        let refused = remove_signature(&mut parts, body).unwrap_err();
        assert!(refused.0.contains("x-amz-decoded-content-length"));
    }
}
