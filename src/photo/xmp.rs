//! The XMP packet: XML that may hold the orientation a second time.

use image::metadata::Orientation;

/// Reads a packet's `tiff:Orientation`, an attribute or an element, and sets it to upright. None if there is none. The
/// packet keeps its length: the value is one digit.
pub(super) fn settle(packet: &mut [u8]) -> Option<Orientation> {
    const NAME: &[u8] = b"tiff:Orientation";
    let mut orientation = None;
    let mut from = 0;
    while let Some(found) = packet[from..].windows(NAME.len()).position(|window| window == NAME) {
        from += found + NAME.len();
        // `="6"`, `= '6'`, `>6<`: anything but a digit, as far as a value can be from its name.
        let Some(digit) = packet[from..].iter().take(8).position(u8::is_ascii_digit).map(|skip| from + skip) else {
            continue;
        };
        let between = &packet[from..digit];
        if between.iter().all(|byte| byte.is_ascii_whitespace() || b"=\"'>".contains(byte))
            && !packet.get(digit + 1).is_some_and(u8::is_ascii_digit)
        {
            orientation = orientation.or(Orientation::from_exif(packet[digit] - b'0'));
            packet[digit] = b'1';
        }
    }
    orientation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_and_elements() {
        for (written, upright) in [
            ("<x tiff:Orientation=\"6\" y='2'/>", "<x tiff:Orientation=\"1\" y='2'/>"),
            ("<x tiff:Orientation = '6'/>", "<x tiff:Orientation = '1'/>"),
            ("<tiff:Orientation>6</tiff:Orientation>", "<tiff:Orientation>1</tiff:Orientation>"),
        ] {
            let mut packet = written.as_bytes().to_vec();
            assert_eq!(settle(&mut packet), Some(Orientation::Rotate90));
            assert_eq!(String::from_utf8(packet).unwrap(), upright);
        }
        for other in ["", "tiff:Orientation", "tiff:OrientationX=\"6\"", "tiff:Orientation=\"66\"", "<x n=\"6\"/>"] {
            let mut packet = other.as_bytes().to_vec();
            assert_eq!(settle(&mut packet), None, "{other}");
            assert_eq!(packet, other.as_bytes());
        }
    }
}
