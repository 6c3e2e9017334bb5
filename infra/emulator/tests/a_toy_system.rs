//! Tests with a toy system in the emulator: a library with one table, one bus and one route.
//! `library/mod.rs` also is an example of a definition.

#![allow(clippy::unwrap_used)]

mod library;

use std::path::Path;

use emulator::{Definition, Emulator, Printed, StartError};
use library::{Folder, Library, eventually, listeners, rule};
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn an_item_put_into_a_table_reaches_a_function_by_the_stream() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    library.put_book("1").await;
    eventually("the book is shelved", async || {
        !library.taken("shelve").is_empty()
    })
    .await;
    let batch = &library.taken("shelve")[0];
    assert_eq!(batch["Records"].as_array().unwrap().len(), 1);
    let record = &batch["Records"][0];
    assert_eq!(record["eventName"], "INSERT");
    assert_eq!(record["dynamodb"]["NewImage"]["isbn"]["S"], "1");

    // A record that fails at each attempt lies in the bucket, and the next one is taken.
    library.put_book("broken").await;
    library.put_book("2").await;
    eventually("the third book is shelved", async || {
        let status = library.look("status").await;
        status["consumers"]["shelve"]["behind"] == 0
    })
    .await;
    let letters = library.look("dead-letters").await;
    let letters = letters["deadLetters"].as_array().unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (&letters[0]["consumer"], &letters[0]["attempts"]),
        (&json!("shelve"), &json!(2))
    );
    let key = letters[0]["object"].as_str().unwrap();
    let object = format!("http://{}/library-failures/{key}", library.emulator.aws());
    let object: Value = library
        .http
        .get(object)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(object["payload"].as_str().unwrap().contains("broken"));
    library.emulator.stop().await;
}

#[tokio::test]
async fn an_event_put_on_a_bus_reaches_a_function_by_a_rule() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    let entry = |kind: &str, bus: &str| {
        json!({ "Source": "library.desk", "DetailType": kind, "EventBusName": bus,
                "Detail": "{\"isbn\":\"1\"}" })
    };
    let entries = [
        entry("Card Lost", "library"),
        entry("Book Lent", "default"),
        entry("Book Lent", "library"),
    ];
    let request = json!({ "Entries": entries });
    let answer = library.call("AWSEvents.PutEvents", &request).await;
    assert_eq!(answer["FailedEntryCount"], 0);
    eventually("the book is lent", async || {
        !library.taken("lend").is_empty()
    })
    .await;
    library.emulator.stop().await;

    let taken = library.notes["lend"].calls.lock().unwrap().clone();
    assert_eq!(taken.len(), 1);
    let (event, context) = &taken[0];
    assert_eq!(
        (&event["detail-type"], &event["detail"]),
        (&json!("Book Lent"), &json!({ "isbn": "1" }))
    );
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:library-lend";
    assert_eq!(context.invoked_function_arn, arn);

    // All three are kept, also by the next process.
    let library = Library::open(&folder).await;
    let messages = library.look("messages").await;
    assert_eq!(messages["messages"].as_array().unwrap().len(), 3);
    library.emulator.stop().await;
}

#[tokio::test]
async fn an_asynchronous_invocation_that_fails_becomes_a_dead_letter_after_its_tries() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    let url = format!(
        "http://{}/2015-03-31/functions/library-lend/invocations",
        library.emulator.aws()
    );
    let invoked = library
        .http
        .post(url)
        .header("X-Amz-Invocation-Type", "Event");
    let invoked = invoked.body(r#"{"book":"broken"}"#).send().await.unwrap();
    assert_eq!(invoked.status(), StatusCode::ACCEPTED);
    eventually("it is given up", async || {
        library.look("status").await["deadLetters"] == 1
    })
    .await;
    let calls = library.notes["lend"].calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 3);
    assert!(
        calls
            .iter()
            .all(|(_, context)| context.request_id == calls[0].1.request_id)
    );

    let queue = "http://localhost/000000000000/library-dead-letters";
    let request = json!({ "QueueUrl": queue, "MessageAttributeNames": ["All"] });
    let received = library.call("AmazonSQS.ReceiveMessage", &request).await;
    let message = &received["Messages"][0];
    assert_eq!(message["Body"], r#"{"book":"broken"}"#);
    let reason = &message["MessageAttributes"]["ErrorMessage"]["StringValue"];
    assert_eq!(reason, "it is broken");
    library.emulator.stop().await;
}

#[tokio::test]
async fn a_route_leads_to_a_function_and_a_foreign_host_nowhere() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    let api = library.emulator.http_api();
    let put = |path: &str| library.http.put(format!("http://{api}{path}"));
    let answer = put("/books/7").body("new").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.text().await.unwrap(), "done");
    let request = &library.taken("desk")[0];
    assert_eq!(request["routeKey"], "PUT /books/{isbn}");
    assert_eq!(
        (&request["pathParameters"]["isbn"], &request["body"]),
        (&json!("7"), &json!("new"))
    );

    let nowhere = put("/shelves").send().await.unwrap();
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
    let foreign = put("/books/7").header("Host", "evil.example");
    let foreign = foreign.send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    assert_eq!(foreign.text().await.unwrap(), r#"{"message":"Forbidden"}"#);
    assert_eq!(library.taken("desk").len(), 1);
    library.emulator.stop().await;
}

#[tokio::test]
async fn a_schedule_runs_its_function_and_what_that_prints_is_looked_at() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    eventually("the reminder runs again", async || {
        library.taken("remind").len() > 1
    })
    .await;
    assert_eq!(library.taken("remind")[0], json!({ "late": true }));
    let metrics = library.look("metrics").await;
    assert_eq!(metrics["metrics"][0], json!({ "_aws": {}, "Calls": 1 }));
    library.emulator.stop().await;
}

#[tokio::test]
async fn a_data_key_is_decrypted_by_the_next_process_and_after_a_rotation() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    let context = json!({ "reader": "7" });
    let request = json!({ "KeyId": folder.key().alias, "KeySpec": "AES_256",
                          "EncryptionContext": context });
    let made = library.call("TrentService.GenerateDataKey", &request).await;
    library.emulator.stop().await;

    let mut keys = std::fs::read_to_string(folder.key().file).unwrap();
    keys.push_str("c2hhbGwgSSBjb21wYXJlIHRoZWUgdG8gYSBzdW1tZXI=\n");
    std::fs::write(folder.key().file, keys).unwrap();
    let library = Library::open(&folder).await;
    let request = json!({ "CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": context });
    let opened = library.call("TrentService.Decrypt", &request).await;
    assert_eq!(opened["Plaintext"], made["Plaintext"]);
    assert_eq!(opened["KeyId"], made["KeyId"]);
    library.emulator.stop().await;
}

#[tokio::test]
async fn nothing_starts_with_a_damaged_key() {
    let folder = Folder::new();
    std::fs::write(folder.key().file, "no key\n").unwrap();
    let definition = Definition {
        kms_keys: vec![folder.key()],
        ..Definition::default()
    };
    let (listeners, files) = (listeners().await, folder.files());
    let started = Emulator::start(definition, listeners, files, Printed::default());
    let refused = started.await.err().unwrap();
    assert!(matches!(refused, StartError::Kms(_)), "{refused}");
    assert!(!Path::exists(&folder.files().database));
}

#[tokio::test]
async fn a_definition_that_does_not_hold_together_starts_nothing() {
    let folder = Folder::new();
    let unsound = Definition {
        rules: vec![rule()],
        ..Definition::default()
    };
    let started = Emulator::start(
        unsound,
        listeners().await,
        folder.files(),
        Printed::default(),
    );
    let refused = started.await.err().unwrap();
    assert!(matches!(refused, StartError::Definition(_)), "{refused}");
    assert!(!Path::exists(&folder.files().state));
}
