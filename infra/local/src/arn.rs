//! Names in AWS's long form. There is one region and one account, and neither exists.

use lambda::Names;

/// The region that the local system says it is.
pub const REGION: &str = "us-east-1";

/// The account that the local system says it is.
pub const ACCOUNT: &str = "000000000000";

/// The queue of dead letters; the end of its name.
pub const DEAD_LETTERS: &str = "dead-letters";

/// The alert topic.
pub fn topic(names: &Names) -> String {
    format!("arn:aws:sns:{REGION}:{ACCOUNT}:{}", names.alerts())
}

/// The queue of dead letters.
pub fn queue(names: &Names) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", names.of(DEAD_LETTERS))
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

/// The part behind the last `:` or `/`: the name in an ARN, and a bare name as it is.
pub fn last_part(name_or_arn: &str) -> &str {
    name_or_arn.rsplit([':', '/']).next().unwrap_or(name_or_arn)
}
