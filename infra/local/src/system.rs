//! Waybill in the emulator, from its start to its end.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use emulator::arn::{self, ACCOUNT, REGION};
use emulator::{Emulator, Printed};
use lambda::Names;
use lambda::settings::RebuildSettings;

use crate::data_folder::DataFolder;
use crate::functions::{Functions, Waybill};
use crate::settings::Settings;
use crate::start_error::StartError;
use crate::{definition, listeners};

/// The running system.
pub struct System {
    emulator: Emulator,
    /// Locks the data folder as long as the system runs.
    _data: DataFolder,
}

impl System {
    /// Starts the system with its own handlers.
    pub async fn start(settings: &Settings) -> Result<Self, StartError> {
        let (secrets, printed) = (settings.carrier_secrets(), Printed::default());
        let metrics = printed.clone();
        let make =
            |config: &SdkConfig, function_settings: &lambda::Settings| -> Arc<dyn Functions> {
                Arc::new(Waybill::new(config, function_settings, secrets, metrics))
            };
        Self::start_with_output(settings, make, printed).await
    }

    /// Starts the system with the functions that `make` creates. `make` gets the configuration of
    /// AWS clients that reach this system, and the settings of the functions.
    pub async fn start_with(
        settings: &Settings,
        make: impl FnOnce(&SdkConfig, &lambda::Settings) -> Arc<dyn Functions>,
    ) -> Result<Self, StartError> {
        Self::start_with_output(settings, make, Printed::default()).await
    }

    async fn start_with_output(
        settings: &Settings,
        make: impl FnOnce(&SdkConfig, &lambda::Settings) -> Arc<dyn Functions>,
        printed: Printed,
    ) -> Result<Self, StartError> {
        let names = Names::new(&settings.env)?;
        let data = DataFolder::take(&settings.data)?;
        let Settings {
            bind,
            port,
            aws_port,
            ..
        } = *settings;
        let listeners = listeners::listen(bind, port, aws_port).await?;
        let aws = listeners.aws()?;
        let function_settings = function_settings(&names, settings, aws);
        let functions = make(&sdk_config(aws).await, &function_settings);
        let key = data.personal_data_key(&settings.env);
        let definition = definition::of(settings, &function_settings, functions, key)?;
        let files = data.files(&settings.env);
        Ok(Self {
            emulator: Emulator::start(definition, listeners, files, printed).await?,
            _data: data,
        })
    }

    /// Returns the address of the HTTP API.
    pub fn api(&self) -> SocketAddr {
        self.emulator.http_api()
    }

    /// Returns the address of the AWS protocols.
    pub fn aws(&self) -> SocketAddr {
        self.emulator.aws()
    }

    /// Stops the system. Running work may end within a time limit.
    pub async fn stop(self) {
        self.emulator.stop().await;
    }
}

/// Returns the configuration of clients for the AWS protocols at this address.
pub(crate) async fn sdk_config(aws: SocketAddr) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "local");
    lambda::sdk::loader()
        .endpoint_url(format!("http://{aws}"))
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .load()
        .await
}

/// Returns the settings of the functions.
fn function_settings(names: &Names, settings: &Settings, aws: SocketAddr) -> lambda::Settings {
    lambda::Settings {
        names: names.clone(),
        alerts_arn: arn::topic(&names.alerts()),
        dead_letters_url: arn::queue_url(aws, &definition::dead_letter_queue(names)),
        bucket: names.orders_bucket(ACCOUNT),
        shards: settings.shards,
        read_models: settings.read_models.clone(),
        rebuild: RebuildSettings::default(),
        carrier_references: settings.carrier_reference.clone(),
        stalled_after: settings.stalled_after_hours.clone(),
    }
}
