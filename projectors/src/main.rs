//! The Lambda functions `project`, `notify`, `query`, `rebuild` and `watch`.

use lambda::{Invocation, Payload, Settings};
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
        let context = event.context;
        let invocation =
            Invocation::from_lambda(context.request_id, context.deadline, context.xray_trace_id)
                .invoked_as(&context.invoked_function_arn);
        let answer = projectors.handle(role, event.payload, &invocation).await;
        answer.map_err(Error::from)
    }))
    .await
}
