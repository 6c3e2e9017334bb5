//! Tests of the faults that are switched on on purpose, with the toy system.

#![allow(clippy::unwrap_used)]

mod library;

use std::time::Duration;

use library::{Folder, Library, eventually};
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn a_consumer_that_is_held_back_takes_nothing_until_it_is_let_go() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    let (status, on) = library.switch(json!({ "heldConsumers": ["shelve"] })).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(on["heldConsumers"], json!(["shelve"]));
    library.put_book("1").await;
    library.put_book("2").await;
    eventually("two books wait", async || {
        library.look("status").await["consumers"]["shelve"]["behind"] == 2
    })
    .await;
    // A write wakes a consumer; one that is not held would have read both records by now.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(library.taken("shelve"), Vec::<Value>::new());

    library.switch(json!({})).await;
    eventually("both are shelved", async || {
        let status = library.look("status").await;
        status["consumers"]["shelve"]["behind"] == 0
    })
    .await;
    let batches = library.taken("shelve");
    let records = batches
        .iter()
        .map(|it| it["Records"].as_array().unwrap().len());
    assert_eq!(records.sum::<usize>(), 2);
    library.emulator.stop().await;
}

#[tokio::test]
async fn a_held_consumer_does_not_hold_up_the_end_and_is_free_at_the_next_start() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    library.switch(json!({ "heldConsumers": ["shelve"] })).await;
    library.put_book("1").await;
    let end = tokio::time::timeout(Duration::from_secs(5), library.emulator.stop());
    assert!(end.await.is_ok(), "it does not end");
    let library = Library::open(&folder).await;
    let off = json!({ "heldConsumers": [], "lostAnswers": 0, "twiceForSeconds": 0 });
    assert_eq!(library.look("faults").await, off);
    eventually("the book is shelved", async || {
        !library.taken("shelve").is_empty()
    })
    .await;
    library.emulator.stop().await;
}

#[tokio::test]
async fn an_answer_is_lost_after_its_effect() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    library.switch(json!({ "lostAnswers": 1 })).await;
    let url = format!("http://{}/books/7", library.emulator.http_api());
    // A safe request loses no answer.
    let asked = library.http.get(&url).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::NOT_FOUND);
    let put = async || library.http.put(&url).body("new").send().await;
    let lost = put().await.unwrap_err();
    assert!(!lost.is_timeout() && !lost.is_connect(), "{lost}");
    assert_eq!(library.taken("desk").len(), 1);
    assert_eq!(put().await.unwrap().status(), StatusCode::OK);
    assert_eq!(library.taken("desk").len(), 2);
    assert_eq!(library.look("faults").await["lostAnswers"], 0);
    library.emulator.stop().await;
}

#[tokio::test]
async fn everything_comes_twice_while_that_is_on() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    let (_, on) = library.switch(json!({ "twiceForSeconds": 60 })).await;
    assert_eq!(on["twiceForSeconds"], 60);
    library.put_book("1").await;
    library.lend("1").await;
    for function in ["shelve", "lend"] {
        eventually("it came twice", async || library.taken(function).len() == 2).await;
        let taken = library.taken(function);
        assert_eq!(taken[0], taken[1], "{function}");
    }
    library.switch(json!({})).await;
    library.put_book("2").await;
    library.lend("2").await;
    for function in ["shelve", "lend"] {
        eventually("the next came", async || library.taken(function).len() > 2).await;
    }
    library.emulator.stop().await;
    for function in ["shelve", "lend"] {
        let calls = library.notes[function].calls.lock().unwrap();
        assert_eq!(calls.len(), 3, "{function}");
    }
}

#[tokio::test]
async fn faults_that_cannot_be_are_refused_and_nothing_is_switched() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    for (wanted, said) in [
        (
            json!({ "heldConsumers": ["desk"] }),
            "those that do are shelve",
        ),
        (json!({ "lostAnswers": 101 }), "at most 100"),
        (json!({ "twiceForSeconds": 601 }), "at most 600"),
        (json!({ "slow": true }), "unknown field"),
        (json!([1, 2, 3, 4]), "invalid"),
    ] {
        let (status, answer) = library.switch(wanted.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wanted}");
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(said), "{message}");
    }
    assert_eq!(library.look("faults").await["lostAnswers"], 0);
    library.emulator.stop().await;
}
