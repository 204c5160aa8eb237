//! Unpacks the bytes of a file if it is packed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

const BUFFER_BYTES: usize = 256 << 10;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Opens a file. Packed files are recognised by their first bytes, whatever their names are.
///
/// # Errors
/// The file cannot be opened or read. If packed data was cut off, the reader returns an error at that place.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut packed = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    let start = packed.fill_buf()?;
    if start.starts_with(&GZIP) {
        return Ok(Box::new(MultiGzDecoder::new(packed)));
    }
    if start.starts_with(&ZSTD) {
        return Ok(Box::new(zstd::stream::read::Decoder::with_buffer(packed)?));
    }
    Ok(Box::new(packed))
}
