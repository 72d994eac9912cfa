//! SMTP, in the words that the kind of mail servers has too.

use std::net::IpAddr;
use std::time::Instant;

use model::outcome::Failure;
use tokio::net::TcpStream;

use super::Protocol;
use super::dialogue::wrong;
use crate::net::fault;
use crate::net::lines::Lines;
use crate::net::mail::{self, MailError, Reply, SAID_MAX};
use crate::net::phases::Phases;

pub(super) async fn upgrade(stream: &mut TcpStream) -> Result<(), Failure> {
    let own = stream.local_addr().map_err(|error| fault::of_io(&error, "asking for STARTTLS"))?;
    // An address in brackets is a name for who has none (RFC 5321, section 4.1.3).
    let own = match own.ip() {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    };
    talk(Lines::new(stream, SAID_MAX), &own).await.map_err(|error| match error {
        MailError::Broken(failure) => failure,
        MailError::Refused(_, Reply { code, lines }) => {
            let said = format!("{code} {}", lines.join(" "));
            wrong(Protocol::Smtp, format_args!("it refused: {said:?}"))
        }
        other => wrong(Protocol::Smtp, other.told()),
    })
}

async fn talk(mut lines: Lines<&mut TcpStream>, own: &str) -> Result<(), MailError> {
    // All of it is one phase of the caller's.
    let mut aside = Phases::start(Instant::now());
    Reply::read(&mut lines, &mut aside).await?.with(220, "the connection")?;
    let offers = mail::hello(&mut lines, own, &mut aside).await?;
    if !mail::offers_tls(&offers.lines) {
        return Err(MailError::NotOffered);
    }
    mail::start_tls(lines, &mut aside).await.map(drop)
}
