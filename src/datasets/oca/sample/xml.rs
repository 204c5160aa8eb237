//! The document under construction: an indented buffer, and the days that it can name.

use jiff::civil::Date;
use jiff::{ToSpan, Unit};

use super::values::MISSING;

/// A day of the [`Calendar`], counted from its first.
pub(super) type Day = u32;

/// Every day that a document can name, already written out: a case has some fifteen dates.
pub(super) struct Calendar {
    first: Date,
    texts: Vec<[u8; 10]>,
}

impl Calendar {
    /// The days from `first` to `last`, both included.
    pub(super) fn new(first: Date, last: Date) -> Self {
        let texts = first.series(1.day()).take_while(|day| *day <= last).map(|day| {
            let (year, month, day) = (day.year() as u32, day.month() as u32, day.day() as u32);
            let mut text = *b"0000-00-00";
            for (at, value) in [(3, year), (2, year / 10), (1, year / 100), (0, year / 1000)] {
                text[at] = b'0' + (value % 10) as u8;
            }
            for (at, value) in [(5, month), (8, day)] {
                text[at] = b'0' + (value / 10) as u8;
                text[at + 1] = b'0' + (value % 10) as u8;
            }
            text
        });
        Self { first, texts: texts.collect() }
    }

    /// The place of a date. It must lie in the calendar.
    pub(super) fn day(&self, date: Date) -> Day {
        let days = self.first.until((Unit::Day, date)).expect("dates are at most some thousand years apart");
        Day::try_from(days.get_days()).expect("the calendar begins before every date of the document")
    }

    /// Which of its days are weekdays.
    pub(super) fn week(&self) -> Week {
        Week(self.first.weekday().to_monday_zero_offset() as u32)
    }

    /// `YYYY-MM-DD`.
    pub(super) fn text(&self, day: Day) -> &[u8; 10] {
        &self.texts[day as usize]
    }
}

/// Tells weekdays from weekends: how many days after a Monday the calendar begins.
#[derive(Clone, Copy)]
pub(super) struct Week(u32);

impl Week {
    /// The day itself, or the Friday before a Saturday or Sunday: courts sit on weekdays.
    pub(super) fn working(self, day: Day) -> Day {
        day.saturating_sub(((day + self.0) % 7).saturating_sub(4))
    }
}

/// Appends elements to a buffer that its owner empties now and then.
pub(super) struct Xml {
    pub(super) out: Vec<u8>,
    pub(super) calendar: Calendar,
    depth: usize,
    /// Missing values so far in this case: every sixteenth is an empty element, not an absent one.
    missing: u32,
}

impl Xml {
    /// An empty document.
    pub(super) fn new(calendar: Calendar) -> Self {
        Self { out: Vec::new(), calendar, depth: 0, missing: 0 }
    }

    fn indent(&mut self) {
        const BLANKS: &[u8] = &[b' '; 16];
        self.out.extend_from_slice(&BLANKS[..self.depth.min(BLANKS.len())]);
    }

    fn tag(&mut self, open: &[u8], name: &str, close: &[u8]) {
        self.out.extend_from_slice(open);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(close);
    }

    /// A line as it stands; what is around the cases does not indent them.
    pub(super) fn line(&mut self, line: &str) {
        self.tag(b"", line, b"\n");
    }

    /// Starts an element that holds elements.
    pub(super) fn open(&mut self, name: &str) {
        self.indent();
        self.tag(b"<", name, b">\n");
        self.depth += 1;
    }

    /// Ends what [`open`](Self::open) started.
    pub(super) fn close(&mut self, name: &str) {
        self.depth -= 1;
        self.indent();
        self.tag(b"</", name, b">\n");
    }

    /// An element that holds `count` others, written by `item`; none: a missing value.
    pub(super) fn group(&mut self, name: &str, count: u32, mut item: impl FnMut(&mut Self, u32)) {
        if count == 0 {
            return self.text(name, MISSING);
        }
        self.open(name);
        (0..count).for_each(|i| item(self, i));
        self.close(name);
    }

    /// Starts a case: which of its missing values are empty elements depends on the case alone.
    pub(super) fn open_case(&mut self, missing: u32) {
        self.missing = missing;
        self.open("Index");
    }

    /// An element that holds what `fill` appends.
    pub(super) fn element(&mut self, name: &str, fill: impl FnOnce(&mut Vec<u8>, &Calendar)) {
        self.indent();
        self.tag(b"<", name, b">");
        fill(&mut self.out, &self.calendar);
        self.tag(b"</", name, b">\n");
    }

    /// An element without content.
    pub(super) fn empty(&mut self, name: &str) {
        self.indent();
        self.tag(b"<", name, b"/>\n");
    }

    /// A text, which must be escaped already; [`MISSING`]: no element, now and then an empty one.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        if value != MISSING {
            return self.element(name, |out, _| out.extend_from_slice(value.as_bytes()));
        }
        self.missing += 1;
        match self.missing % 32 {
            0 => self.empty(name),
            16 => self.element(name, |_, _| {}),
            _ => {}
        }
    }

    /// A whole number.
    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.element(name, |out, _| digits(out, value));
    }

    /// A date.
    pub(super) fn date(&mut self, name: &str, day: Day) {
        self.element(name, |out, calendar| out.extend_from_slice(calendar.text(day)));
    }

    /// A date, or a missing one.
    pub(super) fn date_if(&mut self, name: &str, day: Option<Day>) {
        match day {
            Some(day) => self.date(name, day),
            None => self.text(name, MISSING),
        }
    }

    /// A date and a time of day (`HH:MM:SS`).
    pub(super) fn date_time(&mut self, name: &str, day: Day, time: &[u8]) {
        self.element(name, |out, calendar| {
            out.extend_from_slice(calendar.text(day));
            out.push(b'T');
            out.extend_from_slice(time);
        });
    }

    /// An amount in cents: with two places or, when it is whole and its digits say so, without.
    pub(super) fn amount(&mut self, name: &str, cents: u64) {
        self.element(name, |out, _| {
            digits(out, cents / 100);
            if !cents.is_multiple_of(100) || (cents / 100) % 3 == 1 {
                out.push(b'.');
                two_digits(out, cents % 100);
            }
        });
    }
}

/// Appends a number as decimal digits.
pub(super) fn digits(out: &mut Vec<u8>, mut value: u64) {
    let mut text = [0; 20];
    let mut at = text.len();
    loop {
        at -= 1;
        text[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break out.extend_from_slice(&text[at..]);
        }
    }
}

/// Appends a number below 100 as two digits.
pub(super) fn two_digits(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&[b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]);
}

/// Appends an amount as a person writes it: `$8,189.56`.
pub(super) fn dollars(out: &mut Vec<u8>, cents: u64) {
    let whole = cents / 100;
    out.push(b'$');
    if whole >= 1000 {
        digits(out, whole / 1000);
        out.extend_from_slice(&[b',', b'0' + (whole / 100 % 10) as u8]);
        two_digits(out, whole % 100);
    } else {
        digits(out, whole);
    }
    out.push(b'.');
    two_digits(out, cents % 100);
}

/// Appends a `YYYY-MM-DD` date as `MM/DD/YYYY`.
pub(super) fn american(out: &mut Vec<u8>, date: &[u8; 10]) {
    let [y, e, a, r, _, month @ .., _, d, day] = date;
    out.extend_from_slice(month);
    out.extend_from_slice(&[b'/', *d, *day, b'/', *y, *e, *a, *r]);
}
