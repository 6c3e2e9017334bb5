//! The two ports that a system listens on.

use std::io;
use std::net::{IpAddr, SocketAddr};

use emulator::Listeners;
use tokio::net::TcpListener;

/// The error of a port that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {cause}; another port: {flag} or {variable}")]
pub struct PortError {
    /// The address that was to be listened on.
    pub address: SocketAddr,
    /// The error of the operating system.
    pub cause: io::Error,
    /// The flag that changes it.
    pub flag: &'static str,
    /// The environment variable that changes it.
    pub variable: &'static str,
}

/// Listens at `bind` on the port of the HTTP API and on the port of the AWS protocols. Port 0 takes
/// any free one.
pub async fn listen(bind: IpAddr, port: u16, aws_port: u16) -> Result<Listeners, PortError> {
    Ok(Listeners {
        http_api: listen_on(bind, port, "--port", "WAYBILL_PORT").await?,
        aws: listen_on(bind, aws_port, "--aws-port", "WAYBILL_AWS_PORT").await?,
    })
}

async fn listen_on(
    ip: IpAddr,
    port: u16,
    flag: &'static str,
    variable: &'static str,
) -> Result<TcpListener, PortError> {
    let address = SocketAddr::new(ip, port);
    let failed = |cause| PortError {
        address,
        cause,
        flag,
        variable,
    };
    TcpListener::bind(address).await.map_err(failed)
}
