//! Undo restores production as it was before a run. The tests also look at what is kept for that, for whom and for how
//! long.

mod images;
mod refusals;
pub mod weeks;
