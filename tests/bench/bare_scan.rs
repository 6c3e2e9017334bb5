//! A bare parallel scan of tables, and nothing else: what a rebuild is held against.
//!
//! `bare-scan <endpoint> <segments> <table>…` prints how many items it has read, and in how many
//! milliseconds. It reads as a rebuild does: with eventual consistency, so many segments at a time.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use aws_config::Region;
use aws_sdk_dynamodb::{
    Client,
    config::{Credentials, SharedCredentialsProvider, timeout::TimeoutConfig},
    types::ReturnConsumedCapacity,
};
use futures::{StreamExt, stream};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().unwrap();
    let segments: i32 = arguments.next().unwrap().parse().unwrap();
    let tables: Vec<String> = arguments.collect();
    let credentials = Credentials::new("local", "local", None, None, "local");
    // A page is 1 MB, and takes longer than what a command asks for.
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(20))
        .operation_timeout(Duration::from_secs(60))
        .build();
    let config = lambda::sdk::loader()
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .timeout_config(timeouts)
        .load()
        .await;
    let client = Client::new(&config);
    let started = Instant::now();
    let parts = tables
        .iter()
        .flat_map(|table| (0..segments).map(move |segment| (table, segment)));
    let scans = parts.map(|(table, segment)| scan(&client, table, segment, segments));
    let at_once = usize::try_from(segments).unwrap();
    let read = stream::iter(scans).buffer_unordered(at_once);
    let items: usize = read.fold(0, async |sum, items| sum + items).await;
    let took = started.elapsed().as_millis();
    println!("{{\"items\":{items},\"milliseconds\":{took}}}");
}

async fn scan(client: &Client, table: &str, segment: i32, segments: i32) -> usize {
    let pages = client
        .scan()
        .table_name(table)
        .segment(segment)
        .total_segments(segments)
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .into_paginator();
    let mut pages = pages.send();
    let mut items = 0;
    while let Some(page) = pages.next().await {
        items += page.unwrap().items().len();
    }
    items
}
