//! Around a run: what it needs is opened, what it did is entered in the ledger, what it leaves is removed.

pub mod answered;
pub mod ask;
pub mod aws_s3;
pub mod commit;
pub mod context;
pub mod enriching;
pub mod fence;
pub mod finishing;
pub mod gather;
pub mod inputs;
pub mod links;
pub mod newest;
pub mod opened;
pub mod people;
pub mod progress;
pub mod reference;
pub mod server;
pub mod walk;
