//! A signal that requests all tasks to end.

use tokio::sync::watch;

/// The receiver of the signal.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// The sender of the signal. Dropping it also requests the end.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Creates a sender and a receiver.
pub fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Requests the end.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether the end was requested.
    pub fn requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Returns once the end is requested.
    pub async fn wait(&mut self) {
        // An error means that the sender was dropped, which also requests the end.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
