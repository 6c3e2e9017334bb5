//! The place that a system takes for itself alone: a data folder and two ports.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tokio::net::TcpListener;

use crate::Settings;
use crate::system::StartError;

/// A folder and two ports that nobody else has.
pub struct Place {
    /// Listens for the HTTP API.
    pub api: TcpListener,
    /// Listens for the AWS protocols.
    pub aws: TcpListener,
    /// The embedded DynamoDB's file.
    pub database: PathBuf,
    /// The local state's file.
    pub state: PathBuf,
    /// The folder of the objects' contents.
    pub objects: PathBuf,
    /// Held as long as the place is.
    pub lock: File,
}

impl Place {
    /// Takes the place, or says who or what is in the way.
    pub async fn take(settings: &Settings) -> Result<Self, StartError> {
        let Settings {
            port,
            aws_port,
            data,
            env,
            bind,
            shards: _,
            read_models: _,
            allow_host: _,
            cors_origin: _,
            carrier_secret: _,
            carrier_reference: _,
            stalled_after_hours: _,
        } = settings;
        let lock = lock(data)?;
        // Two environments in one folder do not meet.
        let file = |what: &str| data.join(format!("{env}.{what}.sqlite"));
        Ok(Self {
            api: listen(*bind, *port, "--port", "WAYBILL_PORT").await?,
            aws: listen(*bind, *aws_port, "--aws-port", "WAYBILL_AWS_PORT").await?,
            database: file("dynamodb"),
            state: file("state"),
            objects: data.join(format!("{env}.objects")),
            lock,
        })
    }
}

/// Takes the data folder. The operating system gives it back however the process ends.
fn lock(data: &Path) -> Result<File, StartError> {
    let name = data.display().to_string();
    let failed = |cause| StartError::Data {
        data: name.clone(),
        cause,
    };
    std::fs::create_dir_all(data).map_err(failed)?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    let mut file = options.open(data.join("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let known = file.read_to_string(&mut holder).is_ok() && !holder.is_empty();
            let by = if known {
                format!(" (process {holder})")
            } else {
                String::new()
            };
            return Err(StartError::InUse { data: name, by });
        }
        Err(TryLockError::Error(cause)) => return Err(failed(cause)),
    }
    file.set_len(0).map_err(failed)?;
    write!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

async fn listen(
    ip: IpAddr,
    port: u16,
    flag: &'static str,
    variable: &'static str,
) -> Result<TcpListener, StartError> {
    let address = SocketAddr::new(ip, port);
    let failed = |cause| StartError::Port {
        address,
        cause,
        flag,
        variable,
    };
    TcpListener::bind(address).await.map_err(failed)
}

/// Where a client on this machine reaches the listener.
pub fn reached_at(listener: &TcpListener) -> io::Result<SocketAddr> {
    let mut address = listener.local_addr()?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}
