//! The Lambda functions `project`, `notify` and `query`.

use lambda::{Payload, Settings};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use projectors::{Projectors, Role};

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda::logs::start();
    let role: Role = std::env::var("_HANDLER")?.parse()?;
    let settings = Settings::from_environment()?;
    let projectors = Projectors::new(&lambda::sdk::from_environment().await, &settings);
    let projectors = &projectors;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Payload>| async move {
        let answer = projectors
            .handle(role, event.payload, &event.context.request_id)
            .await;
        answer.map_err(Error::from)
    }))
    .await
}
