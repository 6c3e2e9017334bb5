//! Names in AWS's long form. There is one region and one account, and neither exists.

use std::net::SocketAddr;

/// The region that the emulator says it is.
pub const REGION: &str = "us-east-1";

/// The account that the emulator says it is.
pub const ACCOUNT: &str = "000000000000";

/// A topic.
pub fn topic(name: &str) -> String {
    format!("arn:aws:sns:{REGION}:{ACCOUNT}:{name}")
}

/// A queue.
pub fn queue(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

/// The URL of a queue, where the AWS protocols answer at this address.
pub fn queue_url(aws: SocketAddr, name: &str) -> String {
    format!("http://{aws}/{ACCOUNT}/{name}")
}

/// A function.
pub fn function(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

/// The stream of a table.
pub fn stream(table: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/local")
}

/// A bucket.
pub fn bucket(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
}

/// A KMS key.
pub fn kms_key(id: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}")
}

/// An alias of a KMS key, which begins with `alias/`.
pub fn kms_alias(alias: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:{alias}")
}

/// An alarm.
pub fn alarm(name: &str) -> String {
    format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}")
}

/// The part behind the last `:` or `/`: the name in an ARN, and a bare name as it is.
pub fn last_part(name_or_arn: &str) -> &str {
    name_or_arn.rsplit([':', '/']).next().unwrap_or(name_or_arn)
}
