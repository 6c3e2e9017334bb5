//! The HTTP API reached over HTTP: locally without authentication, on AWS signed by SigV4 or with a
//! bearer token.

use std::time::SystemTime;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, HttpConnectorSettings},
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};

use crate::{
    backend::{Answer, Backend, Call, NoAnswer},
    limits::{ANSWER_BYTES_MAX, CALL_TIMEOUT, CONNECT_TIMEOUT},
};

/// The name of the service in SigV4 signatures for API Gateway.
const SERVICE: &str = "execute-api";

/// How requests are authenticated.
pub enum Caller {
    /// No authentication, for the local system.
    Anybody,
    /// A signature in a header of this one request: the header's name and value.
    Header(String, String),
    /// A bearer token of the environment's issuer.
    Bearer(String),
    /// A SigV4 signature with the credentials that the `aws` command would use.
    Signed {
        /// The credentials to sign with.
        credentials: SharedCredentialsProvider,
        /// The AWS region of the API.
        region: String,
    },
}

impl Caller {
    /// Takes credentials and region from `config`. Fails with a text that says which of them is
    /// missing.
    pub fn of(config: &SdkConfig) -> Result<Self, String> {
        let region = config.region().map(ToString::to_string);
        Ok(Self::Signed {
            credentials: config
                .credentials_provider()
                .ok_or("there are no AWS credentials")?,
            region: region.ok_or("there is no AWS region: set AWS_REGION")?,
        })
    }
}

/// The HTTP API at one address.
pub struct HttpApi {
    url: String,
    caller: Caller,
    connector: Connector,
}

impl HttpApi {
    /// Creates the API at `url`, such as `http://127.0.0.1:8080`, including its stage.
    pub fn new(url: &str, caller: Caller) -> Self {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .build();
        Self {
            url: url.trim_end_matches('/').to_owned(),
            caller,
            connector: Connector::builder()
                .connector_settings(settings)
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .build(),
        }
    }

    async fn request(&self, call: &Call) -> Result<HttpRequest, String> {
        let body = call.body.clone().unwrap_or_default();
        let mut request = http::Request::builder()
            .method(&call.method)
            .uri(format!("{}{}", self.url, call.path));
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(version) = call.version {
            request = request.header(IF_MATCH, format!("\"{version}\""));
        }
        if let Caller::Bearer(token) = &self.caller {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Caller::Header(name, value) = &self.caller {
            request = request.header(name, value);
        }
        let mut request = request
            .body(SdkBody::from(body.clone()))
            .map_err(|error| error.to_string())?;
        if let Caller::Signed {
            credentials,
            region,
        } = &self.caller
        {
            sign_request(&mut request, body.as_bytes(), credentials, region).await?;
        }
        HttpRequest::try_from(request).map_err(|error| error.to_string())
    }

    async fn send(&self, call: &Call) -> Result<Answer, String> {
        let request = self.request(call).await?;
        let answer = self.connector.call(request).await;
        let answer = answer.map_err(|error| root_cause(&error))?;
        let status = answer.status().as_u16();
        let mut parts = ByteStream::new(answer.into_body());
        let mut body = Vec::new();
        while let Some(part) = parts.next().await {
            body.extend_from_slice(&part.map_err(|error| error.to_string())?);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(format!("an answer of over {ANSWER_BYTES_MAX} bytes"));
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status, body })
    }
}

/// Returns the text of the innermost cause of an error, which is the one that helps a person.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

async fn sign_request(
    request: &mut http::Request<SdkBody>,
    body: &[u8],
    credentials: &SharedCredentialsProvider,
    region: &str,
) -> Result<(), String> {
    let known = credentials.provide_credentials().await;
    let identity = known
        .map_err(|error| format!("the AWS credentials: {}", root_cause(&error)))?
        .into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let (method, uri) = (request.method().clone(), request.uri().to_string());
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
    let signable = SignableRequest::new(method.as_str(), uri, headers, SignableBody::Bytes(body));
    let signable = signable.map_err(|error| error.to_string())?;
    let signed = sign(signable, &parameters).map_err(|error| error.to_string())?;
    signed.into_parts().0.apply_to_request_http1x(request);
    Ok(())
}

#[async_trait]
impl Backend for HttpApi {
    async fn call(&self, call: Call) -> Result<Answer, NoAnswer> {
        match tokio::time::timeout(CALL_TIMEOUT, self.send(&call)).await {
            Ok(answer) => answer.map_err(NoAnswer::Lost),
            Err(_) => Err(NoAnswer::TimedOut(CALL_TIMEOUT)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_credential_types::Credentials;
    use http::Method;

    use super::*;

    fn call() -> Call {
        Call {
            method: Method::POST,
            path: "/orders/A%201/cancel".to_owned(),
            key: Some("k-1".to_owned()),
            version: Some(3),
            body: Some("{}".to_owned()),
        }
    }

    #[tokio::test]
    async fn a_command_bears_its_key_and_the_version_that_was_seen() {
        let api = HttpApi::new("http://127.0.0.1:8080/", Caller::Bearer("t".to_owned()));
        let request = api.request(&call()).await.unwrap();
        let header = |name| request.headers().get(name);
        assert_eq!(request.uri(), "http://127.0.0.1:8080/orders/A%201/cancel");
        assert_eq!(header("idempotency-key"), Some("k-1"));
        assert_eq!(header("if-match"), Some("\"3\""));
        assert_eq!(header("content-type"), Some("application/json"));
        assert_eq!(header("authorization"), Some("Bearer t"));
    }

    #[tokio::test]
    async fn on_aws_a_request_is_signed_with_the_operators_credentials() {
        let credentials = Credentials::new("AKID", "secret", Some("session".to_owned()), None, "t");
        let caller = Caller::Signed {
            credentials: SharedCredentialsProvider::new(credentials),
            region: "eu-central-1".to_owned(),
        };
        let api = HttpApi::new(
            "https://a.execute-api.eu-central-1.amazonaws.com/dev",
            caller,
        );
        let request = api.request(&call()).await.unwrap();
        let authorization = request.headers().get("authorization").unwrap();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"));
        assert!(authorization.contains("/eu-central-1/execute-api/aws4_request"));
        assert!(authorization.contains("host;idempotency-key;if-match"));
        assert_eq!(
            request.headers().get("x-amz-security-token"),
            Some("session")
        );
    }

    #[tokio::test]
    async fn an_address_where_nobody_listens_is_lost() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let lost = HttpApi::new(&url, Caller::Anybody).call(call()).await;
        assert!(matches!(lost, Err(NoAnswer::Lost(_))), "{lost:?}");
    }
}
