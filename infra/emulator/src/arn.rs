//! Amazon Resource Names (ARNs). The emulator has one region and one account; the account is made
//! up.

use std::net::SocketAddr;

/// The region of all resources of the emulator.
pub const REGION: &str = "us-east-1";

/// The account of all resources of the emulator. No account on AWS has this number.
pub const ACCOUNT: &str = "000000000000";

/// Returns the ARN of the SNS topic of this name.
pub fn topic(name: &str) -> String {
    format!("arn:aws:sns:{REGION}:{ACCOUNT}:{name}")
}

/// Returns the ARN of the SQS queue of this name.
pub fn queue(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

/// Returns the URL of the queue of this name. `aws` is the address at which the AWS protocols
/// answer.
pub fn queue_url(aws: SocketAddr, name: &str) -> String {
    format!("http://{aws}/{ACCOUNT}/{name}")
}

/// Returns the ARN of the Lambda function of this name.
pub fn function(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

/// Returns the ARN of the stream of the DynamoDB table of this name.
pub fn stream(table: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/local")
}

/// Returns the ARN of the S3 bucket of this name.
pub fn bucket(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
}

/// Returns the ARN of the KMS key of this id.
pub fn kms_key(id: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}")
}

/// Returns the ARN of the alias of a KMS key. `alias` begins with `alias/`.
pub fn kms_alias(alias: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:{alias}")
}

/// Returns the ARN of the CloudWatch alarm of this name.
pub fn alarm(name: &str) -> String {
    format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}")
}

/// Returns the part behind the last `:` or `/`: the name in an ARN. A plain name is returned as it
/// is.
pub fn last_part(name_or_arn: &str) -> &str {
    name_or_arn.rsplit([':', '/']).next().unwrap_or(name_or_arn)
}
