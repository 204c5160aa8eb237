//! Undo: production as it was before a run; and what is kept for it, of whom and for how long.

mod images;
mod refusals;
pub mod weeks;
