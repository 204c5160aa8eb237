//! The files beside the code are correct: documents and their props, `deploy/`, `scripts/`.

mod deploy;
mod documents;
mod map;
mod played;
mod reference;
pub mod rights;
mod session;
mod setup;
mod versions;
