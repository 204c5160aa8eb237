//! Writes one table, or one slice of it, in all the forms in which it is published, from a single pass over the rows.

use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};

use super::Object;
use super::parquet::{Typed, Workshop};
use super::relay::{CopiedLines, Turn};
use crate::clients::store::{ObjectWriter, Written};
use crate::dataset::{PublishedForm, PublishedTable};
use crate::error::Cause;
use crate::fault;
use crate::run::context::Context;
use crate::system::background::blocking;

/// How many bytes of a local file are read at once.
const CHUNK: usize = 1 << 20;

/// A table or slice that is written in one or several forms.
#[derive(Clone)]
pub(super) struct Publishing {
    pub table: &'static PublishedTable,
    /// The value of the split column; `None`: the table is not split.
    pub value: Option<Option<i64>>,
    /// In order, CSV first.
    pub forms: Vec<PublishedForm>,
    /// The types of the columns, if a form has types.
    pub typed: Option<Typed>,
}

impl Publishing {
    /// A CSV only.
    pub(super) fn csv(table: &'static PublishedTable) -> Self {
        Self { table, value: None, forms: vec![PublishedForm::Csv], typed: None }
    }

    /// The place of its first form, for people.
    pub(super) fn name(&self, context: &Context) -> String {
        self.key(context, self.forms.first().copied().unwrap_or(PublishedForm::Csv))
    }

    /// The place of a form.
    pub(super) fn key(&self, context: &Context, form: PublishedForm) -> String {
        context.objects().object(self.table, &self.table.object(self.value, form))
    }

    fn object(&self, context: &Context, form: PublishedForm, rows: u64, written: Written) -> Object {
        Object {
            table: self.table,
            key: self.key(context, form),
            form,
            value: self.value,
            rows,
            size_bytes: written.size_bytes,
            sha256: Some(written.sha256),
            exported: None,
        }
    }
}

/// A CSV that is being compressed.
struct Packing {
    to: ObjectWriter,
    encoder: GzEncoder<Vec<u8>>,
}

impl Packing {
    /// Compresses on a blocking thread.
    async fn take(self, bytes: Bytes) -> Result<Self, Cause> {
        let Self { mut to, mut encoder } = self;
        let packed = blocking(move || {
            encoder.write_all(&bytes)?;
            let packed = std::mem::take(encoder.get_mut());
            Ok((encoder, packed))
        });
        let (encoder, packed) = packed.await?.map_err(Cause::io("pack a CSV"))?;
        if !packed.is_empty() {
            to.write(packed.into()).await?;
        }
        Ok(Self { to, encoder })
    }

    async fn finish(self) -> Result<Written, Cause> {
        let Self { mut to, encoder } = self;
        let rest = encoder.finish().map_err(Cause::io("pack a CSV"))?;
        to.write(rest.into()).await?;
        fault::point!("publish.mid_object");
        Ok(to.finish().await?)
    }
}

/// A CSV on the local disk, from which another form is made.
struct Local {
    file: BufWriter<File>,
    path: PathBuf,
}

impl Local {
    async fn create(folder: &Path, name: &str) -> Result<Self, Cause> {
        let path = folder.join(name);
        let file = File::create(&path).await.map_err(Cause::io(format!("make {}", path.display())))?;
        Ok(Self { file: BufWriter::with_capacity(CHUNK, file), path })
    }

    async fn take(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        let failed = Cause::io(format!("write {}", self.path.display()));
        self.file.write_all(bytes).await.map_err(failed)
    }

    async fn finish(mut self) -> Result<PathBuf, Cause> {
        self.file.flush().await.map_err(Cause::io(format!("write {}", self.path.display())))?;
        Ok(self.path)
    }
}

/// Writes all forms of the arriving rows; they are put into their places when it is their turn. `workshop`: where forms
/// are made that cannot be written row by row.
pub(super) async fn write(
    context: &Context,
    workshop: Option<&Workshop>,
    publishing: Publishing,
    lines: CopiedLines,
) -> Result<Vec<Object>, Cause> {
    let bar = context.report.bytes_bar(&publishing.name(context), 0);
    let mut csv = match publishing.forms.contains(&PublishedForm::Csv) {
        true => Some(context.store.writer(&publishing.key(context, PublishedForm::Csv)).await?),
        false => None,
    };
    let mut packing = match publishing.forms.contains(&PublishedForm::Packed) {
        true => {
            let to = context.store.writer(&publishing.key(context, PublishedForm::Packed)).await?;
            Some(Packing { to, encoder: GzEncoder::new(Vec::new(), Compression::default()) })
        }
        false => None,
    };
    let mut local = match workshop.filter(|_| publishing.forms.contains(&PublishedForm::Parquet)) {
        Some(workshop) => {
            let name = publishing.table.object(publishing.value, PublishedForm::Csv);
            Some(Local::create(workshop.folder(), &name).await?)
        }
        None => None,
    };
    let taken = lines.drain(async |bytes| {
        bar.inc(bytes.len() as u64);
        if let Some(local) = &mut local {
            local.take(&bytes).await?;
        }
        if let Some(before) = packing.take() {
            packing = Some(before.take(bytes.clone()).await?);
        }
        match &mut csv {
            Some(csv) => Ok(csv.write(bytes).await?),
            None => Ok(()),
        }
    });
    let (lines, turn) = taken.await?;
    let rows = lines.saturating_sub(1);
    let parquet = match (workshop, local, &publishing.typed) {
        (Some(workshop), Some(local), Some(typed)) => {
            Some(workshop.make(typed.clone(), local.finish().await?, rows).await?)
        }
        _ => None,
    };
    let objects = finish(context, &publishing, rows, turn, (csv, packing, parquet)).await;
    bar.finish_and_clear();
    objects
}

/// Puts the forms into their places, one after the other.
async fn finish(
    context: &Context,
    publishing: &Publishing,
    rows: u64,
    mut turn: Turn,
    (csv, packing, parquet): (Option<ObjectWriter>, Option<Packing>, Option<PathBuf>),
) -> Result<Vec<Object>, Cause> {
    turn.comes().await;
    fault::point!("publish.mid_object");
    let mut objects = Vec::new();
    // A run that lost the lock during a pause must not replace another run's objects with old ones, so the lock is
    // checked before each.
    if let Some(csv) = csv {
        context.ledger.confirm().await?;
        objects.push(publishing.object(context, PublishedForm::Csv, rows, csv.finish().await?));
        fault::point!("publish.object");
    }
    if let Some(packing) = packing {
        context.ledger.confirm().await?;
        objects.push(publishing.object(context, PublishedForm::Packed, rows, packing.finish().await?));
        fault::point!("publish.object");
    }
    if let Some(path) = parquet {
        context.ledger.confirm().await?;
        let written = upload(context, &publishing.key(context, PublishedForm::Parquet), &path).await?;
        objects.push(publishing.object(context, PublishedForm::Parquet, rows, written));
        fault::point!("publish.object");
    }
    turn.end();
    Ok(objects)
}

/// Moves a local file to its place.
async fn upload(context: &Context, key: &str, path: &Path) -> Result<Written, Cause> {
    let failed = || Cause::io(format!("read {}", path.display()));
    let mut file = File::open(path).await.map_err(failed())?;
    let mut to = context.store.writer(key).await?;
    loop {
        let mut chunk = bytes::BytesMut::with_capacity(CHUNK);
        while chunk.len() < CHUNK && file.read_buf(&mut chunk).await.map_err(failed())? > 0 {}
        if chunk.is_empty() {
            break;
        }
        to.write(chunk.freeze()).await?;
    }
    fault::point!("publish.mid_object");
    let written = to.finish().await?;
    tokio::fs::remove_file(path).await.map_err(Cause::io(format!("remove {}", path.display())))?;
    Ok(written)
}
