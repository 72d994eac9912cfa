//! One request and the beginning of its answer, on a connection that is there.

use std::pin::pin;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{ANSWER_BYTES_MAX, Answer};

/// How long the head of an answer may be.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Sends `request` over HTTP/1.1.
pub(crate) async fn http1<S>(wire: S, request: Request<Full<Bytes>>) -> hyper::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = http1::Builder::new();
    builder.max_header_size(HEAD_BYTES_MAX).max_buf_size(2 * HEAD_BYTES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(wire)).await?;
    driven(connection, async move { read(sender.send_request(request).await?).await }).await
}

/// Sends `request` over HTTP/2, without asking whether the receiver speaks it.
pub(crate) async fn http2<S>(wire: S, request: Request<Full<Bytes>>) -> hyper::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_header_list_size(u32::try_from(HEAD_BYTES_MAX).expect("64 KiB fits"));
    let (mut sender, connection) = builder.handshake(TokioIo::new(wire)).await?;
    driven(connection, async move { read(sender.send_request(request).await?).await }).await
}

/// Waits for `talk` while its connection goes on; what it was told before the connection ended still counts.
async fn driven(
    connection: impl Future<Output = hyper::Result<()>>,
    talk: impl Future<Output = hyper::Result<Answer>>,
) -> hyper::Result<Answer> {
    match select(pin!(talk), pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        // Its error, if it is one, reaches whoever waits for the answer, with more to say.
        Either::Right((_, talk)) => talk.await,
    }
}

async fn read(response: Response<Incoming>) -> hyper::Result<Answer> {
    let (head, mut rest) = response.into_parts();
    let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
    while body.len() < ANSWER_BYTES_MAX {
        let Some(frame) = rest.frame().await.transpose()? else { break };
        match frame.into_data() {
            Ok(piece) => {
                let room = (ANSWER_BYTES_MAX - body.len()).min(piece.len());
                body.extend_from_slice(&piece[..room]);
            }
            Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    Ok(Answer { status: head.status, headers: head.headers, body: body.into(), trailers })
}
