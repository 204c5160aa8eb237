//! Cases on their way from the splitter to the parser: collected in blocks, each case with its place in the document
//! and the declarations around it.

use std::ops::Range;
use std::sync::Arc;

use super::names::Scope;
use super::scan::Keep;
use crate::dataset::Limits;

/// Bytes of cases in a block.
pub(super) const BLOCK_BYTES: usize = 512 << 10;
/// Bytes of the document after which a block is sent even if it holds little.
const BLOCK_EVERY_BYTES: u64 = 8 << 20;
/// How many bytes of an oversized case are kept to find its identity in.
pub(super) const HEAD_BYTES: usize = 64 << 10;

/// Cases that follow each other in the document.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub data: Vec<u8>,
    pub items: Vec<Item>,
    /// Cases and bytes of the document up to the end of this block.
    pub records_seen: u64,
    pub document_bytes: u64,
}

/// A case, or the place where the document breaks off.
#[derive(Debug)]
pub(super) struct Item {
    /// Its bytes in [`Block::data`].
    pub range: Range<usize>,
    pub ordinal: u64,
    /// Offset of its first byte in the document.
    pub offset_bytes: u64,
    pub kind: ItemKind,
    /// The namespaces that are declared around it.
    pub scope: Arc<Scope>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum ItemKind {
    /// A case from its start tag to its end tag.
    Case,
    /// An element with a case's name that is in another namespace than the cases.
    Foreign,
    /// A case over the limit, of which only the start is here.
    TooLarge,
    /// A case without an end tag: the next one starts inside it.
    Unclosed,
    /// Nothing good follows.
    Break(String),
}

/// The receiver of the blocks is gone.
#[derive(Debug)]
pub(super) struct Closed;

/// The block that is being filled.
pub(super) struct Out<'l, F> {
    pub block: Block,
    pub limits: &'l Limits,
    pub only: &'l [u64],
    pub send: F,
    /// Ordinal of the last case that began.
    pub ordinal: u64,
    /// Position in the document when the last block was sent.
    pub sent_bytes: u64,
    /// The declarations around the last case.
    pub scope: Arc<Scope>,
    /// Those around the next one may be others.
    pub scope_changed: bool,
}

impl<F: FnMut(Block) -> bool> Out<'_, F> {
    /// Counts a case that begins, and returns the place where it is kept if it is wanted.
    pub fn start_case(&mut self) -> Keep<'_> {
        self.ordinal += 1;
        let head = self.limits.fragment_bytes.max(HEAD_BYTES).min(self.limits.record_bytes);
        let (is_wanted, start) = (self.is_wanted(), self.block.data.len());
        let limit = self.limits.record_bytes;
        Keep { data: &mut self.block.data, start, limit, head, is_wanted, is_over: false }
    }

    /// Whether the current ordinal is one to send.
    fn is_wanted(&self) -> bool {
        self.only.is_empty() || self.only.binary_search(&self.ordinal).is_ok()
    }

    /// Adds the current case, or the break in its place, if it is wanted.
    pub fn item(&mut self, start: usize, offset_bytes: u64, kind: ItemKind, scope: &Scope) {
        if self.is_wanted() {
            if std::mem::take(&mut self.scope_changed) {
                self.scope = Arc::new(scope.clone());
            }
            let (range, scope) = (start..self.block.data.len(), self.scope.clone());
            self.block.items.push(Item { range, ordinal: self.ordinal, offset_bytes, kind, scope });
        }
    }

    pub fn send_if_full(&mut self, position: u64) -> Result<(), Closed> {
        if self.block.data.len() >= BLOCK_BYTES || position - self.sent_bytes >= BLOCK_EVERY_BYTES {
            self.sent_bytes = position;
            return self.send(self.ordinal, position);
        }
        Ok(())
    }

    pub fn send(&mut self, records_seen: u64, document_bytes: u64) -> Result<(), Closed> {
        let next = Block { data: Vec::with_capacity(BLOCK_BYTES + HEAD_BYTES), ..Block::default() };
        let block = std::mem::replace(&mut self.block, next);
        let is_taken = (self.send)(Block { records_seen, document_bytes, ..block });
        if is_taken { Ok(()) } else { Err(Closed) }
    }
}
