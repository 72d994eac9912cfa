//! A connection to a receiver: found, opened, in TLS if the URL wants it, and read up to a bound.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

/// How many bytes a receiver may send in one connection, its certificates included.
///
/// It stands over the bounds of head and body: interim answers without an end are neither.
const READ_MAX: usize = 512 * 1024;

/// A connection that reads no more than [`READ_MAX`] bytes.
#[derive(Debug)]
pub(crate) struct Bounded {
    stream: TcpStream,
    left: usize,
}

/// Opens a connection to where `url` leads, each address for its share of `time`.
pub(crate) async fn open(url: &Url, time: Duration) -> io::Result<Bounded> {
    let port = url.port_or_known_default().unwrap_or(0);
    let addresses: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(ip)) => vec![(ip, port).into()],
        Some(Host::Ipv6(ip)) => vec![(ip, port).into()],
        Some(Host::Domain(name)) => tokio::net::lookup_host((name, port)).await?.collect(),
        None => Vec::new(),
    };
    let share = time / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut last = io::Error::other("it has no address");
    for address in addresses {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(Bounded { stream, left: READ_MAX });
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::other("nobody answered in time"),
        }
    }
    Err(last)
}

/// Speaks TLS on `wire` as `url` wants it.
pub(crate) async fn secure(
    url: &Url,
    wire: Bounded,
    tls: &Arc<ClientConfig>,
) -> io::Result<TlsStream<Bounded>> {
    let name = match url.host() {
        Some(Host::Ipv4(ip)) => ServerName::IpAddress(std::net::IpAddr::from(ip).into()),
        Some(Host::Ipv6(ip)) => ServerName::IpAddress(std::net::IpAddr::from(ip).into()),
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(io::Error::other)?,
        None => return Err(io::Error::other("it has no host")),
    };
    TlsConnector::from(Arc::clone(tls)).connect(name, wire).await
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other("it says more than is read of an answer")));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.left = self.left.saturating_sub(buffer.filled().len() - before);
        read
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
