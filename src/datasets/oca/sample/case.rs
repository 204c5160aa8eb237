//! One made case: who and where depend on its identity alone, what happened since on the run date
//! too, so that a case that is sent again has moved on.

use data_encoding::HEXUPPER;
use sha2::{Digest, Sha256};

use super::city::{City, Truth, Typed, typed, typed_outside};
use super::flaw::Flaw;
use super::property::{self, Property};
use super::story::{self, Story};
use super::values::*;
use super::xml::{Day, Xml, digits};

/// A sequence of cases: those filed in one year, those new in one weekly file, …
pub(super) struct Numbering {
    /// What the number of a case follows in the text that its identity is the hash of.
    pub(super) prefix: String,
    /// The first day on which its cases are filed, and over how many days.
    pub(super) first: Day,
    pub(super) days: u32,
}

/// Writes cases into a document.
pub(super) struct CaseWriter {
    pub(super) xml: Xml,
    /// Nothing in a case but an appearance to come is later.
    pub(super) run_day: Day,
    /// Street lines are written.
    pub(super) streets: bool,
    /// Addresses are typed in a made city, and what is true of them is written down.
    pub(super) city: Option<(City, Truth)>,
    /// The text whose hash is the identity at hand; kept for its memory.
    key: Vec<u8>,
}

impl CaseWriter {
    /// A writer of cases as they stand on `run_day`.
    pub(super) fn new(xml: Xml, run_day: Day, streets: bool) -> Self {
        Self { xml, run_day, streets, city: None, key: Vec::new() }
    }

    fn identity(&mut self, numbering: &Numbering, number: u64) -> [u8; 32] {
        self.key.clear();
        self.key.extend_from_slice(numbering.prefix.as_bytes());
        digits(&mut self.key, number);
        Sha256::digest(&self.key).into()
    }

    fn index_number(&mut self, identity: &[u8; 32]) {
        self.xml.text("IndexNumberId", &HEXUPPER.encode(identity));
    }

    /// A case that the court has sealed, invalidated or deleted.
    pub(super) fn delete(&mut self, numbering: &Numbering, number: u64) {
        let identity = self.identity(numbering, number);
        self.xml.open("Index");
        self.index_number(&identity);
        self.xml.empty("Delete");
        self.xml.close("Index");
    }

    /// A live case, whole or broken.
    pub(super) fn case(&mut self, numbering: &Numbering, number: u64, flaw: Option<Flaw>) {
        let identity = self.identity(numbering, number);
        let word = |i: usize| u64::from_le_bytes(identity[i * 8..][..8].try_into().expect("eight bytes"));
        let mut facts = Draw::new(word(0), word(1));
        let mut draw = Draw::new(word(2), word(3) ^ u64::from(self.run_day));

        // What the run date cannot know yet happens within the days that it knows.
        let known = numbering.days.min(self.run_day - numbering.first + 1);
        let week = self.xml.calendar.week();
        let filed = numbering.first + facts.below(numbering.days) % known;
        let filed = Some(week.working(filed)).filter(|day| *day >= numbering.first).unwrap_or(filed);
        let longest = 30 + draw.below(700);
        let span = (30 + draw.below(longest)).min(self.run_day - filed);

        let motions = u32::from(draw.pick(&MOTIONS));
        let least_decisions = if flaw == Some(Flaw::DecisionSequence) { 2 } else { 0 };
        let decisions = u32::from(draw.pick(&DECISIONS)).max(least_decisions);
        let least_judgments = match flaw {
            Some(Flaw::JudgmentSequence) => 2,
            Some(Flaw::Boolean) => 1,
            _ => 0,
        };
        let judgments = u32::from(draw.pick(&JUDGMENTS)).max(least_judgments);
        let status = draw.pick(if judgments > 0 { &STATUS_WITH_JUDGMENT } else { &STATUS });

        let mut appearances = [filed; MOST_APPEARANCES];
        let appearances = &mut appearances[..usize::from(draw.pick(&APPEARANCES))];
        let mut story = Story { draw, week, filed, span };
        let mut heard = story.day(filed, 10);
        let count = appearances.len() as u32;
        for (done, appearance) in (1..).zip(appearances.iter_mut()) {
            heard = story.day(heard, 10 + 50 * done / count);
            *appearance = heard;
        }
        let judged = story.day(heard, 70);
        if let (Some(last), "Active", 0) = (appearances.last_mut(), status, judgments)
            && story.draw.chance(15)
        {
            *last = week.working(self.run_day + story.draw.between(3, 60)).max(*last);
        }

        self.xml.open_case(word(0) as u32);
        if flaw != Some(Flaw::Id) {
            self.index_number(&identity);
        }
        let mut property = Property::new(&mut facts);
        let addresses = match &mut self.city {
            Some((city, truth)) => {
                // Draws of its own: the rest of the case is the same, whatever is typed here.
                let mut draw = Draw::new(word(1) ^ 1, word(0));
                let addresses: Vec<_> =
                    (0..MOST_ADDRESSES).map(|_| typed_at(city, &mut draw, &property)).collect();
                property.typed = addresses.first().cloned();
                Some((addresses, truth))
            }
            None => None,
        };
        let xml = &mut self.xml;
        xml.text("Court", property.place.court);
        xml.element("FiledDate", |out, calendar| match flaw {
            Some(Flaw::Date) => {
                out.extend_from_slice(&calendar.text(filed)[..4]);
                out.extend_from_slice(b"-02-30");
            }
            _ => out.extend_from_slice(calendar.text(filed)),
        });
        xml.text("PropertyType", facts.pick(&PROPERTY_TYPE));
        xml.text("Classification", facts.pick(&CLASSIFICATION));
        let designations = u32::from(facts.pick(&DESIGNATIONS));
        xml.group("SpecialtyDesignations", designations, |xml, _| {
            xml.text("SpecialtyDesignationType", facts.pick(&DESIGNATION));
        });
        xml.text("Status", status);
        let disposed = (status != "Active").then_some(judged);
        xml.date_if("DisposedDate", disposed);
        let reasons = if judgments > 0 { &DISPOSED_BY_JUDGMENT } else { &DISPOSED };
        let reason = story.draw.pick(reasons);
        let reason = if disposed.is_some() { reason } else { MISSING };
        xml.text("DisposedReasonNoPersonallyIdentifyingInfo", reason);
        xml.text("FirstPaper", facts.pick(&FIRST_PAPER));
        let (claim, unclaimed) = (facts.cents(0, 24_000), facts.chance(6));
        match flaw {
            Some(Flaw::Amount) => xml.text("PrimaryClaimTotal", "see petition"),
            _ if unclaimed => xml.text("PrimaryClaimTotal", MISSING),
            _ => xml.amount("PrimaryClaimTotal", claim),
        }
        xml.date_if("DateOfJuryDemand", story.day_in(3, filed, 30));

        causes(xml, &mut facts, filed, claim);
        let count = u32::from(facts.pick(&ADDRESSES));
        xml.group("PropertyAddresses", count, |xml, i| {
            xml.open("PropertyAddress");
            property.street_lines(xml, &mut facts, self.streets && addresses.is_none());
            match addresses.as_ref().map(|(addresses, _)| &addresses[i as usize]) {
                Some(typed) => property::typed_address(xml, typed),
                None => property.city_state_and_postal_code(xml),
            }
            xml.close("PropertyAddress");
        });
        // A broken case is not loaded, so nothing is true of its addresses.
        if let (Some((addresses, truth)), None) = (addresses, flaw) {
            let case = HEXUPPER.encode(&identity);
            addresses.iter().take(count as usize).for_each(|typed| truth.add(&case, typed));
        }
        parties(xml, &mut facts);
        story::write_events(xml, &mut story);
        story::write_appearances(xml, &mut story, appearances, self.run_day, motions);
        story::write_motions(xml, &mut story, motions);
        story::write_decisions(xml, &mut story, decisions, flaw);
        story::write_judgments(xml, &mut story, judgments, judged, &property, flaw);
        xml.close("Index");
    }
}

/// An address of the made city, in the borough of the property's court; of another court it is outside.
fn typed_at(city: &City, draw: &mut Draw, property: &Property) -> Typed {
    match property.boro() {
        Some(boro) => typed(city, draw, boro),
        None => {
            let (there, postal_code) = property.city_and_postal_code();
            typed_outside(city, draw, there, postal_code)
        }
    }
}

fn causes(xml: &mut Xml, facts: &mut Draw, filed: Day, claim: u64) {
    let count = u32::from(facts.pick(&CAUSES));
    xml.group("PrimaryClaimCauseOfActions", count, |xml, _| {
        xml.open("PrimaryClaimCauseOfAction");
        xml.text("CauseOfActionType", facts.pick(&CAUSE));
        let from = facts.chance(12).then(|| filed - facts.below(300));
        xml.date_if("InterestFromDate", from);
        xml.amount("Amount", claim / u64::from(count));
        xml.close("PrimaryClaimCauseOfAction");
    });
}

fn parties(xml: &mut Xml, facts: &mut Draw) {
    let count = u32::from(facts.pick(&PARTIES));
    xml.group("Parties", count, |xml, i| {
        xml.open("Party");
        let role = match i {
            0 => "Petitioner",
            1 => "Respondent",
            _ => facts.pick(&LATER_ROLE),
        };
        let landlord = role == "Petitioner";
        xml.text("Role", role);
        xml.text("PartyType", facts.pick(if landlord { &LANDLORD_TYPE } else { &TENANT_TYPE }));
        let counsel = facts.pick(if landlord { &LANDLORD_COUNSEL } else { &TENANT_COUNSEL });
        xml.text("RepresentationType", counsel);
        xml.text("Undertenant", if landlord { MISSING } else { facts.pick(&UNDERTENANT) });
        xml.close("Party");
    });
}
