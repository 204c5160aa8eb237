//! What happened in a made case since its filing: events, appearances, motions, decisions,
//! judgments and their warrants, each not before what it follows from.

use super::flaw::Flaw;
use super::property::Property;
use super::values::*;
use super::xml::{Day, Week, Xml, american, dollars};

/// What happens in a case, and when.
pub(super) struct Story {
    pub(super) draw: Draw,
    pub(super) week: Week,
    pub(super) filed: Day,
    /// Days from the filing to the last thing that happened.
    pub(super) span: u32,
}

impl Story {
    /// A weekday not before `from` and, but for that, at most `percent` of the way through.
    pub(super) fn day(&mut self, from: Day, percent: u32) -> Day {
        let to = self.filed + self.span * percent / 100;
        let day = from + self.draw.below(to.saturating_sub(from) + 1);
        self.week.working(day).max(from)
    }

    /// Like [`day`](Self::day), in `percent_of_cases`.
    pub(super) fn day_in(&mut self, percent_of_cases: u32, from: Day, percent: u32) -> Option<Day> {
        self.draw.chance(percent_of_cases).then(|| self.day(from, percent))
    }
}

type Roles = Weighted<&'static str>;

/// Writes an array of roles: none, one, several or the same twice.
fn write_roles(
    xml: &mut Xml,
    story: &mut Story,
    [group, item]: [&str; 2],
    count: &Weighted<u8>,
    roles: &Roles,
) {
    let count = u32::from(story.draw.pick(count));
    xml.group(group, count, |xml, _| {
        xml.open(item);
        xml.text("Role", story.draw.pick(roles));
        xml.close(item);
    });
}

fn write_filers(xml: &mut Xml, story: &mut Story, roles: &Roles) {
    write_roles(xml, story, ["FilingParties", "FilingParty"], &FILERS, roles);
}

/// Writes the events of a case.
pub(super) fn write_events(xml: &mut Xml, story: &mut Story) {
    let count = u32::from(story.draw.pick(&EVENTS));
    let mut day = story.filed;
    xml.group("Events", count, |xml, i| {
        day = story.day(day, 10 + 90 * i / count);
        let name = story.draw.pick(&EVENT);
        let answer = name == ANSWER;
        xml.open("Event");
        xml.text("EventName", name);
        xml.date("FiledDate", day);
        xml.text("FeeType", story.draw.pick(&FEE));
        let filers = if answer { &MOSTLY_TENANT } else { &MOSTLY_LANDLORD };
        write_filers(xml, story, filers);
        xml.text("AnswerType", if answer { story.draw.pick(&ANSWER_TYPE) } else { MISSING });
        xml.close("Event");
    });
}

/// Writes the appearances, with the outcomes of those that are over.
pub(super) fn write_appearances(xml: &mut Xml, story: &mut Story, days: &[Day], run_day: Day, motions: u32) {
    xml.group("Appearances", days.len() as u32, |xml, i| {
        let day = days[i as usize];
        let purpose = story.draw.pick(&PURPOSE);
        xml.open("Appearance");
        xml.date_time("AppearanceDateTime", day, story.draw.pick(&SITTING).as_bytes());
        xml.text("AppearancePurpose", purpose);
        xml.text("AppearanceReason", story.draw.pick(&REASON));
        xml.text("AppearancePart", story.draw.pick(&PART));
        if purpose == MOTION_PURPOSE && motions > 0 {
            xml.number("MotionSequence", u64::from(story.draw.between(1, motions)));
        }
        let outcomes = if day > run_day { 0 } else { u32::from(story.draw.pick(&OUTCOMES)) };
        xml.group("AppearanceOutcomes", outcomes, |xml, _| {
            xml.open("AppearanceOutcome");
            let outcome = story.draw.pick(&OUTCOME);
            let later = story.week.working(day + story.draw.between(7, 45));
            xml.element("AppearanceOutcomeType", |out, calendar| {
                out.extend_from_slice(outcome.as_bytes());
                if outcome == ADJOURNED {
                    american(out, calendar.text(*days.get(i as usize + 1).unwrap_or(&later)));
                }
            });
            xml.text("OutcomeBasedOnType", story.draw.pick(&BASED_ON));
            xml.close("AppearanceOutcome");
        });
        xml.close("Appearance");
    });
}

/// Writes the motions of a case.
pub(super) fn write_motions(xml: &mut Xml, story: &mut Story, count: u32) {
    // Sequences of motions repeat in the source, where those of decisions and judgments must not.
    let repeated = count > 1 && story.draw.chance(4);
    let mut filed = story.filed;
    xml.group("Motions", count, |xml, i| {
        filed = story.day(filed, 30 + 60 * i / count);
        let sequence = if repeated { i.max(1) } else { i + 1 };
        xml.open("Motion");
        xml.number("Sequence", u64::from(sequence));
        xml.text("MotionType", story.draw.pick(&MOTION));
        xml.text("PrimaryRelief", story.draw.pick(&RELIEF));
        xml.date("FiledDate", filed);
        write_filers(xml, story, &MOSTLY_TENANT);
        let decision = story.draw.pick(&MOTION_DECISION);
        xml.text("MotionDecision", decision);
        let decided = (decision != MISSING).then(|| story.day(filed, 100));
        xml.date_if("MotionDecisionDate", decided);
        xml.close("Motion");
    });
}

/// Writes the decisions of a case.
pub(super) fn write_decisions(xml: &mut Xml, story: &mut Story, count: u32, flaw: Option<Flaw>) {
    xml.group("Decisions", count, |xml, i| {
        let repeated = flaw == Some(Flaw::DecisionSequence);
        xml.open("Decision");
        xml.number("Sequence", if repeated { 1 } else { u64::from(i) + 1 });
        xml.text("ResultOf", story.draw.pick(&RESULT_OF));
        xml.element("HighlightNoPersonallyIdentifyingInfo", |out, calendar| {
            out.extend_from_slice(story.draw.pick(&FINDING).as_bytes());
            out.push(b'\n');
            for (percent, line) in HIGHLIGHT_LINES {
                if !story.draw.chance(u32::from(*percent)) {
                    continue;
                }
                out.extend_from_slice(line.trim_end_matches(['$', '@']).as_bytes());
                match line.as_bytes().last() {
                    Some(b'$') => dollars(out, story.draw.cents(50, 18_000)),
                    Some(b'@') => american(out, calendar.text(story.day(story.filed, 100))),
                    _ => {}
                }
                out.push(b'\n');
            }
        });
        xml.close("Decision");
    });
}

/// Writes the judgments of a case, the first of them entered on `judged`, and their warrants.
pub(super) fn write_judgments(
    xml: &mut Xml,
    story: &mut Story,
    count: u32,
    judged: Day,
    property: &Property,
    flaw: Option<Flaw>,
) {
    let mut filed = judged;
    xml.group("Judgments", count, |xml, i| {
        if i > 0 {
            filed = story.day(filed, 75);
        }
        let repeated = flaw == Some(Flaw::JudgmentSequence);
        xml.open("Judgment");
        xml.number("Sequence", if repeated { 1 } else { u64::from(i) + 1 });
        if i > 0 && story.draw.chance(60) {
            xml.number("AmendedFromJudgmentSequence", u64::from(i));
        }
        xml.text("JudgmentType", story.draw.pick(&JUDGMENT));
        xml.date("FiledDate", filed);
        let mut time = *b"00:00:00";
        for (at, value) in
            [(0, story.draw.between(9, 17)), (3, story.draw.below(60)), (6, story.draw.below(60))]
        {
            time[at..at + 2].copy_from_slice(&[b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
        }
        xml.date_time("EnteredDateTime", filed, &time);
        let possession = if story.draw.chance(88) { "true" } else { "false" };
        let broken = flaw == Some(Flaw::Boolean) && i == 0;
        xml.text("WithPossession", if broken { "granted" } else { possession });
        xml.text("LatestJudgmentStatus", story.draw.pick(&JUDGMENT_STATUS));
        let changed = story.day(filed, 85);
        xml.date("LatestJudgmentStatusDate", changed);
        match story.draw.below(20) {
            0 => xml.text("TotalJudgmentAmount", MISSING),
            1 | 2 => xml.amount("TotalJudgmentAmount", 0),
            _ => xml.amount("TotalJudgmentAmount", story.draw.cents(200, 24_000)),
        }
        write_roles(xml, story, ["Creditors", "Creditor"], &SIDES, &MOSTLY_LANDLORD);
        write_roles(xml, story, ["Debtors", "Debtor"], &SIDES, &MOSTLY_TENANT);
        let warrants = u32::from(story.draw.pick(&WARRANTS));
        xml.group("Warrants", warrants, |xml, i| write_warrant(xml, story, i + 1, filed, property));
        xml.close("Judgment");
    });
}

fn write_warrant(xml: &mut Xml, story: &mut Story, sequence: u32, judged: Day, property: &Property) {
    let requested = story.day(judged, 78);
    let reviewed = story.day(requested, 80);
    let ordered = story.day(reviewed, 84);
    let issued = story.day(ordered, 90);
    let (issuance, execution) = (story.draw.pick(&STAY), story.draw.pick(&STAY));

    xml.open("Warrant");
    xml.number("Sequence", u64::from(sequence));
    xml.text("CreatedReason", story.draw.pick(&CREATED));
    xml.date("OrderedDate", ordered);
    stay(xml, story, issuance, ordered, ["IssuanceType", "IssuanceStayedDate", "IssuanceStayedDays"]);
    xml.date_if("IssuedDate", story.draw.chance(70).then_some(issued));
    stay(xml, story, execution, issued, ["ExecutionType", "ExecutionStayedDate", "ExecutionStayedDays"]);
    xml.date("MarshalRequestDate", requested);
    xml.date_if("MarshalRequestReviewedDate", story.draw.chance(85).then_some(reviewed));
    xml.text("EnforcementAgency", story.draw.pick(&AGENCY));
    if story.draw.chance(80) {
        xml.number("EnforcementOfficerDocketNumber", u64::from(story.draw.between(1_000, 499_999)));
    }
    let properties = u32::from(story.draw.pick(&SIDES));
    xml.group("PropertiesOnWarrant", properties, |xml, _| {
        xml.open("PropertyOnWarrant");
        property.city_state_and_postal_code(xml);
        xml.close("PropertyOnWarrant");
    });
    xml.date_if("AmendedDate", story.day_in(3, issued, 95));
    xml.date_if("VacatedDate", story.day_in(8, issued, 100));
    if story.draw.chance(2) {
        xml.number("AdultProtectiveServicesNumber", u64::from(story.draw.between(10_000, 99_999)));
    }
    let returned = story.day_in(5, issued, 95);
    xml.date_if("ReturnedDate", returned);
    xml.text("ReturnedReason", if returned.is_some() { story.draw.pick(&RETURNED) } else { MISSING });
    xml.date_if("ExecutionDate", story.day_in(22, issued, 100));
    xml.close("Warrant");
}

/// How a warrant's issuance or execution is stayed: its type, until when or for how many days.
fn stay(xml: &mut Xml, story: &mut Story, stay: &str, from: Day, [name, date, days]: [&str; 3]) {
    xml.text(name, stay);
    match stay {
        STAYED_TO => xml.date(date, story.day(from, 100)),
        STAYED_DAYS => xml.number(days, u64::from(*story.draw.of(&[5u8, 10, 14, 30]))),
        _ => {}
    }
}
