use super::*;

use proptest::prelude::*;

fn name(text: &str) -> ServerName<'static> {
    ServerName::try_from(text.to_owned()).unwrap()
}

/// A record with a server's hello: version, extensions.
fn served(version: u16, extensions: Option<&[u8]>) -> Vec<u8> {
    let mut record = vec![HANDSHAKE, 3, 1];
    sized(&mut record, 2, |record| {
        record.push(SERVER_HELLO);
        sized(record, 3, |body| {
            word(body, version);
            body.extend([7; 32]);
            sized(body, 1, |body| body.extend([9; 32]));
            word(body, 0x002f);
            body.push(0);
            if let Some(extensions) = extensions {
                sized(body, 2, |body| body.extend_from_slice(extensions));
            }
        });
    });
    record
}

#[test]
fn a_hello_offers_one_version() {
    for (version, record, legacy) in [
        (Version::Ssl3, 0x0300, 0x0300),
        (Version::Tls10, 0x0301, 0x0301),
        (Version::Tls11, 0x0301, 0x0302),
        (Version::Tls12, 0x0301, 0x0303),
        (Version::Tls13, 0x0301, 0x0303),
    ] {
        let hello = client_hello(version, &name("shop.test"), &[5; 96]);
        let at = |place: usize| u16::from_be_bytes([hello[place], hello[place + 1]]);
        assert_eq!((at(1), at(9)), (record, legacy), "{version:?}");
        assert_eq!(usize::from(at(3)), hello.len() - 5, "the record's length");
        assert_eq!(usize::from(hello[5 + 3]) + 256 * usize::from(hello[5 + 2]), hello.len() - 9);
        let has_name = hello.windows(9).any(|part| part == b"shop.test");
        assert_eq!(has_name, version != Version::Ssl3, "{version:?}");
        let by_address = client_hello(version, &name("127.0.0.1"), &[5; 96]);
        assert!(!by_address.windows(9).any(|part| part == b"127.0.0.1"), "an address is no server name");
    }
}

#[test]
fn answers_are_told_apart() {
    let of_13 = [0x00, 0x2b, 0x00, 0x02, 0x03, 0x04];
    let after_another = [&[0xff, 0x01, 0x00, 0x01, 0x00][..], &of_13].concat();
    for (bytes, expected) in [
        (served(0x0301, None), Some(Answer::Agreed(0x0301))),
        (served(0x0301, Some(&[])), Some(Answer::Agreed(0x0301))),
        (served(0x0303, Some(&of_13)), Some(Answer::Agreed(0x0304))),
        (served(0x0303, Some(&after_another)), Some(Answer::Agreed(0x0304))),
        (served(0x0303, Some(&[0xff, 0x01, 0x00])), Some(Answer::Agreed(0x0303))),
        (served(0x0303, Some(&[0xff, 0x01, 0x00, 0x09])), Some(Answer::Foreign)),
        (vec![ALERT, 3, 1, 0, 2, 2, 70], Some(Answer::Refused(70))),
        (vec![ALERT, 3, 1, 0, 2, 2], None),
        (b"HTTP/1.1 400 Bad Request\r\n".to_vec(), Some(Answer::Foreign)),
        (vec![HANDSHAKE, 3, 1, 0, 0], Some(Answer::Foreign)),
        (vec![HANDSHAKE, 3, 1, 0xff, 0xff], Some(Answer::Foreign)),
        (vec![HANDSHAKE, 3, 1, 0, 4, 0, 0, 0, 0], Some(Answer::Foreign)),
        (vec![HANDSHAKE, 3, 1, 0x10, 0, SERVER_HELLO, 0xff, 0, 0], Some(Answer::Foreign)),
        (Vec::new(), None),
    ] {
        assert_eq!(answer(&bytes), expected, "{bytes:02x?}");
    }
}

#[test]
fn a_hello_in_pieces_is_read_when_it_is_whole() {
    let whole = served(0x0302, None);
    for length in 0..whole.len() {
        assert_eq!(answer(&whole[..length]), None, "{length} bytes");
    }
    // The same over two records, as RFC 8446 allows in section 5.1.
    let (first, second) = whole[5..].split_at(10);
    let mut split = Vec::new();
    for part in [first, second] {
        split.extend([HANDSHAKE, 3, 1]);
        sized(&mut split, 2, |split| split.extend_from_slice(part));
    }
    assert_eq!(answer(&split), Some(Answer::Agreed(0x0302)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_an_answer_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _answer = answer(&bytes);
        let _answer = answer(&[&[HANDSHAKE, 3, 1, 1, 0, SERVER_HELLO, 0, 0, 0xf0][..], &bytes].concat());
    }
}
