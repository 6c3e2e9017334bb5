//! Asking everything that runs to come to an end.

use tokio::sync::watch;

/// Knows whether an end has been asked for.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// Asks for the end; dropping it does so too.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// A pair of both.
pub fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks for the end.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether the end has been asked for.
    pub fn requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Returns once the end is asked for.
    pub async fn wait(&mut self) {
        // An error says that the other side is gone, which asks for the end as well.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
