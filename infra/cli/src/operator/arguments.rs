//! Arguments that several commands have.

use domain::{AggregateId, Timestamp, time::SentTime};

/// Reads `order#<orderId>` or `shipment#<shipmentId>`, or the same with a `/`, as in a path.
pub(super) fn aggregate(text: &str) -> Result<AggregateId, String> {
    let as_in_a_path = || {
        let (kind, id) = text.split_once('/')?;
        format!("{kind}#{id}")
            .parse()
            .ok()
            .filter(|_| !kind.contains('#'))
    };
    let known = text.parse().ok().or_else(as_in_a_path);
    known.ok_or_else(|| "order#<orderId> or shipment#<shipmentId> was expected".to_owned())
}

/// Reads a time in ISO 8601, or a day, which stands for its beginning. Without an offset the time
/// is UTC.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    let sent = SentTime::parse(text);
    let expected = "a time such as 2026-03-01T08:00:00Z, or a day, was expected";
    sent.map(|sent| sent.at).map_err(|_| expected.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_aggregate_is_named_as_everywhere_else_or_as_in_a_path() {
        let named = |text| aggregate(text).map(|id| id.to_string());
        assert_eq!(named("order#A-1").unwrap(), "order#A-1");
        assert_eq!(named("order/A-1").unwrap(), "order#A-1");
        assert_eq!(named("shipment/S.1").unwrap(), "shipment#S.1");
        for nonsense in ["", "A-1", "parcel#1", "order#", "order/a/b", "order#a/b"] {
            assert!(named(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn a_time_may_be_a_day() {
        let read = |text| time(text).map(|time| time.to_string());
        assert_eq!(read("2026-03-01").unwrap(), "2026-03-01T00:00:00.000Z");
        assert_eq!(
            read("2026-03-01T10:00:00+02:00").unwrap(),
            "2026-03-01T08:00:00.000Z"
        );
        for nonsense in ["", "yesterday", "2026-02-30", "12"] {
            assert!(read(nonsense).is_err(), "{nonsense}");
        }
    }
}
