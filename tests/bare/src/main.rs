//! A Lambda function that does one `GetItem` and nothing else: no logs, no settings, no limits.

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    let client = &client;
    lambda_runtime::run(service_fn(move |_: LambdaEvent<Value>| async move {
        let get = client.get_item().table_name("waybill-dev-processed-orders");
        let key = AttributeValue::S("1".to_owned());
        let found = get.key("orderId", key).send().await.map_err(Box::new)?;
        Ok::<Value, Error>(json!({ "found": found.item.is_some() }))
    }))
    .await
}
