//! A provider's keys are fetched seldom, and kept where they cannot be.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use commands::carriers::keys::{CachedKeys, KeySet, KeySetError, KeySource};

use crate::at;

const URL: &str = "https://keys.example/jwks";

fn set(id: &str) -> Vec<u8> {
    format!(r#"{{"keys":[{{"kty":"RSA","kid":"{id}","n":"AQAB","e":"AQAB"}}]}}"#).into_bytes()
}

/// Gives `first` twice, then fails once, then gives `second`.
struct Changing(Arc<AtomicUsize>);

#[async_trait]
impl KeySource for Changing {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, KeySetError> {
        assert_eq!(url, URL);
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => Ok(set("first")),
            2 => Err(KeySetError("unavailable".to_owned())),
            _ => Ok(set("second")),
        }
    }
}

#[tokio::test]
async fn a_set_is_fetched_again_when_it_is_old_or_lacks_a_key_and_no_oftener_than_each_minute() {
    let fetched = Arc::new(AtomicUsize::new(0));
    let kept = CachedKeys::new(Changing(fetched.clone()));
    for (seconds, id, has_it, times) in [
        (0, "first", Some(true), 1),
        (3_599, "first", Some(true), 1),
        (3_600, "first", Some(true), 2),
        // Anybody can name a key that is none.
        (3_659, "second", Some(false), 2),
        // It cannot be fetched: the keys that are kept go on, of another one nobody can say that it
        // is none, and the next attempt waits.
        (3_660, "second", None, 3),
        (3_661, "first", Some(true), 3),
        (3_719, "second", None, 3),
        (3_720, "second", Some(true), 4),
        (3_730, "first", Some(false), 4),
    ] {
        let keys = kept.get(URL, id, at(1_700_000_000 + seconds)).await;
        let has = keys.ok().map(|keys| keys.get(id).is_some());
        assert_eq!(has, has_it, "{seconds}");
        assert_eq!(fetched.load(Ordering::Relaxed), times, "{seconds}");
    }
}

#[test]
fn what_is_no_set_of_keys_is_said_to_be_none() {
    for text in [
        "",
        "{}",
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"EC","kid":"a","x":"AQAB"}]}"#,
        r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#,
        r#"{"keys":[{"kty":"RSA","kid":"a","n":"?","e":"AQAB"}]}"#,
    ] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
}
