//! The text that the terminal shows once the system answers.

use std::fmt::Write as _;

use emulator::arn::ACCOUNT;

use crate::{Settings, System};

/// Returns the addresses of the system, and command lines to paste.
pub fn text(system: &System, settings: &Settings) -> String {
    let (api, aws) = (system.api(), system.aws());
    let (env, data) = (&settings.env, settings.data.display());
    let mut text = format!(
        "\nWaybill, environment {env}, is running. Ctrl-C stops it.\n\
         \n  HTTP API       http://{api}\n\
         \x20 AWS protocols  http://{aws}  (DynamoDB, EventBridge, KMS, S3, SNS, SQS, Lambda)\n\
         \x20 Data and log   {data}\n"
    );
    for (title, line) in examples(env, api.port(), aws.port()) {
        // Writing to a String does not fail.
        let _ = write!(text, "\n{title}:\n\n  {line}\n");
    }
    text
}

fn examples(env: &str, api: u16, aws: u16) -> [(&'static str, String); 4] {
    let order = r#"{"customerId":"customer123","items":[{"productId":"prod1","quantity":2,"price":29.99},{"productId":"prod2","quantity":1,"price":49.99}],"totalAmount":109.97,"currency":"USD"}"#;
    let update = r#"[{"Source":"logistics.shipments","DetailType":"Shipment Update","Detail":"{\"shipmentId\":\"SHIP-12345\",\"status\":\"DELAYED\",\"location\":\"Memphis, TN\",\"carrier\":\"FedEx\"}"}]"#;
    [
        (
            "An order",
            format!(
                "curl -s -X POST localhost:{api}/orders -H 'Idempotency-Key: k-1' \
                 -H 'Content-Type: application/json' -d '{order}'"
            ),
        ),
        (
            "A shipment update (the aws command wants credentials and a region, any will do)",
            format!(
                "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 \
                 aws --endpoint-url http://localhost:{aws} events put-events --entries '{update}'"
            ),
        ),
        (
            "A file of orders (one, an array, or one a line); what became of it lies under reports/",
            format!(
                "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 \
                 aws --endpoint-url http://localhost:{aws} s3 cp orders.json \
                 s3://waybill-{env}-orders-{ACCOUNT}/orders/"
            ),
        ),
        (
            "What the system has announced",
            format!("curl -s localhost:{aws}/_local/messages"),
        ),
    ]
}
