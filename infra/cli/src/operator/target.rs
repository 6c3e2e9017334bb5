//! Which environment is meant.

use std::path::{Path, PathBuf};

use operator::{
    Environment,
    folder::{STATE_FOLDER, run_folder},
    target::LOCAL,
};

use super::Failed;

/// Which environment is meant
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Target {
    /// Environment: part of the name of every table, function, bus and topic
    #[arg(long, env = "WAYBILL_ENV", default_value = "dev")]
    env: String,

    /// The local system on its usual port, whatever AWS_ENDPOINT_URL says; without it AWS, with the
    /// credentials and the region that the `aws` command would use
    #[arg(long, conflicts_with = "endpoint_url")]
    local: bool,

    /// Where AWS's protocols are spoken, such as a local system on another port; else the
    /// environment variable AWS_ENDPOINT_URL says it
    // The variable is not the argument's own: `--local` would then be refused wherever it is set.
    #[arg(long)]
    endpoint_url: Option<String>,

    /// Print JSON, for machines
    #[arg(long)]
    pub(super) json: bool,
}

impl Target {
    /// Reaches the environment, with a word where this machine's clock is wrong.
    pub(super) async fn reach(&self) -> Result<Environment, Failed> {
        let target = operator::Target {
            environment: self.env.clone(),
            endpoint: self.endpoint(),
        };
        let environment = target.connect().await?;
        if let Some(wrong_by) = environment.clock_wrong_by() {
            let seconds = wrong_by.as_secs();
            eprintln!("waybill: this machine's clock is wrong by {seconds} s: the server's counts");
        }
        Ok(environment)
    }

    fn endpoint(&self) -> Option<String> {
        let by_variable = || std::env::var("AWS_ENDPOINT_URL").ok();
        match self.local {
            true => Some(LOCAL.to_owned()),
            false => self.endpoint_url.clone().or_else(by_variable),
        }
        .filter(|endpoint| !endpoint.is_empty())
    }

    /// Where a run is kept: in the folder that was named, else in the usual one of its kind.
    pub(super) fn state(&self, named: Option<&PathBuf>, kind: &str) -> PathBuf {
        let usual = || run_folder(Path::new(STATE_FOLDER), kind, &self.env);
        named.cloned().unwrap_or_else(usual)
    }
}
