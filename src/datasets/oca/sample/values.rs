//! What the fields of a made case hold, with the weights of the real feed.
//!
//! The texts are written into the document as they stand: their entities are part of them.

use rand_pcg::Pcg32;
use rand_pcg::rand_core::Rng;

/// A value that the source leaves out.
pub(super) const MISSING: &str = "";

/// Values with their weights in percent.
pub(super) struct Weighted<T: 'static>(&'static [(u8, T)]);

impl<T> Weighted<T> {
    /// A table whose weights add up to 100; any other does not compile where it is a constant.
    pub(super) const fn new(entries: &'static [(u8, T)]) -> Self {
        let (mut sum, mut i) = (0u32, 0);
        while i < entries.len() {
            sum += entries[i].0 as u32;
            i += 1;
        }
        assert!(sum == 100, "weights are percentages of the whole");
        Self(entries)
    }
}

/// Draws values. PCG-32 with a multiply and shift, and nothing of which a later release of a
/// library could change the order: the same options must give the same bytes for good.
pub(super) struct Draw(Pcg32);

impl Draw {
    /// A sequence of draws; `stream` chooses among sequences with the same `state`.
    pub(super) fn new(state: u64, stream: u64) -> Self {
        Self(Pcg32::new(state, stream))
    }

    /// A number from 0 to `bound` - 1; 0 when `bound` is 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// True in `percent` of 100 draws.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of a list, each as likely as the others. The list must not be empty.
    pub(super) fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u32) as usize]
    }

    /// One of a weighted table.
    pub(super) fn pick<T: Copy>(&mut self, table: &Weighted<T>) -> T {
        let mut left = self.below(100);
        for (weight, value) in table.0 {
            match left.checked_sub(u32::from(*weight)) {
                None => return *value,
                Some(rest) => left = rest,
            }
        }
        unreachable!("the weights of a table add up to 100")
    }

    /// Cents between two amounts of whole dollars, small ones more often; three in ten are whole.
    pub(super) fn cents(&mut self, low: u32, high: u32) -> u64 {
        let spread = self.below(high - low + 1);
        let dollars = u64::from(low + self.below(spread + 1));
        if self.chance(30) { dollars * 100 } else { dollars * 100 + u64::from(self.below(100)) }
    }
}

type Texts = Weighted<&'static str>;
type Counts = Weighted<u8>;

// How many rows of each table a case has. The means are those of the real feed.
pub(super) const CAUSES: Counts = Weighted::new(&[(5, 0), (91, 1), (3, 2), (1, 3)]);
pub(super) const ADDRESSES: Counts = Weighted::new(&[(2, 0), (96, 1), (2, 2)]);
pub(super) const MOST_ADDRESSES: usize = 2;
pub(super) const PARTIES: Counts = Weighted::new(&[(2, 1), (58, 2), (26, 3), (8, 4), (4, 5), (2, 6)]);
pub(super) const EVENTS: Counts = Weighted::new(&[(8, 0), (38, 1), (28, 2), (15, 3), (6, 4), (3, 5), (2, 6)]);
pub(super) const APPEARANCES: Counts = Weighted::new(&[
    (24, 0),
    (30, 1),
    (19, 2),
    (11, 3),
    (6, 4),
    (4, 5),
    (3, 6),
    (1, 7),
    (1, 8),
    (1, MOST_APPEARANCES as u8),
]);
pub(super) const MOST_APPEARANCES: usize = 12;
/// Outcomes of one appearance.
pub(super) const OUTCOMES: Counts = Weighted::new(&[(12, 0), (78, 1), (8, 2), (2, 3)]);
pub(super) const MOTIONS: Counts = Weighted::new(&[(68, 0), (18, 1), (8, 2), (4, 3), (2, 4)]);
pub(super) const DECISIONS: Counts = Weighted::new(&[(68, 0), (20, 1), (7, 2), (4, 3), (1, 4)]);
pub(super) const JUDGMENTS: Counts = Weighted::new(&[(57, 0), (40, 1), (3, 2)]);
/// Warrants of one judgment: 0.46 judgments a case times 0.87 is 0.4 warrants a case.
pub(super) const WARRANTS: Counts = Weighted::new(&[(24, 0), (66, 1), (9, 2), (1, 3)]);
pub(super) const DESIGNATIONS: Counts = Weighted::new(&[(80, 0), (17, 1), (3, 2)]);
/// Roles of those who filed something.
pub(super) const FILERS: Counts = Weighted::new(&[(60, 0), (34, 1), (4, 2), (2, 3)]);
/// Roles of creditors or debtors, and properties on a warrant.
pub(super) const SIDES: Counts = Weighted::new(&[(12, 0), (78, 1), (8, 2), (2, 3)]);

// The case.
pub(super) const PROPERTY_TYPE: Texts =
    Weighted::new(&[(69, "Residential"), (4, "Commercial"), (27, MISSING)]);
pub(super) const CLASSIFICATION: Texts =
    Weighted::new(&[(82, "Non-Payment"), (14, "Holdover"), (3, "HP"), (1, "Illegal Lockout")]);
pub(super) const DESIGNATION: Texts = Weighted::new(&[
    (38, "NYCHA"),
    (8, "HPD"),
    (9, "Co-op/Condo"),
    (6, "COOP-CONDO"),
    (14, "10457 - Specialty Zipcode"),
    (19, "Specialty (HHP) Zipcodes"),
    (6, "Tenant Initiated"),
]);
pub(super) const STATUS_WITH_JUDGMENT: Texts =
    Weighted::new(&[(3, "Active"), (83, "Disposed"), (14, "Post Disposition")]);
pub(super) const STATUS: Texts = Weighted::new(&[(44, "Active"), (54, "Disposed"), (2, "Post Disposition")]);
pub(super) const DISPOSED_BY_JUDGMENT: Texts = Weighted::new(&[
    (58, "Judgment(1)-Stipulation of Parties"),
    (36, "Judgment with Possession, with Warrant, No Stay/Issuance Forthwith"),
    (6, MISSING),
]);
pub(super) const DISPOSED: Texts =
    Weighted::new(&[(55, "Discontinued"), (18, "Withdrawn"), (20, "Dismissed NAES"), (7, MISSING)]);
pub(super) const FIRST_PAPER: Texts = Weighted::new(&[
    (83, "Petition by Attorney"),
    (12, "Petition by Self Represented Landlord"),
    (2, "Predicate OSC"),
    (3, MISSING),
]);
pub(super) const CAUSE: Texts = Weighted::new(&[
    (80, "Non-Payment of Rent"),
    (7, "Rent &amp; Additional Rent"),
    (6, "Holding Over"),
    (3, "Use &amp; Occupancy"),
    (2, "Attorney&apos;s Fees"),
    (2, MISSING),
]);

// Parties and the roles in arrays.
pub(super) const LANDLORD_TYPE: Texts = Weighted::new(&[(79, "Business"), (13, "Person"), (8, "Agency")]);
pub(super) const LANDLORD_COUNSEL: Texts =
    Weighted::new(&[(86, "Counsel"), (11, "SRL"), (1, "No Appearance"), (2, MISSING)]);
pub(super) const TENANT_TYPE: Texts = Weighted::new(&[(94, "Person"), (6, "Business")]);
pub(super) const TENANT_COUNSEL: Texts =
    Weighted::new(&[(43, "No Appearance"), (38, "SRL"), (17, "Counsel"), (2, MISSING)]);
pub(super) const LATER_ROLE: Texts =
    Weighted::new(&[(92, "Respondent"), (5, "Interested Party"), (3, "Petitioner")]);
pub(super) const UNDERTENANT: Texts = Weighted::new(&[(44, "false"), (8, "true"), (48, MISSING)]);
pub(super) const MOSTLY_LANDLORD: Texts =
    Weighted::new(&[(88, "Petitioner"), (10, "Respondent"), (2, "Interested Party")]);
pub(super) const MOSTLY_TENANT: Texts =
    Weighted::new(&[(88, "Respondent"), (10, "Petitioner"), (2, "Interested Party")]);

// Events.
pub(super) const ANSWER: &str = "Answer Filed (Self Represented)";
pub(super) const EVENT: Texts = Weighted::new(&[
    (39, ANSWER),
    (30, "Marshal&apos;s Request for Default Judgment and Warrant"),
    (24, "Miscellaneous"),
    (7, "Affidavit of Service"),
]);
pub(super) const FEE: Texts =
    Weighted::new(&[(26, "Collected"), (17, "Exempted"), (3, "Waived by Judge"), (54, MISSING)]);
pub(super) const ANSWER_TYPE: Texts = Weighted::new(&[(76, "Oral"), (21, "Written"), (3, MISSING)]);

// Appearances.
pub(super) const SITTING: Texts = Weighted::new(&[
    (58, "09:30:00"),
    (14, "09:15:00"),
    (9, "10:00:00"),
    (6, "11:00:00"),
    (9, "14:00:00"),
    (4, "14:15:00"),
]);
pub(super) const MOTION_PURPOSE: &str = "Motion";
pub(super) const PURPOSE: Texts = Weighted::new(&[
    (63, "For All Purposes"),
    (18, MOTION_PURPOSE),
    (6, "Hearing"),
    (8, "Trial: Bench"),
    (4, "Inquest: Court"),
    (1, MISSING),
]);
pub(super) const REASON: Texts =
    Weighted::new(&[(52, "New Appearance"), (34, "Adjourned"), (4, "Rescheduled"), (10, MISSING)]);
pub(super) const PART: Texts = Weighted::new(&[
    (24, "Part S"),
    (17, "Part A"),
    (15, "Part C"),
    (13, "Part F"),
    (8, "Part B - HP"),
    (12, "Part X &amp; Trial Ready"),
    (11, "Landlord/Tenant Proceedings"),
]);
/// The outcome that a date follows.
pub(super) const ADJOURNED: &str = "Adjourned: ";
pub(super) const OUTCOME: Texts = Weighted::new(&[
    (37, ADJOURNED),
    (29, "Settled Stip in File"),
    (11, "Granted on Consent"),
    (9, "Final Judgment, No Appearance by Respondent"),
    (7, "Discontinued"),
    (7, "Decision Reserved"),
]);
pub(super) const BASED_ON: Texts =
    Weighted::new(&[(34, "Consent"), (11, "Hearing"), (5, "Bench Trial"), (6, "Inquest"), (44, MISSING)]);

// Motions.
pub(super) const MOTION: Texts = Weighted::new(&[(81, "Order to Show Cause"), (19, "General")]);
pub(super) const RELIEF: Texts = Weighted::new(&[
    (30, "Vacate Judgment - Failure to Comply with Stip"),
    (25, "Restore to Calendar"),
    (33, "Stay Eviction"),
    (9, "Extend Time &amp; Other Relief"),
    (3, MISSING),
]);
pub(super) const MOTION_DECISION: Texts = Weighted::new(&[
    (49, "Granted to Extent per Order"),
    (14, "OSC Denied - No Calendar Date"),
    (18, "Denied - No Appearance Movant"),
    (19, MISSING),
]);

// Decisions.
pub(super) const RESULT_OF: Texts =
    Weighted::new(&[(60, "Motion"), (14, "Hearing"), (12, "Bench Trial"), (10, "Inquest"), (4, MISSING)]);
pub(super) const FINDING: Texts = Weighted::new(&[
    (30, "Motion is granted to the extent of staying execution of the warrant, per the order on file."),
    (22, "Judgment is awarded in favor of the Petitioner(s) &amp; against the Respondent(s) as follows:"),
    (16, "Respondent&apos;s order to show cause is denied; the movant did not appear on the return date."),
    (14, "Petition is dismissed, RPAPL § 711(2): no proof that rent was demanded before the filing."),
    (12, "Proceeding is discontinued on consent, all claims &amp; counterclaims being settled."),
    (6, "Default by Respondent(s) &lt;no answer&gt;; inquest held."),
]);
/// The lines below a finding, in the order in which they come, each with the percentage of decisions
/// that have it. `$` is an amount, `@` a date; the blanks at the end of others are the source's.
pub(super) const HIGHLIGHT_LINES: &[(u8, &str)] = &[
    (85, ".....With Prejudice:  No"),
    (35, ".....Awarded To:  Petitioner(s)"),
    (70, ".....Amount:  $"),
    (66, ".....Interest Rate:  "),
    (34, ".....Interest From:  @"),
    (30, ".....Costs:  "),
    (40, ".....Disbursements:  $"),
    (22, ".....Attorney&apos;s Fees:  $"),
    (70, ".....Possession:  Yes"),
    (32, ".....Warrant:  Issuance Stayed &amp; Execution Stayed"),
    (50, ".....Execution Stayed To:  @"),
    (30, ".....Rent Through:  @"),
    (25, ".....Payment Terms:  Current rent by the 5th; arrears in three parts "),
    (18, "....."),
    (15, ".....On Default:  Warrant to execute on service of a marshal&apos;s notice by mail"),
    (40, ".....Order Settled:  No "),
];

// Judgments and warrants.
pub(super) const JUDGMENT: Texts =
    Weighted::new(&[(54, "Stipulation of Parties"), (39, "Failure to Answer"), (7, "Hearing")]);
pub(super) const JUDGMENT_STATUS: Texts = Weighted::new(&[(86, "Entered"), (10, "Vacated"), (4, "Amended")]);
pub(super) const CREATED: Texts = Weighted::new(&[(90, "Original Issuance"), (10, "Re-issued")]);
pub(super) const STAYED_TO: &str = "Stayed - Stip/Order";
pub(super) const STAYED_DAYS: &str = "Stayed - # Days";
pub(super) const STAY: Texts =
    Weighted::new(&[(55, "No Stay/Issuance Forthwith"), (31, STAYED_TO), (10, STAYED_DAYS), (4, MISSING)]);
pub(super) const AGENCY: Texts =
    Weighted::new(&[(91, "Marshal of the City of New York"), (5, "Sheriff &amp; Constable"), (4, MISSING)]);
pub(super) const RETURNED: Texts =
    Weighted::new(&[(60, "Incorrect Respondent&apos;s Name"), (25, "Missing Affidavit"), (15, MISSING)]);

// Addresses.
pub(super) const STREET2: Texts = Weighted::new(&[
    (58, "APT "),
    (6, "Apt. "),
    (3, "UNIT "),
    (4, "#"),
    (3, "1ST FLOOR"),
    (2, "BASEMENT"),
    (2, "STORE"),
    (22, MISSING),
]);
