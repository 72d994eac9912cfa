//! Decimal digits of a fixed width, two at a time: every event has some forty numbers with hundreds of digits.

/// The digits of 0 to 99.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

/// The last two digits of `value`.
pub(crate) const fn pair(value: u32) -> [u8; 2] {
    PAIRS[(value % 100) as usize]
}

/// Fills `out` with the last digits of `value`, zeros in front.
pub(crate) fn write(out: &mut [u8], mut value: u32) {
    let (first, pairs) = out.as_rchunks_mut::<2>();
    for pair in pairs.iter_mut().rev() {
        *pair = self::pair(value);
        value /= 100;
    }
    for digit in first {
        *digit = PAIRS[(value % 10) as usize][1];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_formatter() {
        for value in (0..2_000).chain([9_999, 10_000, 123_456_789, 999_999_999]) {
            let mut nine = [0; 9];
            write(&mut nine, value);
            assert_eq!(nine, format!("{value:09}").as_bytes());
            let mut four = [0; 4];
            write(&mut four, value);
            assert_eq!(four, format!("{:04}", value % 10_000).as_bytes());
        }
        write(&mut [], 7);
    }
}
