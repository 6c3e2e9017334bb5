//! Structured logs: JSON lines, one per entry, the level from `RUST_LOG` (default `info`).

use tracing_subscriber::EnvFilter;

/// Starts logging to standard output; a second call does nothing.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // This fails only where logging has been started already, which is no error here.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_env_filter(filter)
        .try_init();
}
