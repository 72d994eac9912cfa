//! The messages of `grpc.health.v1.Health/Check` as bytes, and the codes of gRPC.
//!
//! `HealthCheckRequest { string service = 1; }` and `HealthCheckResponse { ServingStatus status = 1; }`, each in a
//! frame of one byte for compression and four for its length
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).

use bytes::{BufMut as _, Bytes, BytesMut};

/// The longest name of a service that is asked for; far longer than any.
pub(super) const SERVICE_MAX: usize = 1024;

/// What a server says of a service, by its number.
pub(super) const SERVING: &[&str] = &["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/// The status codes of gRPC, by their number.
pub(super) const CODES: &[&str] = &[
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The code of a service that the server does not know.
pub(super) const NOT_FOUND: usize = 5;

/// The framed request for `service`, at most [`SERVICE_MAX`] bytes; the server as a whole if it is empty.
pub(super) fn request(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        // Field 1, a text.
        message.put_u8(0x0a);
        put_varint(&mut message, service.len() as u64);
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("the name of a service is short"));
    framed.put_slice(&message);
    framed.freeze()
}

fn put_varint(out: &mut BytesMut, mut number: u64) {
    while number >= 0x80 {
        out.put_u8((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(u8::try_from(number).expect("seven bits are left"));
}

/// The word of a framed answer.
///
/// # Errors
/// It is not one frame with the message in it; what is wrong, for people.
pub(super) fn serving(framed: &[u8]) -> Result<&'static str, String> {
    let (head, message) = framed.split_first_chunk::<5>().ok_or("the answer has no message")?;
    if head[0] != 0 {
        return Err("the message is packed, which was not asked for".to_owned());
    }
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    if u64::from(length) != message.len() as u64 {
        return Err(format!("the message has {} bytes where {length} were announced", message.len()));
    }
    let status = field(message).ok_or("the message is no answer to a health check")?;
    // A number of a later version says nothing to this one.
    Ok(usize::try_from(status).ok().and_then(|number| SERVING.get(number)).unwrap_or(&SERVING[0]))
}

/// The last number in field 1, zero without one; fields of other numbers are passed over, as protobuf wants.
fn field(mut message: &[u8]) -> Option<u64> {
    let mut found = 0;
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let skipped = match (key >> 3, key & 7) {
            (0, _) => return None,
            (1, 0) => {
                found = varint(&mut message)?;
                0
            }
            (_, 0) => varint(&mut message).map(|_| 0)?,
            (_, 1) => 8,
            (_, 2) => usize::try_from(varint(&mut message)?).ok()?,
            (_, 5) => 4,
            _ => return None,
        };
        message = message.get(skipped..)?;
    }
    Some(found)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_as_bytes() {
        assert_eq!(&request("")[..], [0; 5]);
        assert_eq!(&request("ab")[..], [0, 0, 0, 0, 4, 10, 2, b'a', b'b']);
        let long = "x".repeat(300);
        assert_eq!(request(&long)[..8], [0, 0, 0, 1, 0x2f, 10, 0xac, 2]);
    }

    #[test]
    fn answers_as_bytes() {
        let framed = |message: &[u8]| {
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            [&[0][..], &length, message].concat()
        };
        for (message, word) in [
            (&[][..], "UNKNOWN"),
            (&[8, 1], "SERVING"),
            (&[8, 2], "NOT_SERVING"),
            (&[8, 3], "SERVICE_UNKNOWN"),
            (&[8, 99], "UNKNOWN"),
            (&[8, 2, 8, 1], "SERVING"),
            // Fields that this version does not know.
            (&[18, 2, 1, 1, 8, 1], "SERVING"),
            (&[24, 0x80, 1, 8, 1, 45, 0, 0, 0, 0, 49, 0, 0, 0, 0, 0, 0, 0, 0], "SERVING"),
        ] {
            assert_eq!(serving(&framed(message)), Ok(word), "{message:?}");
        }
        for message in
            [&[8][..], &[0], &[18, 200], &[18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]]
        {
            assert!(serving(&framed(message)).is_err(), "{message:?}");
        }
        assert!(serving(&framed(&[0x80; 40])).is_err());
        assert!(serving(&[0, 0, 0]).is_err());
        assert!(serving(&[1, 0, 0, 0, 0]).is_err());
        assert!(serving(&[0, 0xff, 0xff, 0xff, 0xff]).is_err());
    }
}
