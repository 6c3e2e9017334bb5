//! What the providers' signatures have in common. Signatures are checked by libraries, in constant
//! time, before anything of the body is parsed.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::Timestamp;
use hmac::{Hmac, Mac as _};
use http::HeaderMap;
use sha2::Sha256;

use super::keys::Key;
use crate::limits::{SIGNATURE_AGE_SECONDS, SIGNATURE_BYTES_MAX};

/// A webhook as it arrived, before its signature is checked.
#[derive(Debug, Clone, Copy)]
pub struct WebhookRequest<'a> {
    /// The HTTP method, `POST`.
    pub method: &'a str,
    /// The headers. The gateway joins the values of a repeated header by a comma.
    pub headers: &'a HeaderMap,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// Why a webhook is not trusted. The answer to its sender does not say which of these it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing, repeated or too long, or it has no signature in the expected form.
    #[error("a signature header is missing or malformed")]
    Malformed,
    /// No secret or key made this signature for this content.
    #[error("no secret or key matches the signature")]
    Wrong,
    /// The signed time is too far from now: an old webhook may have been recorded and sent again.
    #[error("the signed time is too far in the past or in the future")]
    Stale,
}

impl WebhookRequest<'_> {
    /// The value of a header. Fails with [`SignatureError::Malformed`] where the header is missing,
    /// repeated, or longer than [`SIGNATURE_BYTES_MAX`].
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

/// Checks that `mac` is the HMAC-SHA256 of the joined parts under one of the secrets. All secrets
/// are tried, so that the time it takes does not show which one matched.
pub fn check_hmac<'s>(
    secrets: impl Iterator<Item = &'s [u8]>,
    parts: &[&[u8]],
    mac: &[u8],
) -> Result<(), SignatureError> {
    let is_of = |secret: &[u8]| {
        // An HMAC accepts a key of any length.
        Hmac::<Sha256>::new_from_slice(secret).is_ok_and(|mut hmac| {
            parts.iter().for_each(|part| hmac.update(part));
            hmac.verify_slice(mac).is_ok()
        })
    };
    valid_if(secrets.fold(false, |right, secret| is_of(secret) | right))
}

/// Checks that `signature` is the RSA-SHA256 (PKCS #1 v1.5) of the message under this key.
pub fn check_rsa(key: &Key, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let key = RsaPublicKeyComponents {
        n: &key.n,
        e: &key.e,
    };
    let checked = key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature);
    valid_if(checked.is_ok())
}

/// Fails with [`SignatureError::Wrong`] unless the signature is valid.
pub fn valid_if(right: bool) -> Result<(), SignatureError> {
    match right {
        true => Ok(()),
        false => Err(SignatureError::Wrong),
    }
}

/// Decodes hex digits, in either case.
pub fn from_hex(text: &str) -> Result<Vec<u8>, SignatureError> {
    hex::decode(text).map_err(|_| SignatureError::Malformed)
}

/// Decodes Base64 with padding.
pub fn from_base64(text: &str) -> Result<Vec<u8>, SignatureError> {
    BASE64_STANDARD
        .decode(text)
        .map_err(|_| SignatureError::Malformed)
}

/// Checks that the signed time, in seconds since 1970, is at most [`SIGNATURE_AGE_SECONDS`] from
/// now.
pub fn check_time(signed: i64, now: Timestamp) -> Result<(), SignatureError> {
    match now.seconds().abs_diff(signed) <= SIGNATURE_AGE_SECONDS {
        true => Ok(()),
        false => Err(SignatureError::Stale),
    }
}
