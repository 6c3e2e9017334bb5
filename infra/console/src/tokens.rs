//! The token that every form carries: only a page of this console can know it.
//!
//! It is a keyed digest of the session's cookie, so that the console stores no sessions. The key
//! lives as long as the process: a form from before a restart is refused, and the answer says so.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// Makes and checks tokens.
pub struct Tokens {
    key: [u8; 32],
}

/// The session of a browser: a random text in a cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionId(String);

impl SessionId {
    /// Creates a session id of 122 random bits.
    pub fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// Reads a session id from a cookie. `None` where it does not have the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| Self(text.to_owned()))
    }

    /// Returns the text for the cookie.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Tokens {
    /// Creates the tokens of this key, which must stay secret.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// Creates the tokens of a random key.
    pub fn random() -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        key[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        Self::new(key)
    }

    /// Returns the token of a session.
    pub fn of(&self, session: &SessionId) -> String {
        hex::encode(self.mac(session).finalize().into_bytes())
    }

    /// Whether `token` belongs to this session. The comparison takes the same time whatever
    /// differs.
    pub fn is_of(&self, session: &SessionId, token: &str) -> bool {
        self.of(session).as_bytes().ct_eq(token.as_bytes()).into()
    }

    fn mac(&self, session: &SessionId) -> Hmac<Sha256> {
        // HMAC takes a key of any length.
        #[allow(clippy::expect_used)]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key");
        mac.update(session.0.as_bytes());
        mac
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_own_session_and_key_alone() {
        let (tokens, other) = (Tokens::new([1; 32]), Tokens::new([2; 32]));
        let (mine, theirs) = (SessionId::random(), SessionId::random());
        let token = tokens.of(&mine);
        assert!(tokens.is_of(&mine, &token));
        assert!(!tokens.is_of(&theirs, &token));
        assert!(!other.is_of(&mine, &token));
        for wrong in ["", "0", &token[1..], &token.to_uppercase()] {
            assert!(!tokens.is_of(&mine, wrong), "{wrong}");
        }
    }

    #[test]
    fn a_cookie_holds_a_session_or_nothing() {
        let session = SessionId::random();
        assert_eq!(SessionId::parse(session.as_str()), Some(session));
        for wrong in ["", "abc", &"g".repeat(32), &"a".repeat(33)] {
            assert_eq!(SessionId::parse(wrong), None, "{wrong}");
        }
    }
}
