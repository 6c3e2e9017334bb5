//! Each provider's table of codes.

use std::collections::BTreeSet;

use commands::carriers::{Provider, codes::AS_STATUS};
use domain::shipment::Status;

#[test]
fn every_code_stands_once_and_is_a_known_status() {
    for provider in Provider::ALL {
        let codes = provider.codes();
        for table in [codes.statuses, codes.details] {
            let names: BTreeSet<_> = table.iter().map(|(code, _)| code).collect();
            assert_eq!(names.len(), table.len(), "{provider:?}");
        }
        for (code, ours) in codes.statuses {
            assert!(Status::known(ours).is_some(), "{provider:?} {code}");
        }
        for (code, ours) in codes.details {
            let known = *ours == AS_STATUS || Status::known(ours).is_some();
            assert!(known, "{provider:?} {code}");
        }
    }
}

#[test]
fn the_ends_of_a_way_are_what_they_are_called() {
    for (provider, status, detail, ours) in [
        (
            "easypost",
            "delivered",
            "arrived_at_destination",
            "DELIVERED",
        ),
        ("easypost", "failure", "damaged", "DAMAGED"),
        ("easypost", "return_to_sender", "return", "RETURNING"),
        ("aftership", "Exception", "Exception_011", "RETURNED"),
        ("aftership", "Exception", "Exception_013", "LOST"),
        (
            "aftership",
            "AttemptFail",
            "AttemptFail_002",
            "DELIVERY_ATTEMPTED",
        ),
        ("shipengine", "IT", "OUT_FOR_DELIVERY", "OUT_FOR_DELIVERY"),
        ("shipengine", "EX", "CARRIER_DELAYS", "DELAYED"),
        (
            "shipengine",
            "UN",
            "CARRIER_STATUS_NOT_MAPPED",
            "IN_TRANSIT",
        ),
        ("shippo", "TRANSIT", "out_for_delivery", "OUT_FOR_DELIVERY"),
        ("shippo", "FAILURE", "package_lost", "LOST"),
        ("17track", "Exception", "Exception_Returned", "RETURNED"),
        ("17track", "Delivered", "Delivered_Other", "DELIVERED"),
    ] {
        let provider: Provider = provider.parse().unwrap();
        let meaning = provider.codes().read(Some(status), Some(detail));
        assert_eq!(
            (meaning.status, meaning.mapped),
            (ours, true),
            "{provider:?} {detail}"
        );
    }
}

#[test]
fn a_code_that_no_table_has_is_a_failure_where_it_is_called_one() {
    for (provider, status, detail, ours) in [
        ("easypost", "teleported", None, "IN_TRANSIT"),
        ("easypost", "delivery_failed", None, "EXCEPTION"),
        ("aftership", "Exception", Some("Exception_099"), "EXCEPTION"),
        (
            "aftership",
            "InTransit",
            Some("InTransit_099"),
            "IN_TRANSIT",
        ),
        (
            "17track",
            "InTransit",
            Some("InTransit_QuantumTunnelling"),
            "IN_TRANSIT",
        ),
        (
            "sendcloud",
            "Unable to reach the recipient",
            None,
            "EXCEPTION",
        ),
        ("sendcloud", "70000", None, "IN_TRANSIT"),
    ] {
        let provider: Provider = provider.parse().unwrap();
        let meaning = provider.codes().read(Some(status), detail);
        assert_eq!(
            (meaning.status, meaning.mapped),
            (ours, false),
            "{provider:?} {status}"
        );
    }
}
