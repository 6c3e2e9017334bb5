//! The tables that translate a provider's codes to statuses of shipments.

/// A provider's codes: those of its statuses, and those of the details that divide a status.
#[derive(Debug, Clone, Copy)]
pub struct Codes {
    /// Pairs of a provider's status and the shipment status that it means.
    pub statuses: &'static [(&'static str, &'static str)],
    /// Pairs of a provider's detail and the shipment status that it means; [`AS_STATUS`] where the
    /// detail adds nothing to its status.
    pub details: &'static [(&'static str, &'static str)],
}

/// The entry of a detail that means the same as the status it comes with.
pub const AS_STATUS: &str = "";

/// What the codes of a scan mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The shipment status, one of those that Waybill knows, such as `IN_TRANSIT`.
    pub status: &'static str,
    /// Whether the table has all codes of the scan; false where one is missing, so that the status
    /// had to be guessed or may be too general.
    pub mapped: bool,
}

/// The status of a scan whose code is in no table. It needs no action.
const UNKNOWN: &str = "IN_TRANSIT";

/// The status where that code looks like a failure. Somebody must look at the shipment.
const UNKNOWN_FAILURE: &str = "EXCEPTION";

/// Parts of a code that mark a failure, in lower case. A code in no table that contains one of them
/// is guessed to be [`UNKNOWN_FAILURE`].
const FAILURES: [&str; 14] = [
    "fail",
    "exception",
    "error",
    "lost",
    "damage",
    "destroy",
    "dispose",
    "refuse",
    "reject",
    "invalid",
    "unable",
    "undeliver",
    "not_delivered",
    "problem",
];

impl Codes {
    /// What a scan means, by its status code and its detail code.
    ///
    /// A detail that is not in the table leaves the decision to the status. A status that is not in
    /// the table means `EXCEPTION` where one of the two codes looks like a failure, and otherwise
    /// `IN_TRANSIT`.
    pub fn read(&self, status: Option<&str>, detail: Option<&str>) -> Meaning {
        let of_detail = detail.map(|code| find(self.details, code));
        let of_status = status.and_then(|code| find(self.statuses, code));
        match (of_detail, of_status) {
            (Some(Some(known)), _) if known != AS_STATUS => Meaning {
                status: known,
                mapped: true,
            },
            (Some(None), Some(known)) => Meaning {
                status: known,
                mapped: false,
            },
            (_, Some(known)) => Meaning {
                status: known,
                mapped: true,
            },
            (_, None) => Meaning {
                status: guessed(status, detail),
                // A scan without any code lacks no entry in the table.
                mapped: status.is_none() && detail.is_none(),
            },
        }
    }
}

fn find(codes: &[(&'static str, &'static str)], code: &str) -> Option<&'static str> {
    let mut found = codes.iter().filter(|(known, _)| *known == code);
    found.next().map(|(_, ours)| *ours)
}

fn guessed(status: Option<&str>, detail: Option<&str>) -> &'static str {
    let codes = [status, detail];
    let mut codes = codes.iter().flatten().map(|code| code.to_lowercase());
    match codes.any(|code| FAILURES.iter().any(|part| code.contains(part))) {
        true => UNKNOWN_FAILURE,
        false => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: Codes = Codes {
        statuses: &[("moving", "IN_TRANSIT"), ("failure", "EXCEPTION")],
        details: &[("late", "DELAYED"), ("usual", AS_STATUS)],
    };

    #[test]
    fn the_detail_decides_where_it_says_more() {
        for (status, detail, ours, mapped) in [
            (Some("moving"), None, "IN_TRANSIT", true),
            (Some("moving"), Some("late"), "DELAYED", true),
            (Some("failure"), Some("usual"), "EXCEPTION", true),
            (None, Some("late"), "DELAYED", true),
            (Some("failure"), Some("new"), "EXCEPTION", false),
            (Some("moving"), Some("new_failure"), "IN_TRANSIT", false),
            (Some("new"), None, "IN_TRANSIT", false),
            (Some("new"), Some("Delivery_Failed"), "EXCEPTION", false),
            (Some("DeliveryException"), Some("usual"), "EXCEPTION", false),
            (None, None, "IN_TRANSIT", true),
        ] {
            let meaning = CODES.read(status, detail);
            let expected = Meaning {
                status: ours,
                mapped,
            };
            assert_eq!(meaning, expected, "{status:?} {detail:?}");
        }
    }
}
