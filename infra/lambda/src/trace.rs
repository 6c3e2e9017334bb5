//! W3C trace context: one trace id for an order's request, its events and its messages.

use domain::Json;
use domain::json::Object;

/// A W3C `traceparent`, `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(String);

impl TraceParent {
    /// Parses the text of a header or member. An invalid one is ignored, as the standard asks (W3C
    /// Trace Context, 3.2.2).
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let hex = |part: &&str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let shaped = parts.iter().map(|part| part.len()).eq([2, 32, 16, 2]);
        // An id of zeros is invalid, and so is version ff.
        let meaningful = |part: &&str| part.bytes().any(|b| b != b'0');
        let valid = shaped
            && parts.iter().all(hex)
            && parts[0] != "ff"
            && parts[1..3].iter().all(meaningful);
        valid.then(|| Self(text.to_owned()))
    }

    /// Converts the X-Ray header that Lambda passes on: `Root=1-<8 hex>-<24 hex>;Parent=<16
    /// hex>;Sampled=1`. `None` where it is invalid.
    pub fn from_xray(header: &str) -> Option<Self> {
        let part = |name: &str| {
            header
                .split(';')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let (version, root) = part("Root")?.split_once('-')?;
        let trace = root.replace('-', "");
        let parent = part("Parent")?;
        let flags = match part("Sampled") {
            Some("1") => "01",
            _ => "00",
        };
        let text = format!("00-{trace}-{parent}-{flags}");
        Self::parse(&text).filter(|_| version == "1")
    }

    /// Removes the member `traceparent` from a payload and parses it: it belongs to the delivery,
    /// not to the content.
    pub fn take(members: &mut Object) -> Option<Self> {
        match members.remove("traceparent") {
            Some(Json::String(text)) => Self::parse(&text),
            _ => None,
        }
    }

    /// The text of the header `traceparent`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trace id, 32 hex digits.
    pub fn trace_id(&self) -> &str {
        &self.0[3..35]
    }

    /// The X-Ray header for this trace, which EventBridge passes on to its targets.
    pub fn to_xray(&self) -> String {
        let (time, rest) = self.trace_id().split_at(8);
        // The lowest bit of the flags.
        let flags = u8::from_str_radix(&self.0[53..], 16).unwrap_or_default();
        let sampled = flags & 1;
        format!(
            "Root=1-{time}-{rest};Parent={};Sampled={sampled}",
            &self.0[36..52]
        )
    }
}

impl From<TraceParent> for String {
    fn from(parent: TraceParent) -> Self {
        parent.0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_no_trace_parent_is_ignored() {
        assert_eq!(TraceParent::parse(PARENT).unwrap().as_str(), PARENT);
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn it_goes_to_xray_and_back() {
        let parent = TraceParent::parse(PARENT).unwrap();
        let xray = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1";
        assert_eq!(parent.to_xray(), xray);
        assert_eq!(TraceParent::from_xray(xray), Some(parent));
        for bad in [
            "",
            "Root=1-4bf92f35;Parent=1",
            "Root=2-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7",
        ] {
            assert_eq!(TraceParent::from_xray(bad), None, "{bad}");
        }
    }
}
