//! Right signatures are trusted, and nothing else is.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, prelude::*};
use commands::carriers::{Provider, keys::KeySet, signature::SignatureError};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::{Headers, Sent, at};

const NOW: i64 = 1_755_635_829;

fn hmac(secret: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    parts.iter().for_each(|part| hmac.update(part));
    hmac.finalize().into_bytes().to_vec()
}

/// A webhook of each provider, signed by `secret` at [`NOW`], and the keys to check it with.
fn signed(provider: Provider, secret: &str, body: &[u8]) -> (Sent, KeySet) {
    let sent = |name, value: String| Sent::new(body, &[(name, value.as_str())]);
    let none = KeySet::default();
    match provider {
        Provider::EasyPost => {
            let mac = hex::encode(hmac(secret, &[body]));
            (
                sent("x-hmac-signature", format!("hmac-sha256-hex={mac}")),
                none,
            )
        }
        Provider::AfterShip => {
            let mac = BASE64_STANDARD.encode(hmac(secret, &[body]));
            (sent("aftership-hmac-sha256", mac), none)
        }
        Provider::Shippo => {
            let time = NOW.to_string();
            let mac = hex::encode(hmac(secret, &[time.as_bytes(), b".", body]));
            (
                sent("shippo-auth-signature", format!("t={time},v1={mac}")),
                none,
            )
        }
        Provider::Track17 => {
            let text = [body, b"/", secret.as_bytes()].concat();
            (sent("sign", hex::encode(Sha256::digest(text))), none)
        }
        Provider::Sendcloud => {
            let mac = hex::encode(hmac(secret, &[body]));
            (sent("sendcloud-signature", mac), none)
        }
        Provider::ShipEngine => by_rsa(secret, body, "2025-08-19T20:37:09Z"),
    }
}

fn by_rsa(token: &str, body: &[u8], time: &str) -> (Sent, KeySet) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let message = [time.as_bytes(), b".", body].concat();
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = SystemRandom::new();
    pair.sign(&RSA_PKCS1_SHA256, &random, &message, &mut signature)
        .unwrap();
    let number = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let (modulus, exponent) = numbers(pair.public_key().as_ref());
    let keys = serde_json::json!({ "keys": [
        { "kty": "EC", "kid": "another", "crv": "P-256", "x": "", "y": "" },
        {
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "key-1",
            "n": number(&modulus),
            "e": number(&exponent),
        },
    ]});
    let headers = [
        ("x-shipengine-rsa-sha256-key-id", "key-1"),
        (
            "x-shipengine-rsa-sha256-signature",
            &BASE64_STANDARD.encode(signature),
        ),
        ("x-shipengine-timestamp", time),
        ("x-waybill-token", token),
    ];
    (
        Sent::new(body, &headers),
        KeySet::parse(keys.to_string().as_bytes()).unwrap(),
    )
}

/// Modulus and exponent of an RSA key of 2,048 bits (RFC 8017, A.1.1).
fn numbers(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let head = [0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00];
    let rest = der.strip_prefix(&head[..]).unwrap();
    let (modulus, exponent) = rest.split_at(256);
    (
        modulus.to_vec(),
        exponent.strip_prefix(&[2, 3][..]).unwrap().to_vec(),
    )
}

// ---- What the providers' own libraries and examples have signed

#[test]
fn the_webhook_of_easyposts_libraries_is_trusted_as_it_is() {
    // EasyPost/examples official/fixtures: client-library-fixtures.json and event-body.json.
    let mac = "hmac-sha256-hex=38f3f53c103713df81616a0a186d77141957323ec21d5fe9363db93840f527db";
    let sent = Sent::new(
        include_bytes!("signed/easypost.json"),
        &[("x-hmac-signature", mac)],
    );
    let none = KeySet::default();
    // Composed and decomposed, as the libraries' own normal form wants it to be one.
    for secret in ["s\u{e9}cret", "se\u{301}cret"] {
        sent.verify(Provider::EasyPost, &[secret], &none, at(NOW))
            .unwrap();
    }
    let wrong = sent.verify(Provider::EasyPost, &["secret"], &none, at(NOW));
    assert_eq!(wrong, Err(SignatureError::Wrong));
}

#[test]
fn the_webhooks_of_sendclouds_examples_are_trusted_as_they_are() {
    let none = KeySet::default();
    // sendcloud.dev/api/v2/webhooks; and onesteinbv/addons-sendcloud, test_controllers.py.
    for (secret, mac, body) in [
        (
            "secretkey",
            "1eed4b3d41f4653ac64fd56f1bf1cbfd349e4482cbc11dff7134bd93e5da4b0a",
            &br#"{"key": "value"}"#[..],
        ),
        (
            "test",
            "c841416e8b9aa99706bb08cbca1aec3b7c42edcad0318c7a311ea721054d3709",
            br#"{"action": "integration_credentials", "timestamp": 1719299439635, "public_key": "test", "secret_key": "test", "integration_id": 241526}"#,
        ),
        (
            "test",
            "0750d0fb91425fc9a193194f5f97bedf2993bcd7213cb85f9d6f6fecdf3e6cb9",
            include_bytes!("signed/sendcloud.json"),
        ),
    ] {
        let sent = Sent::new(body, &[("sendcloud-signature", mac)]);
        sent.verify(Provider::Sendcloud, &[secret], &none, at(NOW)).unwrap();
        let wrong = sent.verify(Provider::Sendcloud, &["other"], &none, at(NOW));
        assert_eq!(wrong, Err(SignatureError::Wrong));
    }
}

#[test]
fn the_example_of_17tracks_documentation_is_trusted() {
    // The documentation's own example of what is hashed; its digest was taken by `sha256sum`.
    let body = br#"{"event":"TRACKING_UPDATED","data":{"number":"RR123456789CN","carrier":3011,"tag":null}}"#;
    let sign = "45acb4a6f4a194a6ac1f0f712182c4e314b1ae9399941ea086987408f3166994";
    let sent = Sent::new(body, &[("sign", sign)]);
    let keys = KeySet::default();
    sent.verify(Provider::Track17, &["123456ABCDEF"], &keys, at(NOW))
        .unwrap();
}

// ---- Every provider

#[test]
fn either_secret_is_trusted_and_no_other_one() {
    for provider in Provider::ALL {
        let (sent, keys) = signed(provider, "new secret", b"{\"a\":1}");
        let verify = |secrets: &[&str]| sent.verify(provider, secrets, &keys, at(NOW));
        for secrets in [
            &["new secret"][..],
            &["old", "new secret"],
            &["new secret", "next"],
        ] {
            assert_eq!(verify(secrets), Ok(()), "{provider:?} {secrets:?}");
        }
        for secrets in [&["old"][..], &["new", "new secret "], &["New secret"]] {
            assert_eq!(
                verify(secrets),
                Err(SignatureError::Wrong),
                "{provider:?} {secrets:?}"
            );
        }
        // Nobody's secret signs nothing; ShipEngine's keys alone are trusted where none is asked
        // for.
        let expected = match provider {
            Provider::ShipEngine => Ok(()),
            _ => Err(SignatureError::Wrong),
        };
        assert_eq!(verify(&[]), expected, "{provider:?}");
    }
}

#[test]
fn no_byte_may_be_another_one() {
    let body = br#"{"event":"x","data":[1,2,3]}"#;
    for provider in Provider::ALL {
        let (sent, keys) = signed(provider, "secret", body);
        for place in 0..body.len() {
            let mut other = sent.clone();
            other.body[place] ^= 1;
            let wrong = other.verify(provider, &["secret"], &keys, at(NOW));
            assert_eq!(wrong, Err(SignatureError::Wrong), "{provider:?} {place}");
        }
        for cut in [&body[..0], &body[..body.len() - 1]] {
            let mut other = sent.clone();
            other.body = cut.to_vec();
            let wrong = other.verify(provider, &["secret"], &keys, at(NOW));
            assert_eq!(wrong, Err(SignatureError::Wrong), "{provider:?}");
        }
    }
}

#[test]
fn a_header_is_there_once_and_is_a_signature() {
    for provider in Provider::ALL {
        let (sent, keys) = signed(provider, "secret", b"{}");
        for place in 0..sent.headers.len() {
            let (name, value) = sent.headers[place].clone();
            let refused = |change: &dyn Fn(&mut Headers), what: &str| {
                let mut other = sent.clone();
                change(&mut other.headers);
                let verified = other.verify(provider, &["secret"], &keys, at(NOW));
                assert!(verified.is_err(), "{provider:?} {name} {what}");
            };
            refused(&|headers| drop(headers.remove(place)), "missing");
            refused(&|headers| headers.push((name, value.clone())), "twice");
            refused(
                &|headers| headers[place].1 = format!("{value},{value}"),
                "joined",
            );
            refused(&|headers| headers[place].1 = String::new(), "empty");
            refused(&|headers| headers[place].1 = "zz".to_owned(), "none");
            refused(&|headers| headers[place].1 = value[1..].to_owned(), "short");
            refused(&|headers| headers[place].1 = "a".repeat(5_000), "long");
        }
    }
}

#[test]
fn the_signature_of_one_provider_is_none_of_another() {
    for provider in Provider::ALL {
        let (sent, keys) = signed(provider, "secret", b"{}");
        for other in Provider::ALL.into_iter().filter(|other| *other != provider) {
            let verified = sent.verify(other, &["secret"], &keys, at(NOW));
            assert_eq!(
                verified,
                Err(SignatureError::Malformed),
                "{provider:?} {other:?}"
            );
        }
    }
}

#[test]
fn a_signature_with_a_time_lasts_five_minutes() {
    for provider in [Provider::ShipEngine, Provider::Shippo] {
        let (sent, keys) = signed(provider, "secret", b"{}");
        for (late, expected) in [
            (0, Ok(())),
            (300, Ok(())),
            (-300, Ok(())),
            (301, Err(SignatureError::Stale)),
            (-301, Err(SignatureError::Stale)),
            (86_400, Err(SignatureError::Stale)),
        ] {
            let verified = sent.verify(provider, &["secret"], &keys, at(NOW + late));
            assert_eq!(verified, expected, "{provider:?} {late}");
        }
    }
}

#[test]
fn shippos_header_has_a_time_and_one_signature() {
    let (sent, keys) = signed(Provider::Shippo, "secret", b"{}");
    let value = sent.headers[0].1.clone();
    let (time, mac) = value.split_once(',').unwrap();
    for header in [
        format!("{mac},{time}"),
        format!("{time},{time},{mac}"),
        format!("{time},{mac},v0=00"),
        format!("{time};{mac}"),
        time.to_owned(),
        mac.to_owned(),
    ] {
        let sent = Sent::new("{}", &[("shippo-auth-signature", &header)]);
        let verified = sent.verify(Provider::Shippo, &["secret"], &keys, at(NOW));
        assert_eq!(verified, Err(SignatureError::Malformed), "{header}");
    }
}

// ---- EasyPost's second scheme

fn easypost_v2(secret: &str, time: &str, path: &str, body: &str) -> Sent {
    let parts = [time, "POST", path, body].map(str::as_bytes);
    let mac = hex::encode(hmac(secret, &parts));
    let headers = [
        ("x-hmac-signature-v2", format!("hmac-sha256-hex={mac}")),
        ("x-timestamp", time.to_owned()),
        ("x-path", path.to_owned()),
    ];
    Sent {
        headers: headers.to_vec(),
        body: body.as_bytes().to_vec(),
    }
}

#[test]
fn easyposts_second_scheme_signs_time_and_path_too() {
    let none = KeySet::default();
    let path = "/dev/carriers/easypost";
    let sent = easypost_v2("secret", "Tue, 19 Aug 2025 20:37:09 -0000", path, "{}");
    let verify = |sent: &Sent, now| sent.verify(Provider::EasyPost, &["secret"], &none, at(now));
    assert_eq!(verify(&sent, NOW), Ok(()));
    assert_eq!(verify(&sent, NOW + 300), Ok(()));
    assert_eq!(verify(&sent, NOW + 301), Err(SignatureError::Stale));
    let other = |place: usize, value: &str| {
        let mut other = sent.clone();
        other.headers[place].1 = value.to_owned();
        verify(&other, NOW)
    };
    // Without the first scheme's header beside it, nothing else can be right.
    assert!(other(1, "Tue, 19 Aug 2025 20:37:10 -0000").is_err());
    assert!(other(2, "/prod/carriers/easypost").is_err());
}

#[test]
fn the_first_scheme_counts_where_the_second_is_signed_otherwise() {
    let none = KeySet::default();
    let (first, _) = signed(Provider::EasyPost, "secret", b"{}");
    let mut both = easypost_v2(
        "secret",
        "Tue, 19 Aug 2025 20:37:09 -0000",
        "/another",
        "{}",
    );
    both.headers[2].1 = "/signed/as/something/else".to_owned();
    both.headers.extend(first.headers.clone());
    assert_eq!(
        both.verify(Provider::EasyPost, &["secret"], &none, at(NOW)),
        Ok(())
    );
    // A right one that is too old is kept by somebody, whatever stands beside it.
    let mut old = easypost_v2("secret", "Tue, 19 Aug 2025 20:37:09 -0000", "/path", "{}");
    old.headers.extend(first.headers);
    let verified = old.verify(Provider::EasyPost, &["secret"], &none, at(NOW + 400));
    assert_eq!(verified, Err(SignatureError::Stale));
}

// ---- ShipEngine's keys and tokens

#[test]
fn shipengines_token_is_asked_for_where_there_is_one() {
    let (sent, keys) = signed(Provider::ShipEngine, "token", b"{}");
    let verify = |secrets: &[&str]| sent.verify(Provider::ShipEngine, secrets, &keys, at(NOW));
    assert_eq!(verify(&["https://api.shipengine.com/jwks"]), Ok(()));
    assert_eq!(
        verify(&["https://api.shipengine.com/jwks", "token"]),
        Ok(())
    );
    assert_eq!(
        verify(&["https://api.shipengine.com/jwks", "other"]),
        Err(SignatureError::Wrong)
    );
    let others = KeySet::default();
    let verified = sent.verify(Provider::ShipEngine, &["token"], &others, at(NOW));
    assert_eq!(verified, Err(SignatureError::Wrong));
}

#[test]
fn a_time_that_is_none_is_not_trusted() {
    for time in ["now", "2025-08-19", "1755635829000000"] {
        let (sent, keys) = by_rsa("token", b"{}", time);
        assert!(
            sent.verify(Provider::ShipEngine, &["token"], &keys, at(NOW))
                .is_err(),
            "{time}"
        );
    }
}
