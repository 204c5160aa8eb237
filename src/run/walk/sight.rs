//! What the answers of a run say of all histories together. If a service is down, or a token has lost its rights, every history gets
//! the answer of one that is gone: no such answer is kept before another answer shows that the service knows us.

use crate::config::WalkingConfig;
use crate::dataset::walked::{HistoryFeed, HistorySight, HistoryWalk, WalkAnswer, WalkAsk};
use crate::error::Cause;
use crate::words;

/// An answer that waits for those about other histories.
pub(super) struct HeldAnswer {
    pub ask: WalkAsk,
    pub answer: WalkAnswer,
    pub body: Vec<u8>,
    sight: HistorySight,
}

/// A walk that waits with its answer.
pub(super) struct HeldWalk {
    pub name: String,
    pub walk: Box<dyn HistoryWalk>,
    pub looked_at: u64,
    pub held: Box<HeldAnswer>,
}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Sights {
    /// A history is there.
    is_there: bool,
    /// An answer says something of a history.
    is_answered: bool,
    /// All that was held was looked at.
    is_settled: bool,
    /// The reason why the last history without an answer had none.
    pub unanswered: Option<String>,
}

impl Sights {
    /// Takes note of an answer; returns it if it has to wait.
    pub(super) fn hold(
        &mut self,
        walk: &dyn HistoryWalk,
        (ask, answer, body): (&WalkAsk, &WalkAnswer, &[u8]),
    ) -> Option<Box<HeldAnswer>> {
        let sight = walk.sight(answer);
        self.is_there |= sight == HistorySight::There;
        self.is_answered |= sight != HistorySight::Unclear;
        let waits = matches!(sight, HistorySight::Lost | HistorySight::Unclear);
        (waits && !self.is_there && !self.is_settled).then(|| {
            Box::new(HeldAnswer { ask: ask.clone(), answer: answer.clone(), body: body.to_vec(), sight })
        })
    }

    /// Admits what was held, or refuses it.
    ///
    /// # Errors
    /// [`Cause::Refused`] if nothing was said of any history, or if all that were there are gone, and more than one.
    pub(super) fn settle(
        &mut self,
        (walked, walking): (&HistoryFeed, &WalkingConfig),
        held: &[HeldWalk],
        is_put_off: bool,
    ) -> Result<(), Cause> {
        self.is_settled = true;
        let (service, base) = (walked.service, &walking.base);
        let unclear = held.iter().find(|one| one.held.sight == HistorySight::Unclear);
        let unclear = unclear.map(|one| format!("{}: HTTP {}", one.name, one.held.answer.status));
        if let (false, false, Some(why)) = (self.is_answered, is_put_off, self.unanswered.clone().or(unclear))
        {
            let asked = words::counted(walking.histories.len() as u64, "history");
            return Err(Cause::Refused {
                message: format!("{service} gave no answer about any of {asked}; the last time: {why}"),
                hint: Some(format!(
                    "check that {base} is the right address and answers others, then run the same command again"
                )),
            });
        }
        let lost: Vec<_> = held.iter().filter(|one| one.held.sight == HistorySight::Lost).collect();
        if let ([first, _, ..], false) = (&lost[..], self.is_there) {
            return Err(Cause::Refused {
                message: format!(
                    "{service} says that all {} histories that it was asked for and had before are gone, such as {} (HTTP {}): \
                     a token that has lost its rights gets the same answer, so none of them is marked",
                    lost.len(),
                    first.name,
                    first.held.answer.status
                ),
                hint: Some(format!(
                    "check that the token in {} may still read them, then run the same command again; remove those that are \
                     really gone from the list",
                    walked.token
                )),
            });
        }
        Ok(())
    }
}
