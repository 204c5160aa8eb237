//! Descriptions of the tables and their columns.

use crate::dataset::derived::Described;

const DATE: (&str, &str) = ("date", "The day of the counts");
const SBI: (&str, &str) = ("sbi", "The branch: a code of the standard classification of businesses");
const HITS: (&str, &str) = ("hits", "The sum of the hits");
const DELTA: (&str, &str) =
    ("delta", "The sum of what the hits are compared with; null where one of them is not known");
const ZONE: (&str, &str) = ("zone", "The zone of the place; null where no place has the postcode any more");
const MONTH: (&str, &str) = ("month", "The month, as its first day");
const CELLS: (&str, &str) = (
    "cells",
    "A line for each day and branch: day of the month, hits, delta (nothing where it is not known) and branch, with commas",
);
const POSTCODE: (&str, &str) = ("postcode", "The postcode, in capitals and without a space");

/// One entry for each of the dataset's tables.
pub(super) const DICTIONARY: &[Described] = &[
    Described {
        table: "datapoint_days",
        about: "The days that are loaded, a row each",
        columns: &[DATE, ("points", "How many data points the day has"), HITS, DELTA],
    },
    Described {
        table: "datapoints",
        about: "Data points: hits of an activity at a place in an hour",
        columns: &[
            DATE,
            ("hour", "The hour of the day, 0 to 23"),
            ("id_activity", "The number of the activity"),
            POSTCODE,
            ("hits", "How often it was seen"),
            ("delta", "What the hits are compared with; null where that is not known"),
            SBI,
        ],
    },
    Described {
        table: "datapoint_place_days",
        about: "Data points summed by day, place and branch",
        columns: &[DATE, ZONE, POSTCODE, SBI, HITS, DELTA],
    },
    Described {
        table: "datapoint_zone_days",
        about: "Data points summed by day, zone and branch",
        columns: &[DATE, ZONE, SBI, HITS, DELTA],
    },
    Described {
        table: "datapoint_places",
        about: "Where postcodes are",
        columns: &[
            POSTCODE,
            ("lat", "Degrees north of the equator"),
            ("lon", "Degrees east of Greenwich"),
            ("zone", "The zone that the place is in"),
        ],
    },
    Described {
        table: "datapoint_atoms",
        about: "Pieces of zone, days and branch that are large enough to be shown; no two share a day",
        columns: &[
            ("zone", "The zone"),
            ("first", "The first day of the piece: a day, a week within a month, or a month"),
            ("last", "The last day of the piece"),
            SBI,
            ("hits", "The sum of the hits, ten or more; null where a whole month has fewer"),
        ],
    },
    Described {
        table: "datapoint_zone_points",
        about: "Data points by day and zone",
        columns: &[
            DATE,
            ("zone", "The zone"),
            ("cells", "A line for each place and branch: postcode, hits, delta, branch"),
        ],
    },
    Described {
        table: "datapoint_place_months",
        about: "Data points summed by month and place",
        columns: &[MONTH, ("zone", "The zone of the place"), POSTCODE, HITS, DELTA, CELLS],
    },
    Described {
        table: "datapoint_zone_months",
        about: "Data points by month and zone",
        columns: &[MONTH, ("zone", "The zone"), CELLS],
    },
];
