//! What every provider's signature is checked with: libraries, in constant time, before anything is
//! parsed.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::Timestamp;
use hmac::{Hmac, Mac as _};
use http::HeaderMap;
use sha2::Sha256;

use super::keys::Key;
use crate::limits::{SIGNATURE_AGE_SECONDS, SIGNATURE_BYTES_MAX};

/// A webhook as it came, not yet trusted.
#[derive(Debug, Clone, Copy)]
pub struct WebhookRequest<'a> {
    /// `POST`.
    pub method: &'a str,
    /// Its headers; the gateway joins those that came twice by a comma.
    pub headers: &'a HeaderMap,
    /// Its body, byte for byte.
    pub body: &'a [u8],
}

/// Why a webhook is not trusted. Its sender hears no more than that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing, came twice, or is no signature at all.
    #[error("a signature header is missing or malformed")]
    Malformed,
    /// No secret or key makes this signature of these bytes.
    #[error("the signature is not of these bytes")]
    Wrong,
    /// It was signed too long ago, or will be: somebody may have kept it to send it again.
    #[error("the signature is too old, or from the future")]
    Stale,
}

impl WebhookRequest<'_> {
    /// The one value of a header.
    pub fn header(&self, name: &str) -> Result<&str, SignatureError> {
        let mut values = self.headers.get_all(name).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(SignatureError::Malformed);
        };
        let text = value
            .to_str()
            .map_err(|_| SignatureError::Malformed)?
            .trim();
        match text.len() <= SIGNATURE_BYTES_MAX {
            true => Ok(text),
            false => Err(SignatureError::Malformed),
        }
    }
}

/// Is `mac` the HMAC-SHA256 of the parts, one behind another, under one of the secrets? Every
/// secret is tried, so that the time tells nobody which one it was.
pub fn check_hmac<'s>(
    secrets: impl Iterator<Item = &'s [u8]>,
    parts: &[&[u8]],
    mac: &[u8],
) -> Result<(), SignatureError> {
    let is_of = |secret: &[u8]| {
        // A key of any length is a key of an HMAC.
        Hmac::<Sha256>::new_from_slice(secret).is_ok_and(|mut hmac| {
            parts.iter().for_each(|part| hmac.update(part));
            hmac.verify_slice(mac).is_ok()
        })
    };
    valid_if(secrets.fold(false, |right, secret| is_of(secret) | right))
}

/// Is `signature` the RSA-SHA256 (PKCS #1 v1.5) of the message under this key?
pub fn check_rsa(key: &Key, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let key = RsaPublicKeyComponents {
        n: &key.n,
        e: &key.e,
    };
    let checked = key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature);
    valid_if(checked.is_ok())
}

/// Nothing, where it is right.
pub fn valid_if(right: bool) -> Result<(), SignatureError> {
    match right {
        true => Ok(()),
        false => Err(SignatureError::Wrong),
    }
}

/// Bytes from hex digits, in either case.
pub fn from_hex(text: &str) -> Result<Vec<u8>, SignatureError> {
    hex::decode(text).map_err(|_| SignatureError::Malformed)
}

/// Bytes from Base64 with padding.
pub fn from_base64(text: &str) -> Result<Vec<u8>, SignatureError> {
    BASE64_STANDARD
        .decode(text)
        .map_err(|_| SignatureError::Malformed)
}

/// Was it signed about now, in seconds since 1970?
pub fn check_time(signed: i64, now: Timestamp) -> Result<(), SignatureError> {
    match now.seconds().abs_diff(signed) <= SIGNATURE_AGE_SECONDS {
        true => Ok(()),
        false => Err(SignatureError::Stale),
    }
}
