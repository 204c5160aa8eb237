//! The ways in which made cases are broken.

/// A way in which a case is broken. The document stays well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// `FiledDate` is a 30 February.
    Date,
    /// No `IndexNumberId`.
    Id,
    /// `PrimaryClaimTotal` is not a number.
    Amount,
    /// `WithPossession` of a judgment is not a boolean.
    Boolean,
    /// Two judgments of one sequence.
    JudgmentSequence,
    /// Two decisions of one sequence.
    DecisionSequence,
}

impl Flaw {
    /// In the order in which broken cases have them.
    pub(super) const ROTATION: [Flaw; 6] =
        [Flaw::Date, Flaw::Id, Flaw::Amount, Flaw::Boolean, Flaw::JudgmentSequence, Flaw::DecisionSequence];
}
