//! The content of a sample: commodities with their classes, practices and measures, by sector. The names are those of Quick
//! Stats, and a small part of them.

/// How often a measure is reported, and how it is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// Once a year; a survey also forecasts it four times before.
    Forecast,
    Yearly,
    Weekly,
    Monthly,
    /// On the first day of January and of July.
    Stock,
    /// Once a year, by substance.
    Chemical,
}

/// Whether a census, a survey or both report a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    Both,
    Census,
    Survey,
}

use Asker::{Both, Census, Survey};
use Telling::{Chemical, Forecast, Monthly, Stock, Weekly, Yearly};

/// Statistic category, unit, how often it is reported, and by whom.
type Told = (&'static str, &'static str, Telling, Asker);

struct Family {
    sector: &'static str,
    group: &'static str,
    /// Commodity, classes, utilization practices.
    commodities: &'static [(&'static str, &'static [&'static str], &'static [&'static str])],
    practices: &'static [&'static str],
    told: &'static [Told],
}

/// A series, without its domain, place and time.
#[derive(Clone, Debug)]
pub(super) struct SeriesItem {
    pub(super) sector: &'static str,
    /// The fields after the source up to the unit, separated by tabs.
    key: String,
    short_desc: String,
    pub(super) statistic: &'static str,
    pub(super) unit: &'static str,
    pub(super) telling: Telling,
    pub(super) asker: Asker,
    pub(super) commodity: &'static str,
    /// Whether the series is one of the few that most counties have.
    pub(super) is_headline: bool,
}

const CLASSES: &str = "ALL CLASSES";
const PRACTICES: &str = "ALL PRODUCTION PRACTICES";
const USES: &str = "ALL UTILIZATION PRACTICES";
const WATERED: &[&str] = &[PRACTICES, "IRRIGATED", "NON-IRRIGATED"];

const FAMILIES: &[Family] = &[
    Family {
        sector: "CROPS",
        group: "FIELD CROPS",
        commodities: &[
            ("CORN", &[CLASSES], &["GRAIN", "SILAGE"]),
            ("SOYBEANS", &[CLASSES], &[USES]),
            ("WHEAT", &[CLASSES, "WINTER", "SPRING, (EXCL DURUM)", "SPRING, DURUM"], &[USES]),
            ("BARLEY", &[CLASSES], &[USES]),
            ("OATS", &[CLASSES], &[USES]),
            ("SORGHUM", &[CLASSES], &["GRAIN", "SILAGE"]),
        ],
        practices: WATERED,
        told: &[
            ("YIELD", "BU / ACRE", Forecast, Both),
            ("AREA HARVESTED", "ACRES", Forecast, Both),
            ("PRODUCTION", "BU", Forecast, Both),
            ("AREA PLANTED", "ACRES", Forecast, Survey),
            ("AREA HARVESTED", "OPERATIONS", Yearly, Census),
            ("SALES", "$", Yearly, Census),
            ("PRICE RECEIVED", "$ / BU", Monthly, Survey),
            ("PROGRESS", "PCT PLANTED", Weekly, Survey),
            ("CONDITION", "PCT GOOD", Weekly, Survey),
            ("CONDITION", "PCT POOR", Weekly, Survey),
        ],
    },
    Family {
        sector: "CROPS",
        group: "FIELD CROPS",
        commodities: &[
            ("COTTON", &[CLASSES, "UPLAND", "PIMA"], &[USES]),
            ("PEANUTS", &[CLASSES], &[USES]),
            ("RICE", &[CLASSES, "LONG GRAIN", "MEDIUM GRAIN"], &[USES]),
            ("SUNFLOWER", &[CLASSES, "OIL TYPE", "NON-OIL TYPE"], &[USES]),
        ],
        practices: WATERED,
        told: &[
            ("YIELD", "LB / ACRE", Forecast, Both),
            ("AREA HARVESTED", "ACRES", Forecast, Both),
            ("AREA PLANTED", "ACRES", Forecast, Survey),
            ("PRODUCTION", "LB", Forecast, Both),
            ("SALES", "$", Yearly, Census),
        ],
    },
    Family {
        sector: "CROPS",
        group: "FIELD CROPS",
        commodities: &[("HAY", &[CLASSES, "ALFALFA", "(EXCL ALFALFA)"], &[USES])],
        practices: WATERED,
        told: &[
            ("YIELD", "TONS / ACRE", Forecast, Both),
            ("AREA HARVESTED", "ACRES", Yearly, Both),
            ("PRODUCTION", "TONS", Yearly, Both),
            ("STOCKS", "TONS", Stock, Survey),
        ],
    },
    Family {
        sector: "CROPS",
        group: "FRUIT & TREE NUTS",
        commodities: &[
            ("ALMONDS", &[CLASSES], &[USES]),
            ("APPLES", &[CLASSES], &[USES, "FRESH MARKET", "PROCESSING"]),
            ("GRAPES", &[CLASSES, "WINE TYPE", "TABLE TYPE", "RAISIN TYPE"], &[USES]),
            ("ORANGES", &[CLASSES, "VALENCIA"], &[USES]),
            ("PEACHES", &[CLASSES], &[USES, "FRESH MARKET"]),
        ],
        practices: &[PRACTICES],
        told: &[
            ("AREA BEARING", "ACRES", Yearly, Both),
            ("AREA BEARING & NON-BEARING", "ACRES", Yearly, Census),
            ("PRODUCTION", "TONS", Forecast, Survey),
            ("OPERATIONS", "OPERATIONS", Yearly, Census),
        ],
    },
    Family {
        sector: "CROPS",
        group: "VEGETABLES",
        commodities: &[
            ("LETTUCE", &[CLASSES, "HEAD", "ROMAINE"], &[USES]),
            ("ONIONS", &["DRY"], &[USES]),
            ("POTATOES", &[CLASSES], &[USES]),
            ("SWEET CORN", &[CLASSES], &[USES, "FRESH MARKET", "PROCESSING"]),
            ("TOMATOES", &["IN THE OPEN"], &[USES, "FRESH MARKET", "PROCESSING"]),
        ],
        practices: &[PRACTICES, "IRRIGATED"],
        told: &[("AREA HARVESTED", "ACRES", Yearly, Both), ("PRODUCTION", "CWT", Forecast, Survey)],
    },
    Family {
        sector: "CROPS",
        group: "HORTICULTURE",
        commodities: &[("FLORICULTURE TOTALS", &[CLASSES], &[USES]), ("NURSERY TOTALS", &[CLASSES], &[USES])],
        practices: &[PRACTICES, "IN THE OPEN", "UNDER PROTECTION"],
        told: &[("SALES", "$", Yearly, Census), ("OPERATIONS WITH SALES", "OPERATIONS", Yearly, Census)],
    },
    Family {
        sector: "ANIMALS & PRODUCTS",
        group: "LIVESTOCK",
        commodities: &[
            ("CATTLE", &["INCL CALVES", "COWS, BEEF", "COWS, MILK", "CALVES"], &[USES]),
            ("HOGS", &[CLASSES, "BREEDING", "MARKET"], &[USES]),
            ("SHEEP", &["INCL LAMBS", "EWES, BREEDING, GE 1 YEAR"], &[USES]),
            ("GOATS", &[CLASSES, "MILK", "MEAT & OTHER"], &[USES]),
        ],
        practices: &[PRACTICES],
        told: &[
            ("INVENTORY", "HEAD", Stock, Both),
            ("SALES", "HEAD", Yearly, Census),
            ("SALES", "$", Yearly, Census),
            ("INVENTORY", "OPERATIONS", Yearly, Census),
            ("PRICE RECEIVED", "$ / CWT", Monthly, Survey),
            ("SLAUGHTERED", "HEAD", Weekly, Survey),
        ],
    },
    Family {
        sector: "ANIMALS & PRODUCTS",
        group: "POULTRY",
        commodities: &[
            ("CHICKENS", &["BROILERS", "LAYERS", "PULLETS, REPLACEMENT"], &[USES]),
            ("EGGS", &[CLASSES, "TABLE", "HATCHING"], &[USES]),
            ("TURKEYS", &[CLASSES], &[USES]),
        ],
        practices: &[PRACTICES],
        told: &[
            ("INVENTORY", "HEAD", Stock, Both),
            ("SALES", "$", Yearly, Census),
            ("PRODUCTION", "LB", Monthly, Survey),
        ],
    },
    Family {
        sector: "ANIMALS & PRODUCTS",
        group: "DAIRY",
        commodities: &[("MILK", &[CLASSES], &[USES])],
        practices: &[PRACTICES],
        told: &[
            ("PRODUCTION", "LB", Monthly, Survey),
            ("SALES", "$", Yearly, Census),
            ("PRICE RECEIVED", "$ / CWT", Monthly, Survey),
        ],
    },
    Family {
        sector: "ANIMALS & PRODUCTS",
        group: "SPECIALTY",
        commodities: &[("HONEY", &[CLASSES], &[USES]), ("EQUINE", &["HORSES & PONIES"], &[USES])],
        practices: &[PRACTICES],
        told: &[("SALES", "$", Yearly, Census), ("INVENTORY", "OPERATIONS", Yearly, Both)],
    },
    Family {
        sector: "ECONOMICS",
        group: "FARMS & LAND & ASSETS",
        commodities: &[
            ("FARM OPERATIONS", &[CLASSES], &[USES]),
            ("AG LAND", &[CLASSES, "CROPLAND", "CROPLAND, HARVESTED", "PASTURELAND", "WOODLAND"], &[USES]),
            ("MACHINERY TOTALS", &[CLASSES], &[USES]),
            ("TRACTORS", &[CLASSES, "LT 40 HP", "40 TO 99 HP", "GE 100 HP"], &[USES]),
        ],
        practices: &[PRACTICES, "IRRIGATED"],
        told: &[
            ("AREA OPERATED", "ACRES", Yearly, Both),
            ("OPERATIONS", "OPERATIONS", Yearly, Both),
            ("ASSET VALUE", "$", Yearly, Census),
            ("ASSET VALUE", "$ / ACRE", Yearly, Both),
        ],
    },
    Family {
        sector: "ECONOMICS",
        group: "EXPENSES",
        commodities: &[
            ("RENT", &["CASH, CROPLAND", "CASH, PASTURELAND"], &[USES]),
            ("FEED", &[CLASSES], &[USES]),
            ("FERTILIZER TOTALS", &["INCL LIME & SOIL CONDITIONERS"], &[USES]),
            ("FUELS", &["INCL LUBRICANTS", "DIESEL", "GASOLINE"], &[USES]),
            ("LABOR", &["HIRED", "CONTRACT", "MIGRANT"], &[USES]),
        ],
        practices: WATERED,
        told: &[
            ("EXPENSE", "$", Yearly, Both),
            ("EXPENSE", "$ / ACRE", Yearly, Survey),
            ("EXPENSE", "$ / OPERATION", Yearly, Both),
        ],
    },
    Family {
        sector: "ECONOMICS",
        group: "INCOME",
        commodities: &[
            ("COMMODITY TOTALS", &[CLASSES], &[USES]),
            ("GOVT PROGRAMS", &["FEDERAL"], &[USES]),
            ("INCOME, NET CASH FARM", &["OF OPERATIONS", "OF PRODUCERS"], &[USES]),
        ],
        practices: &[PRACTICES],
        told: &[("RECEIPTS", "$", Yearly, Census), ("SALES", "$ / OPERATION", Yearly, Census)],
    },
    Family {
        sector: "ECONOMICS",
        group: "PRICES PAID",
        commodities: &[("FUELS", &["DIESEL", "GASOLINE"], &[USES]), ("FEED", &[CLASSES], &[USES])],
        practices: &[PRACTICES],
        told: &[("INDEX FOR PRICE PAID", "INDEX 2011", Monthly, Survey)],
    },
    Family {
        sector: "DEMOGRAPHICS",
        group: "PRODUCERS",
        commodities: &[(
            "PRODUCERS",
            &["(ALL)", "PRINCIPAL", "PRINCIPAL, FEMALE", "PRINCIPAL, MALE", "YOUNG", "MILITARY SERVICE"],
            &[USES],
        )],
        practices: &[PRACTICES],
        told: &[
            ("PRODUCERS", "PRODUCERS", Yearly, Census),
            ("AGE, AVG", "YEARS", Yearly, Census),
            ("AREA OPERATED", "ACRES", Yearly, Census),
            ("OPERATIONS", "OPERATIONS", Yearly, Census),
        ],
    },
    Family {
        sector: "ENVIRONMENTAL",
        group: "FIELD CROPS",
        commodities: &[
            ("CORN", &[CLASSES], &[USES]),
            ("SOYBEANS", &[CLASSES], &[USES]),
            ("COTTON", &["UPLAND"], &[USES]),
            ("WHEAT", &["WINTER"], &[USES]),
        ],
        practices: &[PRACTICES],
        told: &[
            ("APPLICATIONS", "LB", Chemical, Survey),
            ("APPLICATIONS", "LB / ACRE / YEAR, AVG", Chemical, Survey),
            ("TREATED", "PCT OF AREA PLANTED, AVG", Chemical, Survey),
        ],
    },
];

/// All series; those of a sector are ordered by their weight.
pub(super) fn series() -> Vec<SeriesItem> {
    let mut items = Vec::new();
    for family in FAMILIES {
        for (nth, (commodity, classes, uses)) in family.commodities.iter().enumerate() {
            for class in *classes {
                for practice in family.practices {
                    for (at, usage) in uses.iter().enumerate() {
                        let is_plain = *practice == family.practices[0] && *class == classes[0] && at == 0;
                        let told = family.told.iter().filter(|told| is_plain || is_divided(told));
                        items.extend(told.map(|told| SeriesItem {
                            is_headline: is_plain && nth < 3,
                            ..item(family, commodity, [class, practice, usage], told)
                        }));
                    }
                }
            }
        }
    }
    items
}

/// Progress and prices are reported for the whole only.
fn is_divided((_, _, telling, _): &Told) -> bool {
    !matches!(telling, Weekly | Monthly)
}

fn item(
    family: &Family,
    commodity: &'static str,
    [class, practice, usage]: [&str; 3],
    (statistic, unit, telling, asker): &Told,
) -> SeriesItem {
    let Family { sector, group, .. } = family;
    let mut short_desc = commodity.to_owned();
    for part in [class, usage, practice].into_iter().filter(|part| !part.starts_with("ALL ")) {
        short_desc += ", ";
        short_desc += part;
    }
    short_desc += &match (*statistic, *unit) {
        ("AREA HARVESTED", "ACRES") => " - ACRES HARVESTED".to_owned(),
        ("AREA PLANTED", "ACRES") => " - ACRES PLANTED".to_owned(),
        ("AREA BEARING", "ACRES") => " - ACRES BEARING".to_owned(),
        ("INVENTORY", "HEAD") => " - INVENTORY".to_owned(),
        _ => format!(" - {statistic}, MEASURED IN {unit}"),
    };
    SeriesItem {
        sector,
        key: [sector, group, commodity, class, practice, usage, statistic, unit].join("\t"),
        short_desc,
        statistic,
        unit,
        telling: *telling,
        asker: *asker,
        commodity,
        is_headline: false,
    }
}

impl SeriesItem {
    /// The fields from the source up to the short description.
    pub(super) fn fields(&self, source: &str) -> String {
        format!("{source}\t{}\t{}", self.key, self.short_desc)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::datasets::nass::bulk::SECTORS;

    #[test]
    fn no_series_comes_twice_and_each_has_a_sector() {
        let items = series();
        let keys: BTreeSet<_> = items.iter().map(|item| &item.key).collect();
        assert_eq!(keys.len(), items.len());
        for item in &items {
            assert!(SECTORS.iter().any(|(sector, _)| *sector == item.sector), "{}", item.sector);
            assert_eq!(item.fields("SURVEY").split('\t').count(), 10);
        }
        let corn = items.iter().find(|item| item.is_headline).unwrap();
        assert_eq!(corn.short_desc, "CORN, GRAIN - YIELD, MEASURED IN BU / ACRE");
    }
}
