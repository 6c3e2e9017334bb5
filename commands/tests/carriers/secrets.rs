//! What Secrets Manager answers, as it stands on the wire.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread::JoinHandle,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use commands::carriers::{
    Provider,
    secrets::{SecretError, Secrets as _, SecretsManager},
};
use lambda::Names;

/// Answers one request with this, and then says what was asked.
fn answering(status: u16, body: &str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/x-amz-json-1.1\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut part = [0; 4096];
        while !asked.ends_with(b"}") {
            let read = stream.read(&mut part).unwrap();
            asked.extend_from_slice(&part[..read]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(asked).unwrap()
    });
    (url, asked)
}

async fn config(url: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .test_credentials()
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .load()
        .await
}

async fn read(status: u16, body: &str) -> (Result<Option<String>, SecretError>, String) {
    let (url, asked) = answering(status, body);
    let secrets = SecretsManager::new(&config(&url).await, Names::new("dev").unwrap());
    let read = secrets.read(Provider::EasyPost).await;
    (read, asked.join().unwrap())
}

#[tokio::test]
async fn a_secret_is_asked_for_by_its_name() {
    let (secret, asked) = read(200, r#"{"Name":"any","SecretString":"new\nold"}"#).await;
    assert_eq!(secret, Ok(Some("new\nold".to_owned())));
    assert!(asked.contains("secretsmanager.GetSecretValue"), "{asked}");
    assert!(asked.ends_with(r#"{"SecretId":"waybill/dev/carriers/easypost"}"#));
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_none_and_one_that_cannot_be_read_is_a_failure() {
    for (kind, message, none) in [
        ("ResourceNotFoundException", "can't find the secret", true),
        ("AccessDeniedException", "no identity-based policy", true),
        ("InvalidRequestException", "marked for deletion", true),
        (
            "AccessDeniedException",
            "Access to KMS is not allowed",
            false,
        ),
        ("InvalidRequestException", "another", false),
        ("DecryptionFailure", "", false),
    ] {
        let body = format!(r#"{{"__type":"{kind}","Message":"{message}"}}"#);
        match read(400, &body).await.0 {
            Err(SecretError::Forbidden) => assert!(none, "{body}"),
            Ok(secret) => assert!(none && secret.is_none(), "{body}"),
            Err(error) => {
                assert!(!none, "{body}");
                assert!(error.to_string().contains(kind), "{error}");
            }
        }
    }
}
