//! The packets between a worker and its Python process: a JSON header and a body in Arrow's stream format, each preceded by its
//! length.

use std::io::{Error, ErrorKind};

use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::PythonError;

/// The most bytes of a header, which is a traceback at worst.
const LARGEST_HEADER: u32 = 1 << 20;

pub struct Packet {
    pub header: serde_json::Value,
    pub body: Vec<u8>,
}

/// Sends a packet.
pub async fn write(stream: &mut (impl AsyncWriteExt + Unpin), frame: Packet) -> std::io::Result<()> {
    let header = serde_json::to_vec(&frame.header)?;
    stream.write_u32_le(header.len() as u32).await?;
    stream.write_all(&header).await?;
    stream.write_u64_le(frame.body.len() as u64).await?;
    stream.write_all(&frame.body).await?;
    stream.flush().await
}

/// Receives a packet.
pub async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Packet> {
    let length = stream.read_u32_le().await?;
    if length > LARGEST_HEADER {
        return Err(Error::new(ErrorKind::InvalidData, "the header of a frame is too long"));
    }
    let mut header = vec![0; length as usize];
    stream.read_exact(&mut header).await?;
    let length = stream.read_u64_le().await?;
    // The buffer grows as bytes arrive, so a wrong length allocates no memory.
    let mut body = Vec::new();
    stream.take(length).read_to_end(&mut body).await?;
    if body.len() as u64 != length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(Packet { header: serde_json::from_slice(&header)?, body })
}

/// Encodes record batches in Arrow's stream format.
pub fn encode(schema: &SchemaRef, rows: &[RecordBatch]) -> Result<Vec<u8>, PythonError> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
    for batch in rows {
        writer.write(batch)?;
    }
    Ok(writer.into_inner()?)
}

/// Decodes record batches from Arrow's stream format.
pub fn decode(stream: Vec<u8>) -> Result<(SchemaRef, Vec<RecordBatch>), PythonError> {
    let reader = StreamReader::try_new(std::io::Cursor::new(stream), None)?;
    let schema = reader.schema();
    Ok((schema, reader.collect::<Result<_, _>>()?))
}
