//! What the reason of a dead letter means, and whether another try is of any use.

/// What a reason means, for an operator. A reason is the code of a refusal or a text of Lambda or
/// Waybill. `None` where this build does not know it.
pub fn meaning(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "invalid_field" => "a field is missing, or is not what it has to be",
        "misspelt_member" => {
            "a member is nearly one of the contract's names: its sender meant that"
        }
        "unknown_member" => "a member that this command does not take: it would be ignored",
        "duplicate_member" => "an object has the same member twice",
        "total_mismatch" => "its total is not the sum of its items and adjustments",
        "order_exists" => "an order with this id and other content exists",
        "order_closed" => "the order is completed or cancelled, which is final",
        "command_id_reused" => "its command id was used before, for another content",
        "version_moved" => "somebody else has changed it since its sender looked",
        "history_full" => "its history takes no more events",
        "too_large" => "it is larger than what is taken",
        "body_too_large" => "the request is larger than what is taken",
        "not_json" => "it is no JSON",
        "not_found" => "there is no such order",
        "not_an_event" => "it is no event of EventBridge",
        "file_gone" => "the file was deleted or overwritten before it was read to its end",
        "not_a_checkpoint" => "an import was to continue from a checkpoint that is not there",
        "unreadable" => "a carrier's webhook that cannot be read",
        "RetryAttemptsExhausted" => "every try has failed",
        "MaximumRecordAgeExceeded" => "it could not be handled for so long that it was given up",
        "temporarily unavailable" => "something could not be reached at every try",
        "there is no such order yet" => "the order that it is about had not come at any try",
        _ => return None,
    })
}

/// The codes of refusals that say no to the same letter for ever: its content is wrong, its id was
/// used, or the order or history that it is for takes nothing more. Any other reason may pass: an
/// outage, an order that is still to come, a build that cannot read it yet.
const FINAL: [&str; 16] = [
    "body_too_large",
    "command_id_reused",
    "duplicate_member",
    "file_gone",
    "history_full",
    "invalid_field",
    "misspelt_member",
    "not_a_checkpoint",
    "not_an_event",
    "not_json",
    "order_closed",
    "order_exists",
    "too_large",
    "total_mismatch",
    "unknown_member",
    "version_moved",
];

/// Whether a dead letter may succeed when it is tried again as it is, by the function that has given
/// it up and the code of its reason, as a [`DeadLetter`](super::DeadLetter) has them. One that nobody
/// can say a function of has none to be given to. A code that this build does not know may succeed.
pub fn may_succeed(role: Option<&str>, reason: Option<&str>) -> bool {
    role.is_some() && !reason.is_some_and(|code| FINAL.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_for_good_is_told_from_what_may_pass() {
        for code in FINAL {
            assert!(!may_succeed(Some("bus"), Some(code)), "{code}");
            assert!(meaning(code).is_some(), "{code}");
        }
        for code in [
            "unavailable",
            "not_found",
            "temporarily unavailable",
            "there is no such order yet",
            "RetryAttemptsExhausted",
            "unreadable",
            "a code of a later build",
        ] {
            assert!(may_succeed(Some("bus"), Some(code)), "{code}");
        }
        assert!(may_succeed(Some("notify"), None));
        assert!(!may_succeed(None, None), "there is no function to try it");
    }
}
