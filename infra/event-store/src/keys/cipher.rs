//! The cipher of personal data: AES-256-GCM-SIV (RFC 8452) of aws-lc.
//!
//! Under one key, the same text of the same field of the same order always has the same sealed
//! text. Orders are compared by it, so a repeat is recognised, and nobody without the key can guess
//! the text. The nonce is a hash of the order's id and the field. Two different texts get the same
//! nonce only where two clients send different orders under one id. SIV is made for this case: it
//! shows only whether two texts are equal.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use domain::{OrderId, personal::Field};
use sha2::{Digest as _, Sha256};

/// The bytes of a data key.
pub const KEY_BYTES: usize = 32;

/// A data key: it seals the personal data of one owner.
pub struct DataKey(LessSafeKey);

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey")
    }
}

/// A sealed text is damaged, or it is sealed with another key or for another order or field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed data cannot be opened with the owner's key")]
pub struct NotOpened;

impl DataKey {
    /// The key of these bytes; `None` where they are not [`KEY_BYTES`].
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, bytes).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// Seals the text of an order's field; base64 without padding.
    pub fn seal(&self, order: &OrderId, field: Field, text: &str) -> Result<String, NotOpened> {
        let mut sealed = text.as_bytes().to_vec();
        let (nonce, about) = bound(order, field);
        let tag = self.0.seal_in_place_append_tag(nonce, about, &mut sealed);
        tag.map_err(|_| NotOpened)?;
        Ok(STANDARD_NO_PAD.encode(sealed))
    }

    /// Opens a sealed text of an order's field.
    pub fn open(&self, order: &OrderId, field: Field, sealed: &str) -> Result<String, NotOpened> {
        let mut bytes = STANDARD_NO_PAD.decode(sealed).map_err(|_| NotOpened)?;
        let (nonce, about) = bound(order, field);
        let opened = self.0.open_in_place(nonce, about, &mut bytes);
        let opened = opened.map_err(|_| NotOpened)?.to_vec();
        String::from_utf8(opened).map_err(|_| NotOpened)
    }
}

/// The nonce and the associated data, which bind a sealed text to its order and field: it cannot be
/// moved to another one. An order's id has no line break.
fn bound(order: &OrderId, field: Field) -> (Nonce, Aad<String>) {
    let about = format!("{order}\n{}", field.as_str());
    let hash = Sha256::digest(&about);
    let mut nonce = [0; NONCE_LEN];
    nonce.copy_from_slice(&hash[..NONCE_LEN]);
    (Nonce::assume_unique_for_key(nonce), Aad::from(about))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_opens_in_its_own_place_only() {
        let (key, other) = (
            DataKey::new(&[1; 32]).unwrap(),
            DataKey::new(&[2; 32]).unwrap(),
        );
        let (a, b): (OrderId, OrderId) = ("A".parse().unwrap(), "B".parse().unwrap());
        let sealed = key.seal(&a, Field::CustomerName, "Zoë").unwrap();
        assert_eq!(key.seal(&a, Field::CustomerName, "Zoë").unwrap(), sealed);
        assert_ne!(key.seal(&a, Field::CustomerName, "Zoe").unwrap(), sealed);
        assert_ne!(other.seal(&a, Field::CustomerName, "Zoë").unwrap(), sealed);
        assert!(!sealed.contains("Zo"));
        assert_eq!(key.open(&a, Field::CustomerName, &sealed).unwrap(), "Zoë");
        assert_eq!(key.open(&b, Field::CustomerName, &sealed), Err(NotOpened));
        assert_eq!(key.open(&a, Field::Personal, &sealed), Err(NotOpened));
        assert_eq!(other.open(&a, Field::CustomerName, &sealed), Err(NotOpened));
        assert_eq!(key.open(&a, Field::CustomerName, "Wm9l"), Err(NotOpened));
    }

    #[test]
    fn a_key_has_its_length() {
        assert!(DataKey::new(&[1; 31]).is_none());
    }
}
