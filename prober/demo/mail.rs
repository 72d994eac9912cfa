//! The greeting of a mail server that takes no mail.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::faults::{MAIL, Schedule};
use crate::tasks::Spawner;

/// The most connections at once; later ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 64;

/// How long one connection may last.
const CONVERSATION: Duration = Duration::from_secs(10);

/// The longest command line, in bytes (RFC 5321, section 4.5.3.1.4).
const LINE_BYTES_MAX: u64 = 512;

/// Greets everyone until it is aborted.
pub(crate) async fn serve(listener: TcpListener, schedule: Schedule, spawner: Spawner) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: connections that end make room.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let busy = schedule.active(&MAIL);
        spawner.spawn(async move {
            // A client that hangs up or takes too long is gone; there is nothing to clean up.
            let _end = tokio::time::timeout(CONVERSATION, converse(stream, busy)).await;
            drop(place);
        });
    }
}

async fn converse(stream: TcpStream, busy: bool) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    if busy {
        stream.write_all(b"421 mail.demo.test too many connections, try again later\r\n").await?;
        return stream.shutdown().await;
    }
    stream.write_all(b"220 mail.demo.test ESMTP demo shop\r\n").await?;
    loop {
        let mut line = Vec::new();
        let length = (&mut stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
        let word = String::from_utf8_lossy(&line).trim().to_ascii_uppercase();
        let (answer, last): (&[u8], bool) = match word.split(' ').next().unwrap_or_default() {
            _ if length == 0 => return Ok(()),
            _ if line.last() != Some(&b'\n') => (b"500 line too long\r\n", true),
            "QUIT" => (b"221 mail.demo.test closing\r\n", true),
            "EHLO" => (b"250-mail.demo.test\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n", false),
            "HELO" => (b"250 mail.demo.test\r\n", false),
            "NOOP" => (b"250 ok\r\n", false),
            _ => (b"502 this demo takes no mail\r\n", false),
        };
        stream.write_all(answer).await?;
        if last {
            return stream.shutdown().await;
        }
    }
}
