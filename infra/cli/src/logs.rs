//! What is logged beside what a command prints. (The local system has logs of its own.)

use tracing_subscriber::{EnvFilter, fmt};

/// The log levels unless `RUST_LOG` sets others: what an operator did that cannot be undone, and what
/// went wrong in the console.
const LEVELS: &str = "operator=info,console=warn";

/// Starts logging to standard error. A second start does nothing.
pub(crate) fn start() {
    let levels = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LEVELS));
    let _ = fmt()
        .compact()
        .with_writer(std::io::stderr)
        .with_env_filter(levels)
        .try_init();
}
