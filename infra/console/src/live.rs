//! Tells an open page that what it shows has changed, by Server-Sent Events.
//!
//! The page itself does not change, since somebody may be reading or typing there. It shows one
//! sentence with a link, in a live region.

use std::{convert::Infallible, sync::Arc, time::Duration};

use askama::Template;
use axum::{
    http::StatusCode,
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::stream;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use crate::{
    Console,
    limits::{LIVE_EVERY_ELSEWHERE, LIVE_EVERY_LOCALLY, LIVE_FOR},
};

/// The notice that a page gets.
#[derive(Template)]
#[template(path = "moved.html")]
pub struct ChangeNotice {
    /// What has changed, as a sentence.
    pub message: String,
    /// The path of the page with its current content.
    pub address: String,
}

/// Polls `path` until `news` returns a notice, sends it, and ends. A failed poll counts as no news.
/// At most [`crate::limits::LIVE_STREAMS_MAX`] pages are served at the same time; further ones get
/// no notices (`204`).
pub fn watch<T: DeserializeOwned + Send + 'static>(
    console: &Console,
    path: String,
    news: impl Fn(T) -> Option<ChangeNotice> + Send + Sync + 'static,
) -> Response {
    let Ok(permit) = Arc::clone(&console.0.streams).try_acquire_owned() else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let every = match console.about().is_local {
        true => LIVE_EVERY_LOCALLY,
        false => LIVE_EVERY_ELSEWHERE,
    };
    let (api, until) = (console.api().clone(), Instant::now() + LIVE_FOR);
    let state = (permit, api, news, path, StreamState::Polling);
    let events = stream::unfold(
        state,
        move |(permit, api, news, path, stream_state)| async move {
            match stream_state {
                StreamState::Ended => None,
                StreamState::Sent => {
                    let end = Event::default().event(END).data("");
                    Some((end, (permit, api, news, path, StreamState::Ended)))
                }
                StreamState::Polling => {
                    while Instant::now() < until {
                        sleep(every).await;
                        let found = api.get::<T>(&path).await.ok();
                        if let Some(notice) = found.and_then(&news) {
                            let event = Event::default().data(notice.render().unwrap_or_default());
                            return Some((event, (permit, api, news, path, StreamState::Sent)));
                        }
                    }
                    None
                }
            }
        },
    );
    let events = futures::StreamExt::map(events, Ok::<_, Infallible>);
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    Sse::new(events).keep_alive(alive).into_response()
}

/// The name of the event after which a page stops listening.
const END: &str = "end";

enum StreamState {
    Polling,
    Sent,
    Ended,
}
