//! Objects of the local S3, through the SDK that the functions use, and the events that follow from
//! them.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use local::functions::Role;
use serde_json::json;

use crate::support::{Folder, Running, eventually};

const BUCKET: &str = "waybill-test-orders-000000000000";

/// Puts an object, and returns its version id.
async fn put(client: &Client, key: &str, body: ByteStream) -> String {
    let put = client.put_object().bucket(BUCKET).key(key).body(body);
    put.send().await.unwrap().version_id.unwrap()
}

#[tokio::test]
async fn a_file_is_streamed_in_and_read_in_parts() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    let client = Client::new(&running.config);
    // From a path the SDK sends the content in chunks, followed by its checksum.
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let path = folder.path().join("orders.json");
    std::fs::write(&path, &content).unwrap();
    let body = ByteStream::from_path(&path).await.unwrap();
    let version = put(&client, "elsewhere/a b.json", body).await;

    let read = |range: &str| {
        let get = client.get_object().bucket(BUCKET).key("elsewhere/a b.json");
        get.version_id(&version).range(range).send()
    };
    for (range, expected) in [
        ("bytes=0-", &content[..]),
        ("bytes=1000000-1000009", &content[1_000_000..1_000_010]),
        ("bytes=2999999-", &content[2_999_999..]),
    ] {
        let got = read(range).await.unwrap();
        let got = got.body.collect().await.unwrap().into_bytes();
        assert_eq!(got, expected, "{range}");
    }
    running.system.stop().await;
}

#[tokio::test]
async fn an_order_file_reaches_the_import_with_its_version() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    let client = Client::new(&running.config);
    let body = || ByteStream::from_static(b"{}");
    put(&client, "elsewhere/a.json", body()).await;
    let version = put(&client, "orders/a.json", body()).await;
    let checkpoint = put(&client, "reports/a/1.checkpoint.json", body()).await;
    eventually("both have arrived", async || {
        running.functions.handled(Role::Import).len() == 2
    })
    .await;
    let mut taken = running.functions.handled(Role::Import);
    taken.sort_by_key(|event| event["detail"]["object"]["sequencer"].to_string());
    let versions = taken
        .iter()
        .map(|event| event["detail"]["object"]["version-id"].clone());
    assert_eq!(
        versions.collect::<Vec<_>>(),
        [json!(version), json!(checkpoint)]
    );
    assert_eq!(taken[0]["source"], "aws.s3");
    assert_eq!(taken[0]["detail-type"], "Object Created");
    assert_eq!(taken[0]["detail"]["source-ip-address"], "127.0.0.1");
    assert!(running.functions.handled(Role::Bus).is_empty());
    running.system.stop().await;
}

#[tokio::test]
async fn a_stop_before_the_import_loses_nothing() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    running.functions.fail(Role::Import, 1_000);
    let client = Client::new(&running.config);
    let version = put(&client, "orders/a.json", ByteStream::from_static(b"[]")).await;
    running.system.stop().await;

    let running = Running::start(&folder.settings()).await.unwrap();
    eventually("the file has arrived", async || {
        !running.functions.handled(Role::Import).is_empty()
    })
    .await;
    let taken = running.functions.handled(Role::Import);
    assert_eq!(taken[0]["detail"]["object"]["version-id"], version);
    running.system.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_an_error_that_the_sdk_knows() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    let client = Client::new(&running.config);
    let get = client.get_object().bucket(BUCKET).key("nothing");
    let error = get.send().await.unwrap_err().into_service_error();
    assert!(error.is_no_such_key(), "{error:?}");
    let head = client.head_object().bucket(BUCKET).key("nothing");
    let error = head.send().await.unwrap_err().into_service_error();
    assert!(error.is_not_found(), "{error:?}");
    let get = client.get_object().bucket("another-bucket").key("nothing");
    let error = get.send().await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("NoSuchBucket"));
    running.system.stop().await;
}
