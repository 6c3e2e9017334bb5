//! `waybill local`: the whole system in this process, until somebody asks for the end.

use std::io::Write;

use local::{Settings, System, banner, logs};
use tracing_subscriber::filter::LevelFilter;

/// Prints a text. That nobody reads it any more (`waybill local | head -3`) must not end a system
/// which others use, as `println!` would.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Runs until somebody asks for the end.
pub async fn run(settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    logs::start(&settings.data, LevelFilter::WARN)?;
    let system = System::start(settings).await?;
    say(&banner::text(&system, settings));
    asked_to_stop().await?;
    say("stopping");
    // Whoever asks twice does not want to wait.
    tokio::select! {
        () = system.stop() => {}
        again = asked_to_stop() => again?,
    }
    Ok(())
}

/// Returns at Ctrl-C, and where there is such a thing at SIGTERM.
async fn asked_to_stop() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
