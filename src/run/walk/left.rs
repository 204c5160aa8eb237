//! What a walk has cost, and what it has left to do, in words.

use jiff::Timestamp;

use crate::words;

/// The cost of asking, and what is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalkedSoFar {
    pub histories: usize,
    pub requests: u64,
    /// `None`: everything is there.
    pub more: Option<MoreToDo>,
}

/// A budget or a limit ended a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoreToDo {
    /// The approximate number of requests left; 0: only checks of what was complete a short while ago.
    pub requests: u64,
    /// The service's limit of answers per hour.
    pub hourly: u64,
    /// The service gives no answers before this time.
    pub until: Option<Timestamp>,
    /// The number of histories that were not asked for.
    pub unasked: usize,
}

impl MoreToDo {
    /// What a person reads of it.
    pub fn words(&self) -> String {
        let mut text = String::new();
        if let Some(until) = self.until {
            text = format!(
                "the service takes no request before {}, so {} not asked for",
                time(until),
                match self.unasked {
                    1 => "1 history was".to_owned(),
                    unasked => format!("{} were", words::counted(unasked as u64, "history")),
                }
            );
        }
        if self.requests > 0 {
            let separator = if text.is_empty() { "" } else { "; " };
            text += &format!(
                "{separator}more to do: about {}, {} at this limit",
                words::counted(self.requests, "request"),
                self.takes()
            );
        }
        text
    }

    fn takes(&self) -> String {
        let hours = self.requests as f64 / self.hourly.max(1) as f64;
        match hours < 1.0 {
            true => words::counted((hours * 60.0).ceil() as u64, "minute"),
            false => format!("{hours:.1} hours"),
        }
    }
}

impl WalkedSoFar {
    /// What a person reads of it.
    pub fn words(&self) -> String {
        let histories = words::counted(self.histories as u64, "history");
        let asked = match self.requests {
            0 if self.histories > 0 => format!("Nothing was asked for {histories}"),
            requests => format!("{} for {histories}", words::counted(requests, "request")),
        };
        match &self.more {
            None => format!("{asked}; nothing more to do."),
            Some(more) => format!("{asked}; {}. The same command continues from there.", more.words()),
        }
    }
}

/// A time until which a service is not asked.
pub(super) fn time(until: Timestamp) -> String {
    until.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_said_with_its_time_however_little_it_is() {
        let until = Timestamp::UNIX_EPOCH;
        let more = |requests, until| MoreToDo { requests, hourly: 5_000, until, unasked: 5 };
        let words = |requests, more| WalkedSoFar { histories: 5, requests, more }.words();
        assert_eq!(words(7, None), "7 requests for 5 histories; nothing more to do.");
        assert_eq!(
            words(0, Some(more(0, Some(until)))),
            "Nothing was asked for 5 histories; the service takes no request before 1970-01-01 00:00:00 UTC, so 5 \
             histories were not asked for. The same command continues from there."
        );
        assert_eq!(more(5, None).words(), "more to do: about 5 requests, 1 minute at this limit");
        assert_eq!(more(2_500, None).words(), "more to do: about 2,500 requests, 30 minutes at this limit");
        assert_eq!(more(12_000, None).words(), "more to do: about 12,000 requests, 2.4 hours at this limit");
    }
}
