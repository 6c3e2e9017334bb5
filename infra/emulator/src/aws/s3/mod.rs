//! S3: versioned buckets. Some send an event to the default bus for each change; some are the
//! failure destinations of stream consumers.
//!
//! The library [`s3s`] implements the protocol, this module the buckets. Only path-style addresses
//! are supported, which SDKs use for an endpoint of one's own; a bucket in the host's name is not
//! supported. Any credentials are accepted, or none: the signature of a request is removed without
//! a check.
//!
//! ```text
//! serve ── unsigned, chunks ─▶ s3s ─▶ service ─┬─ bucket ─┬─▶ files (contents)
//!                                              ├─ parts   ├─▶ state (versions)
//!                                              └─ lists   └─▶ events ─▶ state (deliveries)
//! stream ─▶ failures ─▶ files, state
//! ```

mod bucket;
mod chunks;
mod digests;
mod events;
mod failures;
mod files;
mod lists;
mod parts;
mod service;
mod unsigned;

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use s3s::service::{S3Service, S3ServiceBuilder};

pub use bucket::{Bucket, BucketError, Buckets};
pub use failures::{DeadLetterObject, KeepError};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

/// The sender and the id of a request.
#[derive(Debug, Clone, Default)]
struct Caller {
    request_id: String,
    address: String,
}

/// Returns the S3 service of these buckets.
pub(super) fn service(buckets: Buckets) -> S3Service {
    S3ServiceBuilder::new(buckets).build()
}

/// Whether a request may be for S3. The signature of a signed request names its service.
pub(super) fn is_for_s3(headers: &HeaderMap) -> bool {
    let signed = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let signed = signed.and_then(|text| str::from_utf8(text).ok());
    signed.is_none_or(|text| !text.starts_with("AWS4-") || text.contains("/s3/aws4_request"))
}

/// Handles one request.
pub(super) async fn serve(service: &S3Service, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = Caller {
        request_id: request_id(),
        address: address(&parts.extensions),
    };
    let id = caller.request_id.clone();
    parts.extensions.insert(caller);
    let body = match unsigned::remove_signature(&mut parts, body) {
        Ok(body) => s3s::Body::http_body_unsync(body),
        Err(refused) => return (StatusCode::BAD_REQUEST, refused.0).into_response(),
    };
    let request = axum::http::Request::from_parts(parts, body);
    let mut answer = match service.call(request).await {
        Ok(answer) => answer.map(Body::new),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    if let Ok(id) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
    answer
}

/// Returns a new request id in S3's form: 16 digits or capital letters.
fn request_id() -> String {
    let (id, _) = uuid::Uuid::new_v4().as_u64_pair();
    format!("{id:016X}")
}

fn address(extensions: &axum::http::Extensions) -> String {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or_else(String::new, |ConnectInfo(peer)| peer.ip().to_string())
}
