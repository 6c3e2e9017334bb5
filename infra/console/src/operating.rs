//! What the console reaches beside the HTTP API: the environment as an operator's command reaches it.

use std::{path::PathBuf, sync::Arc, time::Instant};

use operator::{Environment, OperatorError, Target};
use tokio::sync::Mutex;

use crate::{backend::Failure, limits::ENVIRONMENT_KEPT};

/// An environment as an operator's command reaches it.
pub struct Operating {
    target: Target,
    /// Where runs are kept: the folder that the command line uses, too.
    pub state: PathBuf,
    kept: Mutex<Option<(Arc<Environment>, Instant)>>,
}

impl Operating {
    /// The environment that `target` names, with runs kept under `state`.
    pub fn new(target: Target, state: PathBuf) -> Self {
        Self {
            target,
            state,
            kept: Mutex::default(),
        }
    }

    /// The environment, reached; it is asked for its settings now and then only.
    pub async fn environment(&self) -> Result<Arc<Environment>, Failure> {
        let mut kept = self.kept.lock().await;
        if let Some((environment, at)) = &*kept
            && at.elapsed() < ENVIRONMENT_KEPT
        {
            return Ok(Arc::clone(environment));
        }
        let environment = Arc::new(self.target.connect().await?);
        *kept = Some((Arc::clone(&environment), Instant::now()));
        Ok(environment)
    }
}

impl From<OperatorError> for Failure {
    fn from(error: OperatorError) -> Self {
        let status = match &error {
            OperatorError::Usage(_) => 400,
            OperatorError::NotFound(_) => 404,
            OperatorError::Corrupt(_) | OperatorError::TooMany(_) | OperatorError::Stopped => 409,
            OperatorError::Unavailable(_) | OperatorError::Environment(_) => 502,
            OperatorError::Folder(_) => 500,
        };
        Self::Said {
            status,
            message: error.to_string(),
        }
    }
}
