//! The arguments that name an environment.

use std::path::{Path, PathBuf};

use operator::{
    Environment,
    folder::{STATE_FOLDER, run_folder},
    target::LOCAL,
};

use super::Failed;

/// Which environment to work on
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Target {
    /// Name of the environment, which is a part of the name of every table, function, bus and topic
    #[arg(long, env = "WAYBILL_ENV", default_value = "dev")]
    env: String,

    /// Work on the local system on its default port, whatever AWS_ENDPOINT_URL says. Without it, on
    /// AWS, with the credentials and the region that the command `aws` would use
    #[arg(long, conflicts_with = "endpoint_url")]
    local: bool,

    /// URL at which AWS's protocols are offered, such as a local system on another port; without
    /// it, the environment variable AWS_ENDPOINT_URL
    // The variable is not declared as the argument's `env`: clap would then refuse `--local`
    // wherever the variable is set.
    #[arg(long)]
    endpoint_url: Option<String>,

    /// Print JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

impl Target {
    /// Connects to the environment, and prints a warning where this machine's clock is wrong.
    pub(super) async fn reach(&self) -> Result<Environment, Failed> {
        let target = operator::Target {
            environment: self.env.clone(),
            endpoint: self.endpoint(),
        };
        let environment = target.connect().await?;
        if let Some(wrong_by) = environment.clock_wrong_by() {
            let seconds = wrong_by.as_secs();
            eprintln!(
                "waybill: this machine's clock is wrong by {seconds} s: the server's is used"
            );
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

    /// The folder that keeps a run: the given one, else the default one of its kind.
    pub(super) fn state(&self, named: Option<&PathBuf>, kind: &str) -> PathBuf {
        let usual = || run_folder(Path::new(STATE_FOLDER), kind, &self.env);
        named.cloned().unwrap_or_else(usual)
    }
}
