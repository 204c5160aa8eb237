//! When the steps of a run, and the parts in them, began and ended, for reports at its end. A process that is killed
//! does not report.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// All entries, in the order in which they began. A clone is the same timeline.
#[derive(Clone, Debug, Default)]
pub struct Timeline(Arc<Mutex<Vec<Lapse>>>);

/// One step, or one part in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lapse {
    pub step: &'static str,
    /// The name of the part; `None`: the step itself.
    pub part: Option<String>,
    /// 0: the run as a whole.
    pub batch: i32,
    pub began: SystemTime,
    pub ended: Option<SystemTime>,
    /// It ended successfully.
    pub is_done: bool,
    pub rows: u64,
    pub bytes: u64,
}

/// An entry under way; if it is dropped before it is done, it has failed.
#[derive(Debug)]
pub struct Mark {
    timeline: Timeline,
    at: usize,
}

impl Timeline {
    /// Begins a step, or a part of one.
    pub fn begin(&self, batch: i32, step: &'static str, part: Option<&str>) -> Mark {
        let mut lapses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lapses.push(Lapse {
            step,
            part: part.map(str::to_owned),
            batch,
            began: SystemTime::now(),
            ended: None,
            is_done: false,
            rows: 0,
            bytes: 0,
        });
        Mark { timeline: self.clone(), at: lapses.len() - 1 }
    }

    /// The entries so far.
    pub fn lapses(&self) -> Vec<Lapse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn end(&self, at: usize, change: impl FnOnce(&mut Lapse)) {
        let mut lapses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lapse) = lapses.get_mut(at).filter(|lapse| lapse.ended.is_none()) {
            lapse.ended = Some(SystemTime::now());
            change(lapse);
        }
    }
}

impl Mark {
    /// Marks the entry as done, with the rows and bytes that it moved.
    pub fn done(&self, rows: u64, bytes: u64) {
        self.timeline.end(self.at, |lapse| {
            lapse.is_done = true;
            (lapse.rows, lapse.bytes) = (rows, bytes);
        });
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.timeline.end(self.at, |_| ());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_done_has_failed() {
        let timeline = Timeline::default();
        timeline.begin(1, "fetch", None).done(2, 30);
        let step = timeline.begin(1, "parse", None);
        drop(timeline.begin(1, "parse", Some("a.zip")));
        let lapses = timeline.lapses();
        assert_eq!(lapses.iter().map(|lapse| lapse.is_done).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!((lapses[0].rows, lapses[0].bytes), (2, 30));
        assert_eq!(lapses.iter().map(|lapse| lapse.ended.is_some()).collect::<Vec<_>>(), [true, false, true]);
        step.done(1, 1);
        assert!(timeline.lapses()[1].is_done);
    }
}
