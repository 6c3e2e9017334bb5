//! The context of one invocation of a function: the data that Lambda passes beside the payload.

use domain::Timestamp;

use crate::{names::GATEWAY_ALIAS, trace::TraceParent};

/// The context of one invocation of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Lambda's id of the invocation; a retry by Lambda keeps it.
    pub request_id: String,
    /// The time at which Lambda ends the invocation, finished or not; `None` where nothing ends it.
    pub deadline: Option<Timestamp>,
    /// The X-Ray header (`Root=…;Parent=…;Sampled=…`) of the invocation.
    pub trace: Option<String>,
    /// The alias or version by which the function was invoked; `None` where the caller named none.
    pub qualifier: Option<String>,
}

impl Invocation {
    /// An invocation without a deadline and without a trace, for a test.
    pub fn of(request_id: impl Into<String>) -> Self {
        Self {
            request_id: request_id.into(),
            deadline: None,
            trace: None,
            qualifier: None,
        }
    }

    /// The same invocation through the HTTP API's gateway, by its alias.
    pub fn by_gateway(self) -> Self {
        Self {
            qualifier: Some(GATEWAY_ALIAS.to_owned()),
            ..self
        }
    }

    /// The invocation's trace as a W3C `traceparent`; `None` where there is none.
    pub fn traceparent(&self) -> Option<TraceParent> {
        self.trace.as_deref().and_then(TraceParent::from_xray)
    }

    /// The invocation that Lambda describes; `deadline` in milliseconds since 1970.
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

    /// The same invocation of the function with this ARN:
    /// `arn:aws:lambda:<region>:<account>:function:<name>`, followed by `:<qualifier>` where the
    /// caller named an alias or a version.
    pub fn invoked_as(self, arn: &str) -> Self {
        Self {
            qualifier: arn.split(':').nth(7).map(str::to_owned),
            ..self
        }
    }

    /// Whether the gateway of the HTTP API made the invocation. Lambda says by which alias a
    /// function is invoked, and nobody but the gateway may use [`GATEWAY_ALIAS`].
    pub fn is_by_gateway(&self) -> bool {
        self.qualifier.as_deref() == Some(GATEWAY_ALIAS)
    }
}
