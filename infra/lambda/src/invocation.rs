//! What Lambda says of one run of a function, beside the payload.

use domain::Timestamp;

use crate::{names::GATEWAY_ALIAS, trace::TraceParent};

/// What Lambda says of one run of a function, beside the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// What Lambda calls it; a retry by Lambda keeps it.
    pub request_id: String,
    /// When Lambda ends it, done or not; `None` where nobody does.
    pub deadline: Option<Timestamp>,
    /// The X-Ray header (`Root=…;Parent=…;Sampled=…`) that it belongs to.
    pub trace: Option<String>,
    /// The alias or version that the function was invoked by, where it was by one.
    pub qualifier: Option<String>,
}

impl Invocation {
    /// One without an end and without a trace, for a test.
    pub fn of(request_id: impl Into<String>) -> Self {
        Self {
            request_id: request_id.into(),
            deadline: None,
            trace: None,
            qualifier: None,
        }
    }

    /// The same, by the alias of the HTTP API's gateway.
    pub fn by_gateway(self) -> Self {
        Self {
            qualifier: Some(GATEWAY_ALIAS.to_owned()),
            ..self
        }
    }

    /// The trace that it belongs to, as W3C writes it.
    pub fn traceparent(&self) -> Option<TraceParent> {
        self.trace.as_deref().and_then(TraceParent::from_xray)
    }

    /// One as Lambda describes it; `deadline` in milliseconds since 1970.
    pub fn from_lambda(
        request_id: impl Into<String>,
        deadline: u64,
        trace: Option<String>,
    ) -> Self {
        let deadline = i64::try_from(deadline).ok();
        Self {
            request_id: request_id.into(),
            deadline: deadline.and_then(Timestamp::from_millis),
            trace,
            qualifier: None,
        }
    }

    /// The same, of the function by this ARN: `arn:aws:lambda:<region>:<account>:function:<name>`,
    /// with `:<qualifier>` behind it where its caller named an alias or a version.
    pub fn invoked_as(self, arn: &str) -> Self {
        Self {
            qualifier: arn.split(':').nth(7).map(str::to_owned),
            ..self
        }
    }

    /// Did the gateway of the HTTP API bring it? Lambda says by which alias a function is invoked,
    /// and [`GATEWAY_ALIAS`] is one that nobody else may invoke.
    pub fn is_by_gateway(&self) -> bool {
        self.qualifier.as_deref() == Some(GATEWAY_ALIAS)
    }
}
