//! Invokes functions under Lambda's conditions: a limited concurrency, a time-out, and a panic that
//! fails only its invocation.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::definition::Function;
use crate::function::{Answer, Context, FunctionError, Handler, Payload};
use crate::limits::CONCURRENT_INVOCATIONS;
use crate::{arn, clock};

/// Invokes functions. Clones share the limits of concurrency.
#[derive(Clone)]
pub struct Invoker {
    functions: Arc<HashMap<String, Deployed>>,
}

/// A function and the limit of its concurrency.
struct Deployed {
    arn: String,
    timeout: Duration,
    handler: Arc<dyn Handler>,
    /// One permit for each invocation at the same time. Shared with all other functions, unless the
    /// function has a reserved concurrency.
    permits: Arc<Semaphore>,
}

impl Invoker {
    /// Creates an invoker of these functions.
    pub fn new(functions: &[Function]) -> Self {
        let shared = Arc::new(Semaphore::new(CONCURRENT_INVOCATIONS));
        let deployed = |function: &Function| {
            let own = function.reserved_concurrency.map(Semaphore::new);
            let deployed = Deployed {
                arn: arn::function(&function.name),
                timeout: function.timeout,
                handler: Arc::clone(&function.handler),
                permits: own.map_or_else(|| Arc::clone(&shared), Arc::new),
            };
            (function.id.clone(), deployed)
        };
        Self {
            functions: Arc::new(functions.iter().map(deployed).collect()),
        }
    }

    /// Invokes the function with this id once, as soon as there is a permit for it.
    pub async fn invoke(&self, id: &str, payload: Payload, request_id: &str) -> Answer {
        self.invoke_by(None, id, payload, request_id).await
    }

    /// Does the same as `invoke`, by an alias of the function.
    pub async fn invoke_by(
        &self,
        alias: Option<&str>,
        id: &str,
        payload: Payload,
        request_id: &str,
    ) -> Answer {
        let Some(function) = self.functions.get(id) else {
            return Err(FunctionError("no such function".to_owned()));
        };
        let stopping = |_| FunctionError("the system is stopping".to_owned());
        let _permit = function.permits.acquire().await.map_err(stopping)?;
        let arn = &function.arn;
        let ends = (clock::now() + function.timeout).timestamp_millis();
        let context = Context {
            request_id: request_id.to_owned(),
            invoked_function_arn: alias.map_or_else(|| arn.clone(), |by| format!("{arn}:{by}")),
            deadline_ms: u64::try_from(ends).unwrap_or_default(),
        };
        let handler = Arc::clone(&function.handler);
        // The call is a task of its own, since a panic then ends only this task.
        let call = async move { handler.invoke(payload, &context).await };
        ended(id, request_id, function.timeout, call).await
    }
}

/// Returns the answer of a call. A panic, and a call that takes longer than `timeout`, are
/// failures.
async fn ended(
    function: &str,
    request_id: &str,
    timeout: Duration,
    call: impl Future<Output = Answer> + Send + 'static,
) -> Answer {
    let started = Instant::now();
    let mut call = tokio::spawn(call);
    match tokio::time::timeout(timeout, &mut call).await {
        Ok(Ok(answer)) => {
            let took = started.elapsed();
            let failed = answer.is_err();
            tracing::debug!(function, request_id, ?took, failed, "invoked");
            answer
        }
        Ok(Err(panic)) => {
            tracing::error!(function, request_id, %panic, "function panicked");
            Err(FunctionError("the function panicked".to_owned()))
        }
        Err(_) => {
            call.abort();
            tracing::error!(function, request_id, "function timed out");
            let seconds = timeout.as_secs();
            Err(FunctionError(format!(
                "Task timed out after {seconds}.00 seconds"
            )))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::definition::toy;

    struct Panics;

    #[async_trait]
    impl Handler for Panics {
        async fn invoke(&self, _: Payload, _: &Context) -> Answer {
            panic!("on purpose")
        }
    }

    struct NeverEnds;

    #[async_trait]
    impl Handler for NeverEnds {
        async fn invoke(&self, _: Payload, _: &Context) -> Answer {
            std::future::pending().await
        }
    }

    /// Answers at once with its deadline and the ARN by which it was invoked.
    struct Tells;

    #[async_trait]
    impl Handler for Tells {
        async fn invoke(&self, _: Payload, context: &Context) -> Answer {
            Ok(serde_json::json!([
                context.deadline_ms,
                context.invoked_function_arn
            ]))
        }
    }

    fn function(id: &str, handler: impl Handler + 'static) -> Function {
        Function {
            handler: Arc::new(handler),
            ..toy::function(id)
        }
    }

    fn payload() -> Payload {
        serde_json::value::to_raw_value(&()).unwrap()
    }

    #[tokio::test]
    async fn reserved_places_take_none_from_the_others() {
        let reserved = Function {
            reserved_concurrency: Some(4),
            ..function("scan", NeverEnds)
        };
        let invoker = Invoker::new(&[reserved, function("desk", Tells)]);
        let mut scans = tokio::task::JoinSet::new();
        for _ in 0..CONCURRENT_INVOCATIONS * 2 {
            let invoker = invoker.clone();
            scans.spawn(async move { invoker.invoke("scan", payload(), "r").await });
        }
        let all = async {
            while invoker.functions["scan"].permits.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            invoker.invoke("desk", payload(), "r").await
        };
        let ends = tokio::time::timeout(Duration::from_secs(5), all).await;
        let left = ends.unwrap().unwrap()[0].as_i64().unwrap() - clock::now().timestamp_millis();
        assert!((29_000..=30_000).contains(&left), "{left}");
    }

    #[tokio::test]
    async fn an_invocation_ends_at_its_functions_time_out() {
        let short = Function {
            timeout: Duration::from_secs(1),
            ..function("scan", NeverEnds)
        };
        let answer = Invoker::new(&[short]).invoke("scan", payload(), "r").await;
        let text = "Task timed out after 1.00 seconds";
        assert_eq!(answer, Err(FunctionError(text.to_owned())));
    }

    #[tokio::test]
    async fn a_function_knows_what_it_was_invoked_as() {
        let invoker = Invoker::new(&[function("desk", Tells)]);
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:toy-desk";
        let plain = invoker.invoke("desk", payload(), "r").await.unwrap();
        assert_eq!(plain[1], arn);
        let by = invoker.invoke_by(Some("gateway"), "desk", payload(), "r");
        assert_eq!(by.await.unwrap()[1], format!("{arn}:gateway"));
    }

    #[tokio::test]
    async fn a_panic_fails_its_invocation_and_no_more() {
        let invoker = Invoker::new(&[function("desk", Panics)]);
        for _ in 0..CONCURRENT_INVOCATIONS * 2 {
            let answer = invoker.invoke("desk", payload(), "r").await;
            let text = "the function panicked";
            assert_eq!(answer, Err(FunctionError(text.to_owned())));
        }
        let nobody = invoker.invoke("nobody", payload(), "r").await;
        assert_eq!(nobody, Err(FunctionError("no such function".to_owned())));
    }
}
