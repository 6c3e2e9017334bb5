//! Texts for users whose credentials do not suffice: the denied action and the missing policy.

use axum::http::StatusCode;

use crate::{
    About,
    backend::{Denied, Policy, Problem},
};

/// Returns status, title and message of a denial by the gateway, with the credentials that are
/// needed.
pub(crate) fn by_gateway(problem: &Problem, about: &About) -> (StatusCode, &'static str, String) {
    let policy = match problem.of_command {
        true => Policy::Operator,
        false => Policy::Console,
    };
    let (title, what) = forbidden(policy);
    let needed = match problem.status {
        401 => "This API takes tokens of its issuer: WAYBILL_API_TOKEN, which may have expired or \
                lack a scope"
            .to_owned(),
        _ => allowing_policy(policy, about),
    };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::FORBIDDEN);
    let detail = &problem.detail;
    let message = format!("{detail}: these credentials may not {what}. {needed}.");
    (status, title, message)
}

/// Returns what users without this policy may not do: as a title, and as a part of a sentence.
fn forbidden(policy: Policy) -> (&'static str, &'static str) {
    match policy {
        Policy::Operator => ("Your credentials may not do this", "do it"),
        Policy::Console => ("Your credentials may not see this", "see it"),
    }
}

/// Returns the title of the page that says that this policy is missing.
pub(crate) fn title(policy: Policy) -> &'static str {
    forbidden(policy).0
}

/// Returns which policy allows the action, as a sentence without a full stop.
fn allowing_policy(policy: Policy, about: &About) -> String {
    let (environment, policy) = (&about.environment, policy.name());
    format!("The policy waybill-{environment}-{policy} lets them")
}

/// Returns the message of a denial by AWS: the request, the denied action and the missing policy.
pub(crate) fn by_aws(denied: &Denied, about: &About) -> String {
    let action = match &denied.action {
        Some(action) => format!(" ({action})"),
        None => String::new(),
    };
    let (message, (_, what)) = (&denied.message, forbidden(denied.policy));
    let allowed = allowing_policy(denied.policy, about);
    format!("{message}: these credentials may not {what}{action}. {allowed}.")
}

/// Returns the reason of a failure; where it is a denial by AWS, with the missing policy.
pub fn explained(reason: &str, policy: Policy, about: &About) -> String {
    match operator::denial(reason) {
        None => reason.to_owned(),
        Some(denial) => {
            let denied = Denied {
                message: reason.to_owned(),
                action: denial.action,
                policy,
            };
            by_aws(&denied, about)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backend::Failure, view::described};

    fn said(problem: Problem) -> (u16, String) {
        let about = About {
            environment: "dev".to_owned(),
            api_url: "https://api.example".to_owned(),
            flags: "--env dev".to_owned(),
            is_local: false,
            allow_changes: false,
        };
        let (status, _, message) = described(&Failure::Refused(problem), &about);
        (status.as_u16(), message)
    }

    #[test]
    fn who_is_denied_is_told_which_policy_is_missing() {
        let denied = |of_command| {
            said(Problem {
                status: 403,
                of_command,
                ..Problem::default()
            })
        };
        let (status, message) = denied(true);
        assert!(
            status == 403 && message.contains("waybill-dev-operator"),
            "{message}"
        );
        let (status, message) = denied(false);
        assert!(
            status == 403 && message.contains("waybill-dev-console"),
            "{message}"
        );
    }

    #[test]
    fn where_tokens_are_taken_a_policy_is_of_no_use() {
        let (status, message) = said(Problem {
            status: 401,
            ..Problem::default()
        });
        assert!(
            status == 401 && message.contains("WAYBILL_API_TOKEN"),
            "{message}"
        );
    }

    #[test]
    fn what_waybill_itself_refuses_is_no_matter_of_policies() {
        let (_, message) = said(Problem {
            status: 403,
            code: "FORBIDDEN".to_owned(),
            detail: "not by this caller".to_owned(),
            ..Problem::default()
        });
        assert_eq!(message, "Waybill said no: not by this caller (FORBIDDEN)");
    }
}
