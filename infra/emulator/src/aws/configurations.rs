//! Lambda's `GetFunctionConfiguration`: what a deployment would have configured for a function.

use axum::extract::{Path, Query, State as Shared};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::SharedServices;
use super::invocations::{FunctionReference, QueryParameters};
use crate::arn;
use crate::definition::{Function, Queue};

/// Handles `GET /2015-03-31/functions/{name}/configuration`.
pub(super) async fn get(
    Shared(services): Shared<SharedServices>,
    Path(name): Path<String>,
    Query(query): Query<QueryParameters>,
) -> Response {
    let reference = FunctionReference::new(&name, query.qualifier);
    let definition = &services.definition;
    match reference.find(definition) {
        Ok(function) => {
            let body = configuration(function, &definition.dead_letter_queue).to_string();
            ([(CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(refused) => refused.answer(&reference),
    }
}

fn configuration(function: &Function, dead_letters: &Queue) -> Value {
    json!({
        "FunctionName": function.name,
        "FunctionArn": arn::function(&function.name),
        "Runtime": "provided.al2023",
        "Handler": function.id,
        "Timeout": function.timeout.as_secs(),
        "Version": "$LATEST",
        "PackageType": "Zip",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "DeadLetterConfig": { "TargetArn": arn::queue(&dead_letters.name) },
        "Environment": { "Variables": function.variables },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::toy;

    #[test]
    fn a_function_says_what_its_deployment_has_set() {
        let told = configuration(&toy::function("desk"), &toy::library().dead_letter_queue);
        assert_eq!(told["FunctionName"], "toy-desk");
        assert_eq!(
            (&told["Handler"], &told["Timeout"]),
            (&json!("desk"), &json!(30))
        );
        assert_eq!(told["Environment"]["Variables"], json!({ "SHELVES": "7" }));
        let queue = "arn:aws:sqs:us-east-1:000000000000:toy-dead-letters";
        assert_eq!(told["DeadLetterConfig"]["TargetArn"], queue);
    }
}
