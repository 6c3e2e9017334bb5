//! What Lambda says of one run of a function, beside the payload.

use domain::Timestamp;

use crate::trace::TraceParent;

/// What Lambda says of one run of a function, beside the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// What Lambda calls it; a retry by Lambda keeps it.
    pub request_id: String,
    /// When Lambda ends it, done or not; `None` where nobody does.
    pub deadline: Option<Timestamp>,
    /// The X-Ray header (`Root=…;Parent=…;Sampled=…`) that it belongs to.
    pub trace: Option<String>,
}

impl Invocation {
    /// One without an end and without a trace, for a test.
    pub fn of(request_id: impl Into<String>) -> Self {
        Self {
            request_id: request_id.into(),
            deadline: None,
            trace: None,
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
        }
    }
}
