//! The stages of a run, one file each. Each takes the receipt of the one before by value and returns its own, so the
//! compiler guarantees that nothing can be promoted that was not exported. A stage names no
//! dataset, and of other stages only the receipts of earlier ones.

pub mod check;
pub mod enrich;
pub mod export;
pub mod fetch;
pub mod load;
pub mod parse;
pub mod promote;
pub mod publish;
pub mod select;
pub mod upload;
