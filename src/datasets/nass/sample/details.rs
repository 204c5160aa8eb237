//! The domains and times of a series that a place can have in a year.

use super::catalogue::Telling;

/// A domain category and a time.
#[derive(Clone, Debug)]
pub(super) struct SeriesDetail {
    /// Domain and category, separated by a tab.
    pub(super) domain: String,
    /// Frequency, begin, end and period, separated by tabs.
    pub(super) time: String,
    /// The week of the year; 0: none.
    pub(super) week: u8,
}

const TOTAL: &str = "TOTAL\tNOT SPECIFIED";
const YEAR: &str = "ANNUAL\t00\t00\tYEAR";

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

const DOMAINS: &[(&str, &[&str])] = &[
    (
        "AREA OPERATED",
        &[
            "1.0 TO 9.9 ACRES",
            "10.0 TO 49.9 ACRES",
            "50.0 TO 69.9 ACRES",
            "70.0 TO 99.9 ACRES",
            "100 TO 139 ACRES",
            "140 TO 179 ACRES",
            "180 TO 219 ACRES",
            "220 TO 259 ACRES",
            "260 TO 499 ACRES",
            "500 TO 999 ACRES",
            "1,000 TO 1,999 ACRES",
            "2,000 OR MORE ACRES",
        ],
    ),
    (
        "FARM SALES",
        &[
            "LESS THAN 1,000 $",
            "1,000 TO 2,499 $",
            "2,500 TO 4,999 $",
            "5,000 TO 9,999 $",
            "10,000 TO 24,999 $",
            "25,000 TO 49,999 $",
            "50,000 TO 99,999 $",
            "100,000 TO 249,999 $",
            "250,000 TO 499,999 $",
            "500,000 TO 999,999 $",
            "1,000,000 OR MORE $",
        ],
    ),
    (
        "ECONOMIC CLASS",
        &[
            "LESS THAN 1,000 $",
            "1,000 TO 9,999 $",
            "10,000 TO 99,999 $",
            "100,000 TO 249,999 $",
            "250,000 OR MORE $",
        ],
    ),
    (
        "NAICS CLASSIFICATION",
        &[
            "1111",
            "1112",
            "1113",
            "1114",
            "11191",
            "11192",
            "11193, 11194 & 11199",
            "112111",
            "112112",
            "11212",
            "1122",
            "1123",
            "1124",
            "1125 & 1129",
        ],
    ),
    ("TENURE", &["FULL OWNER", "PART OWNER", "TENANT"]),
    (
        "ORGANIZATION",
        &[
            "FAMILY & INDIVIDUAL",
            "PARTNERSHIP",
            "CORPORATION, FAMILY HELD",
            "CORPORATION, OTHER THAN FAMILY HELD",
            "(OTHER)",
        ],
    ),
    (
        "IRRIGATION STATUS",
        &["ANY ON OPERATION", "NONE ON OPERATION", "HARVESTED CROPLAND IS ENTIRELY IRRIGATED"],
    ),
    ("TYPE OF OPERATION", &["RESIDENTIAL", "INTERMEDIATE", "COMMERCIAL"]),
];

const CHEMICALS: &[(&str, &[&str])] = &[
    (
        "CHEMICAL, HERBICIDE",
        &[
            "2,4-D = 30001",
            "ATRAZINE = 80803",
            "DICAMBA = 29801",
            "GLYPHOSATE = 417300",
            "METOLACHLOR = 108801",
            "TOTAL",
        ],
    ),
    ("CHEMICAL, INSECTICIDE", &["BIFENTHRIN = 128825", "CHLORPYRIFOS = 59101", "MALATHION = 57701", "TOTAL"]),
    ("CHEMICAL, FUNGICIDE", &["AZOXYSTROBIN = 128810", "PROPICONAZOLE = 122101", "TOTAL"]),
    ("FERTILIZER", &["NITROGEN", "PHOSPHATE", "POTASH", "SULFUR"]),
];

/// The details of a census: every domain once.
pub(super) fn of_census() -> Vec<SeriesDetail> {
    let total = SeriesDetail { domain: TOTAL.to_owned(), time: YEAR.to_owned(), week: 0 };
    [total].into_iter().chain(by_domain(DOMAINS)).collect()
}

fn by_domain(domains: &'static [(&str, &[&str])]) -> impl Iterator<Item = SeriesDetail> {
    domains.iter().flat_map(|(domain, categories)| {
        categories.iter().map(move |category| SeriesDetail {
            domain: format!("{domain}\t{domain}: ({category})"),
            time: YEAR.to_owned(),
            week: 0,
        })
    })
}

/// The details of a survey, which has fewer for a county or similar place than for a state.
pub(super) fn of_survey(telling: Telling, is_small: bool) -> Vec<SeriesDetail> {
    let at = |time: String| SeriesDetail { domain: TOTAL.to_owned(), time, week: 0 };
    let year = || at(YEAR.to_owned());
    let months = MONTHS.iter().zip(1..);
    match telling {
        Telling::Yearly => vec![year()],
        Telling::Forecast if is_small => vec![year()],
        Telling::Forecast => {
            let forecasts =
                MONTHS[7..11].iter().map(|month| at(format!("ANNUAL\t00\t00\tYEAR - {month} FORECAST")));
            [year()].into_iter().chain(forecasts).collect()
        }
        Telling::Stock => {
            let days = months.filter(|(_, number)| [1, 7].contains(number));
            days.map(|(month, number)| {
                at(format!("POINT IN TIME\t{number:02}\t{number:02}\tFIRST OF {month}"))
            })
            .collect()
        }
        Telling::Weekly | Telling::Monthly | Telling::Chemical if is_small => Vec::new(),
        Telling::Weekly => (10..50)
            .map(|week| SeriesDetail { week, ..at(format!("WEEKLY\t{week:02}\t{week:02}\tWEEK #{week:02}")) })
            .collect(),
        Telling::Monthly => {
            let months =
                months.map(|(month, number)| at(format!("MONTHLY\t{number:02}\t{number:02}\t{month}")));
            [at("ANNUAL\t09\t08\tMARKETING YEAR".to_owned())].into_iter().chain(months).collect()
        }
        Telling::Chemical => by_domain(CHEMICALS).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detail_has_its_fields_and_forecasts_stand_beside_the_year() {
        for detail in of_census() {
            assert_eq!((detail.domain.split('\t').count(), detail.time.split('\t').count()), (2, 4));
        }
        let times: Vec<_> =
            of_survey(Telling::Forecast, false).into_iter().map(|detail| detail.time).collect();
        assert_eq!(times.len(), 5);
        assert_eq!(times[..2], ["ANNUAL\t00\t00\tYEAR", "ANNUAL\t00\t00\tYEAR - AUG FORECAST"]);
        assert_eq!(of_survey(Telling::Stock, true)[1].time, "POINT IN TIME\t07\t07\tFIRST OF JUL");
        assert_eq!(of_survey(Telling::Weekly, false)[0].time, "WEEKLY\t10\t10\tWEEK #10");
        assert!(of_survey(Telling::Weekly, true).is_empty());
    }
}
