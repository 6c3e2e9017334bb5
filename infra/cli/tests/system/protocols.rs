//! What a client of the local system meets before any handler is called: the behaviour of the HTTP
//! API and of AWS's services.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sns::types::PublishBatchRequestEntry;
use local::functions::Role;
use serde_json::{Value, json};

use crate::support::{Folder, Running, eventually};

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:waybill-test-alerts";

fn entry(source: &str, detail_type: &str, detail: &str) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder()
        .source(source)
        .detail_type(detail_type)
        .detail(detail)
        .event_bus_name("waybill-test")
        .build()
}

#[tokio::test]
async fn an_item_is_put_once_and_found_again() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    let client = aws_sdk_dynamodb::Client::new(&running.config);
    let put = || {
        client
            .put_item()
            .table_name("waybill-test-processed-orders")
            .item("orderId", AttributeValue::S("o-1".to_owned()))
            .condition_expression("attribute_not_exists(orderId)")
            .send()
    };
    put().await.unwrap();
    let refused = put().await.unwrap_err().into_service_error();
    assert!(refused.is_conditional_check_failed_exception());
    let found = client
        .get_item()
        .table_name("waybill-test-processed-orders")
        .key("orderId", AttributeValue::S("o-1".to_owned()))
        .send()
        .await
        .unwrap();
    assert!(found.item.is_some());
    running.system.stop().await;
}

#[tokio::test]
async fn only_the_tables_of_the_environment_exist() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    let client = aws_sdk_dynamodb::Client::new(&running.config);
    let tables = client
        .list_tables()
        .send()
        .await
        .unwrap()
        .table_names
        .unwrap();
    assert_eq!(
        tables,
        [
            "waybill-test-events",
            "waybill-test-keys",
            "waybill-test-parked",
            "waybill-test-processed-orders",
            "waybill-test-shipment-log",
        ]
    );
    let deleted = client
        .delete_table()
        .table_name("waybill-test-events")
        .send()
        .await;
    let error = deleted.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("AccessDeniedException"));
    running.system.stop().await;
}

#[tokio::test]
async fn each_entry_of_put_events_has_its_own_answer() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    let client = aws_sdk_eventbridge::Client::new(&running.config);
    let answer = client
        .put_events()
        .entries(entry(
            "logistics.shipments",
            "Shipment Update",
            "{\"weight\":1.50}",
        ))
        .entries(entry("logistics.shipments", "Shipment Update", "[]"))
        .entries(
            PutEventsRequestEntry::builder()
                .source("s")
                .detail("{}")
                .build(),
        )
        .entries(entry("somebody.else", "Shipment Update", "{}"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.failed_entry_count, 2);
    let codes: Vec<_> = answer
        .entries()
        .iter()
        .map(|entry| entry.error_code())
        .collect();
    assert_eq!(
        codes,
        [None, Some("MalformedDetail"), Some("InvalidArgument"), None]
    );

    let id = answer.entries()[0].event_id().unwrap();
    eventually("the event reaches the function", async || {
        !running.functions.handled(Role::Bus).is_empty()
    })
    .await;
    let taken = running.functions.handled(Role::Bus);
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0]["id"], id);
    assert_eq!(taken[0]["detail"], json!({ "weight": 1.5 }));
    running.system.stop().await;
}

#[tokio::test]
async fn too_many_entries_are_refused_as_a_whole() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    let events = aws_sdk_eventbridge::Client::new(&running.config);
    let many = vec![entry("waybill.orders", "Order Created", "{}"); 11];
    let refused = events.put_events().set_entries(Some(many)).send().await;
    let error = refused.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("ValidationException"));

    let sns = aws_sdk_sns::Client::new(&running.config);
    let batch = |ids: &[&str]| {
        let entry = |id: &&str| {
            PublishBatchRequestEntry::builder()
                .id(*id)
                .message("m")
                .build()
                .unwrap()
        };
        let entries = ids.iter().map(entry).collect();
        sns.publish_batch()
            .topic_arn(TOPIC)
            .set_publish_batch_request_entries(Some(entries))
            .send()
    };
    let error = batch(&["a", "a"]).await.unwrap_err().into_service_error();
    assert!(error.is_batch_entry_ids_not_distinct_exception());
    let published = batch(&["a", "b"]).await.unwrap();
    assert_eq!(published.successful().len(), 2);
    let unknown = sns
        .publish()
        .topic_arn(format!("{TOPIC}-2"))
        .message("m")
        .send()
        .await;
    assert!(
        unknown
            .unwrap_err()
            .into_service_error()
            .is_not_found_exception()
    );
    assert_eq!(running.get_json("/_local/status").await["messages"], 2);
    running.system.stop().await;
}

#[tokio::test]
async fn a_function_is_invoked_at_once_or_later() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    let invoke = async |name: &str, kind: &str, body: &str| {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        let request = running
            .http
            .post(running.aws(&path))
            .header("X-Amz-Invocation-Type", kind);
        let answer = request.body(body.to_owned()).send().await.unwrap();
        let failed = answer.headers().contains_key("X-Amz-Function-Error");
        (
            answer.status().as_u16(),
            failed,
            answer.json::<Value>().await.unwrap_or_default(),
        )
    };
    let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Awaybill-test-project";
    let (status, failed, answer) = invoke(arn, "RequestResponse", "{\"n\":1}").await;
    assert_eq!(
        (status, failed, answer),
        (200, false, json!({ "batchItemFailures": [] }))
    );

    running.functions.fail(Role::Project, 1);
    let (status, failed, answer) = invoke("waybill-test-project", "RequestResponse", "").await;
    let error = json!({ "errorMessage": "on purpose", "errorType": "Failed" });
    assert_eq!((status, failed, answer), (200, true, error));

    assert_eq!(
        invoke("waybill-test-bus", "Event", "{\"later\":true}")
            .await
            .0,
        202
    );
    eventually("the later one", async || {
        running.functions.handled(Role::Bus) == [json!({ "later": true })]
    })
    .await;

    assert_eq!(invoke("waybill-test-bus", "DryRun", "").await.0, 204);
    assert_eq!(invoke("waybill-test-nobody", "Event", "{}").await.0, 404);
    assert_eq!(invoke("waybill-test-bus", "Event", "{").await.0, 400);
    let large = format!("\"{}\"", "x".repeat(256 * 1024));
    assert_eq!(invoke("waybill-test-bus", "Event", &large).await.0, 413);
    running.system.stop().await;
}

#[tokio::test]
async fn what_is_not_offered_is_said_to_be_unknown() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    let request = running
        .http
        .post(running.aws("/"))
        .header("x-amz-target", "AWSEvents.PutRule");
    let answer = request.body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["__type"], "UnknownOperationException");
    running.system.stop().await;
}

#[tokio::test]
async fn the_gateway_routes_like_the_deployed_one() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    let seen = async |path: &str| -> Value {
        running
            .http
            .get(running.api(path))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    let payload = seen("/orders/o-1/history?limit=2").await;
    assert_eq!(payload["routeKey"], "GET /orders/{id}/history");
    assert_eq!(payload["requestContext"]["stage"], "$default");
    assert_eq!(payload["queryStringParameters"], json!({ "limit": "2" }));

    let payload = seen("/test/orders/o-1").await;
    assert_eq!(payload["rawPath"], "/test/orders/o-1");
    assert_eq!(payload["requestContext"]["stage"], "test");
    assert_eq!(payload["pathParameters"], json!({ "id": "o-1" }));
    assert_eq!(running.functions.handled(Role::Api), [] as [Value; 0]);

    // A function also answers what no route accepts: `$default`.
    for (path, stage) in [
        ("/elsewhere", "$default"),
        ("/test/orders/o-1/complete", "test"),
    ] {
        let payload = seen(path).await;
        assert_eq!(payload["routeKey"], "$default", "{path}");
        assert_eq!(payload["rawPath"], path);
        assert_eq!(payload["requestContext"]["stage"], stage);
    }
    let large = running
        .http
        .post(running.api("/orders"))
        .body(vec![b'x'; 10 * 1024 * 1024 + 1]);
    assert_eq!(large.send().await.unwrap().status(), 413);

    running.functions.fail(Role::Api, 1);
    let failed = running
        .http
        .post(running.api("/orders"))
        .send()
        .await
        .unwrap();
    assert_eq!(failed.status(), 500);
    assert_eq!(
        failed.json::<Value>().await.unwrap(),
        json!({ "message": "Internal Server Error" })
    );
    running.system.stop().await;
}

#[tokio::test]
async fn a_browser_elsewhere_may_call_where_its_page_is_asked_for() {
    let folder = Folder::new();
    let mut settings = folder.settings();
    settings.cors_origin = vec!["http://shop.example".to_owned()];
    let running = Running::start(&settings).await.unwrap();
    let asked = running
        .http
        .request(reqwest::Method::OPTIONS, running.api("/orders"))
        .header("Origin", "http://shop.example")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "idempotency-key")
        .send()
        .await
        .unwrap();
    assert_eq!(asked.status(), 200);
    let allowed = asked.headers()["access-control-allow-headers"]
        .to_str()
        .unwrap();
    assert!(allowed.contains("idempotency-key"), "{allowed}");
    running.system.stop().await;
}
