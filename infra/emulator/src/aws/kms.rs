//! KMS: data keys, made by the symmetric keys of the definition. Grants, key policies and
//! `CreateKey` are not supported.

use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{json_answer, json_error};
use crate::arn::{self, ACCOUNT};
use crate::kms::{Context, Key, Kms, NotDecrypted};
use crate::limits::{CIPHERTEXT_BYTES, DATA_KEY_BYTES, ENCRYPTION_CONTEXT_BYTES};

/// The prefix of the header `x-amz-target`, in front of the operation.
pub(super) const TARGET: &str = "TrentService";

/// The only encryption algorithm of a symmetric key.
const ALGORITHM: &str = "SYMMETRIC_DEFAULT";

/// The reason why a request is refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("The operation {0:?} is not offered here.")]
    Operation(String),
    #[error("{0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("{0}")]
    Value(&'static str),
    #[error("{0} is not found.")]
    Key(String),
    #[error("The key has the algorithm {ALGORITHM} only.")]
    Algorithm,
    #[error("The key ID in the request does not identify the key that encrypted the ciphertext.")]
    OtherKey,
    #[error(
        "The ciphertext is damaged, or its key is not here, or its encryption context differs."
    )]
    Ciphertext,
    #[error("the operating system returns no random bytes")]
    Random,
}

impl Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Operation(_) => "UnknownOperationException",
            Self::Unreadable(error) if error.is_data() => "ValidationException",
            Self::Unreadable(_) => "SerializationException",
            Self::Value(_) => "ValidationException",
            Self::Key(_) => "NotFoundException",
            Self::Algorithm => "InvalidKeyUsageException",
            Self::OtherKey => "IncorrectKeyException",
            Self::Ciphertext => "InvalidCiphertextException",
            Self::Random => "KMSInternalException",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Random => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<NotDecrypted> for Refused {
    fn from(error: NotDecrypted) -> Self {
        match error {
            NotDecrypted::OtherKey => Self::OtherKey,
            NotDecrypted::Damaged => Self::Ciphertext,
        }
    }
}

// Unknown members, such as `DryRun` or `Recipient`, would change the meaning of a request. So a
// request with one is refused.

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GenerateDataKey {
    key_id: String,
    key_spec: Option<String>,
    number_of_bytes: Option<usize>,
    #[serde(default)]
    encryption_context: Context,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Decrypt {
    ciphertext_blob: String,
    key_id: Option<String>,
    encryption_algorithm: Option<String>,
    #[serde(default)]
    encryption_context: Context,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DescribeKey {
    key_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListAliases {
    key_id: Option<String>,
}

/// Handles one operation.
pub(super) fn handle(kms: &Kms, operation: &str, body: &[u8]) -> Response {
    match answered(kms, operation, body) {
        Ok(answer) => json_answer(StatusCode::OK, &answer),
        Err(refused) => json_error(refused.status(), refused.code(), &refused.to_string()),
    }
}

fn answered(kms: &Kms, operation: &str, body: &[u8]) -> Result<Value, Refused> {
    match operation {
        "GenerateDataKey" => generate(kms, &read(body)?),
        "Decrypt" => decrypt(kms, &read(body)?),
        "DescribeKey" => describe(kms, &read(body)?),
        "ListAliases" => list_aliases(kms, &read(body)?),
        other => Err(Refused::Operation(other.to_owned())),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    Ok(serde_json::from_slice(body)?)
}

fn generate(kms: &Kms, request: &GenerateDataKey) -> Result<Value, Refused> {
    let bytes = match (request.key_spec.as_deref(), request.number_of_bytes) {
        (Some("AES_256"), None) => 32,
        (Some("AES_128"), None) => 16,
        (None, Some(bytes)) if (1..=DATA_KEY_BYTES).contains(&bytes) => bytes,
        _ => {
            let why = "Please specify either a number of bytes from 1 to 1024, or the key spec \
                       AES_256 or AES_128.";
            return Err(Refused::Value(why));
        }
    };
    check(&request.encryption_context)?;
    let key = find(kms, &request.key_id)?;
    let data_key = key.data_key(bytes, &request.encryption_context);
    let (plain, encrypted) = data_key.ok_or(Refused::Random)?;
    Ok(json!({
        "KeyId": key.arn(),
        "Plaintext": STANDARD.encode(plain),
        "CiphertextBlob": STANDARD.encode(encrypted),
    }))
}

fn decrypt(kms: &Kms, request: &Decrypt) -> Result<Value, Refused> {
    let why = "A ciphertext blob is base64 of 1 to 6144 bytes.";
    let decoded = STANDARD.decode(&request.ciphertext_blob);
    let encrypted = decoded.map_err(|_| Refused::Value(why))?;
    if !(1..=CIPHERTEXT_BYTES).contains(&encrypted.len()) {
        return Err(Refused::Value(why));
    }
    check(&request.encryption_context)?;
    if request.encryption_algorithm.as_deref().unwrap_or(ALGORITHM) != ALGORITHM {
        return Err(Refused::Algorithm);
    }
    let only = request.key_id.as_deref().map(|name| find(kms, name));
    let (key, plain) = kms.decrypt(only.transpose()?, &request.encryption_context, &encrypted)?;
    Ok(json!({
        "KeyId": key.arn(),
        "Plaintext": STANDARD.encode(plain),
        "EncryptionAlgorithm": ALGORITHM,
    }))
}

fn describe(kms: &Kms, request: &DescribeKey) -> Result<Value, Refused> {
    let key = find(kms, &request.key_id)?;
    Ok(json!({ "KeyMetadata": {
        "AWSAccountId": ACCOUNT,
        "KeyId": key.id,
        "Arn": key.arn(),
        "Description": "",
        "Enabled": true,
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeySpec": ALGORITHM,
        "CustomerMasterKeySpec": ALGORITHM,
        "EncryptionAlgorithms": [ALGORITHM],
        "KeyManager": "CUSTOMER",
        "Origin": "AWS_KMS",
        "MultiRegion": false,
    }}))
}

fn list_aliases(kms: &Kms, request: &ListAliases) -> Result<Value, Refused> {
    let only = request.key_id.as_deref().map(|name| find(kms, name));
    let only = only.transpose()?.map(|key| &key.id);
    let keys = kms.keys().iter();
    let keys = keys.filter(|key| only.is_none_or(|id| *id == key.id));
    let aliases = keys.map(|key| {
        json!({
            "AliasName": key.alias,
            "AliasArn": arn::kms_alias(&key.alias),
            "TargetKeyId": key.id,
        })
    });
    Ok(json!({ "Aliases": aliases.collect::<Vec<_>>(), "Truncated": false }))
}

fn find<'a>(kms: &'a Kms, name: &str) -> Result<&'a Key, Refused> {
    kms.key(name).ok_or_else(|| {
        let alias = name.starts_with("alias/");
        Refused::Key(match name {
            name if name.starts_with("arn:") => format!("The key or alias {name}"),
            name if alias => format!("Alias {}", arn::kms_alias(name)),
            name => format!("Key '{}'", arn::kms_key(name)),
        })
    })
}

fn check(context: &Context) -> Result<(), Refused> {
    let bytes: usize = context
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    match bytes <= ENCRYPTION_CONTEXT_BYTES {
        true => Ok(()),
        false => Err(Refused::Value(
            "An encryption context has at most 8192 bytes.",
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::definition::KmsKey;

    /// Creates two keys. Their files are removed at once; the keys stay in memory.
    fn keys() -> Kms {
        let folder = std::env::temp_dir().join(format!("kms-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let keys = ["readers", "staff"].map(|name| KmsKey {
            alias: format!("alias/toy-{name}"),
            file: folder.join(name),
        });
        let kms = Kms::open(&keys).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        kms
    }

    fn call(kms: &Kms, operation: &str, request: Value) -> Result<Value, &'static str> {
        let body = request.to_string();
        answered(kms, operation, body.as_bytes()).map_err(|refused| refused.code())
    }

    #[test]
    fn a_data_key_is_decrypted_whatever_its_key_is_called() {
        let kms = keys();
        let context = json!({ "reader": "7", "branch": "a" });
        let made = json!({ "KeyId": "alias/toy-readers", "KeySpec": "AES_256",
                           "EncryptionContext": context });
        let made = call(&kms, "GenerateDataKey", made).unwrap();
        let plain = STANDARD.decode(made["Plaintext"].as_str().unwrap());
        assert_eq!(plain.unwrap().len(), 32);
        let key = &kms.keys()[0];
        let names = [key.id.clone(), key.alias.clone(), key.arn()];
        let named = names.map(|name| json!(name)).into_iter();
        let alias_arn = json!("arn:aws:kms:us-east-1:000000000000:alias/toy-readers");
        for name in named.chain([alias_arn, Value::Null]) {
            let request = json!({ "CiphertextBlob": made["CiphertextBlob"], "KeyId": name,
                                  "EncryptionContext": context });
            let opened = call(&kms, "Decrypt", request).unwrap();
            assert_eq!(opened["Plaintext"], made["Plaintext"]);
            assert_eq!(
                (&opened["KeyId"], &made["KeyId"]),
                (&json!(key.arn()), &json!(key.arn()))
            );
        }
    }

    #[test]
    fn what_kms_would_refuse_is_refused_as_kms_names_it() {
        let kms = keys();
        let made = json!({ "KeyId": "alias/toy-readers", "NumberOfBytes": 24,
                           "EncryptionContext": { "reader": "7" } });
        let made = call(&kms, "GenerateDataKey", made).unwrap();
        let decrypt = |member: &str, value: Value| {
            let mut request = json!({ "CiphertextBlob": made["CiphertextBlob"],
                                      "EncryptionContext": { "reader": "7" } });
            request[member] = value;
            call(&kms, "Decrypt", request)
        };
        assert!(decrypt("EncryptionAlgorithm", json!("SYMMETRIC_DEFAULT")).is_ok());
        let large = "c".repeat(8_192);
        for (member, value, code) in [
            ("EncryptionContext", json!({}), "InvalidCiphertextException"),
            (
                "EncryptionContext",
                json!({ "reader": "8" }),
                "InvalidCiphertextException",
            ),
            (
                "EncryptionContext",
                json!({ "r": large }),
                "ValidationException",
            ),
            (
                "EncryptionContext",
                json!({ "reader": 7 }),
                "ValidationException",
            ),
            (
                "CiphertextBlob",
                json!("AAAA"),
                "InvalidCiphertextException",
            ),
            ("CiphertextBlob", json!(""), "ValidationException"),
            ("CiphertextBlob", json!("no base64"), "ValidationException"),
            (
                "CiphertextBlob",
                json!(STANDARD.encode([0; 6_145])),
                "ValidationException",
            ),
            ("KeyId", json!("alias/toy-staff"), "IncorrectKeyException"),
            ("KeyId", json!("alias/toy-nobody"), "NotFoundException"),
            (
                "EncryptionAlgorithm",
                json!("RSAES_OAEP_SHA_1"),
                "InvalidKeyUsageException",
            ),
            ("DryRun", json!(true), "ValidationException"),
        ] {
            assert_eq!(decrypt(member, value), Err(code), "{member}");
        }
        for (request, code) in [
            (
                json!({ "KeyId": "alias/toy-readers" }),
                "ValidationException",
            ),
            (json!({ "KeySpec": "AES_256" }), "ValidationException"),
            (
                json!({ "KeyId": "alias/toy-readers", "KeySpec": "RSA" }),
                "ValidationException",
            ),
            (
                json!({ "KeyId": "alias/toy-readers", "NumberOfBytes": 0 }),
                "ValidationException",
            ),
            (
                json!({ "KeyId": "alias/toy-readers", "NumberOfBytes": 1_025 }),
                "ValidationException",
            ),
            (
                json!({ "KeyId": "alias/toy-readers", "NumberOfBytes": 8, "KeySpec": "AES_256" }),
                "ValidationException",
            ),
            (
                json!({ "KeyId": "toy-readers", "KeySpec": "AES_256" }),
                "NotFoundException",
            ),
        ] {
            let told = request.to_string();
            assert_eq!(call(&kms, "GenerateDataKey", request), Err(code), "{told}");
        }
        let refused = answered(&kms, "Decrypt", b"{").unwrap_err();
        assert_eq!(refused.code(), "SerializationException");
        let refused = call(&kms, "ScheduleKeyDeletion", json!({}));
        assert_eq!(refused, Err("UnknownOperationException"));
    }

    #[test]
    fn a_key_is_described_and_its_alias_listed() {
        let kms = keys();
        let described = call(&kms, "DescribeKey", json!({ "KeyId": "alias/toy-staff" })).unwrap();
        let key = &kms.keys()[1];
        let metadata = &described["KeyMetadata"];
        assert_eq!(
            (&metadata["KeyId"], &metadata["Enabled"]),
            (&json!(key.id), &json!(true))
        );
        let aliases = call(&kms, "ListAliases", json!({})).unwrap();
        assert_eq!(aliases["Aliases"].as_array().unwrap().len(), 2);
        let aliases = call(&kms, "ListAliases", json!({ "KeyId": key.id })).unwrap();
        assert_eq!(aliases["Aliases"][0]["AliasName"], "alias/toy-staff");
        assert_eq!(aliases["Aliases"].as_array().unwrap().len(), 1);
    }
}
