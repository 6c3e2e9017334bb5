//! What a provider's codes are to us.

/// A provider's codes: those of its statuses, and those of the details that tell one status apart.
#[derive(Debug, Clone, Copy)]
pub struct Codes {
    /// Each status, and what it is to us.
    pub statuses: &'static [(&'static str, &'static str)],
    /// Each detail, and what it is to us; [`AS_STATUS`] where it says no more than its status.
    pub details: &'static [(&'static str, &'static str)],
}

/// What a detail is to us that says no more than its status.
pub const AS_STATUS: &str = "";

/// What a scan's codes are to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// One of the known statuses of a shipment.
    pub status: &'static str,
    /// Does the table have both codes? No where it had to be guessed.
    pub mapped: bool,
}

/// What a code stands for that no table has: nobody must look at it,
const UNKNOWN: &str = "IN_TRANSIT";

/// or somebody must, where the provider itself calls it a failure.
const UNKNOWN_FAILURE: &str = "EXCEPTION";

/// Parts of a code by which a provider calls something a failure, in lower case.
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
    /// What a scan is to us by its status, and by its detail where it has one.
    ///
    /// A detail that the table lacks leaves the status to decide; a status that it lacks is a
    /// failure where one of both codes is called one, and otherwise under way.
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
                // Where there is no code, none is missing from the table.
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
