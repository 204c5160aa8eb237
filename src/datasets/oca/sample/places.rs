//! Where the property of a made case can be: courts, and streets that exist, with the house
//! numbers that they have within one postal code.

use super::values::Weighted;

/// A court and what lies in its district.
pub(super) struct Locality {
    pub(super) court: &'static str,
    /// The county or borough, which some of its addresses give as their city.
    pub(super) county: &'static str,
    /// House numbers are `block-number`, as in Queens; a street's numbers are then its blocks.
    pub(super) hyphenated: bool,
    pub(super) areas: &'static [Area],
}

/// One postal code.
pub(super) struct Area {
    pub(super) postal_code: &'static str,
    pub(super) city: &'static str,
    /// Name, lowest and highest house number.
    pub(super) streets: &'static [(&'static str, u16, u16)],
}

const fn area(
    city: &'static str,
    postal_code: &'static str,
    streets: &'static [(&'static str, u16, u16)],
) -> Area {
    Area { postal_code, city, streets }
}

const fn place(court: &'static str, county: &'static str, areas: &'static [Area]) -> Locality {
    Locality { court, county, hyphenated: false, areas }
}

pub(super) const PLACES: Weighted<&Locality> = Weighted::new(&[
    (31, &place("Bronx County Civil Court", "Bronx", BRONX)),
    (27, &place("Kings County Civil Court", "Kings", BROOKLYN)),
    (16, &Locality { hyphenated: true, ..place("Queens County Civil Court", "Queens", QUEENS) }),
    (15, &place("New York County Civil Court", "New York", MANHATTAN)),
    (3, &place("Richmond County Civil Court", "Richmond", STATEN_ISLAND)),
    (2, &place("Harlem Community Justice Center", "New York", HARLEM)),
    (1, &place("Redhook Community Justice Center", "Kings", RED_HOOK)),
    (2, &place("Buffalo City Court", "Erie", BUFFALO)),
    (2, &place("Nassau County District Court - 1st District", "Nassau", NASSAU)),
    (1, &place("Yonkers City Court", "Westchester", YONKERS)),
]);

#[rustfmt::skip]
const BRONX: &[Area] = &[
    area("Bronx", "10451", &[
        ("GRAND CONCOURSE", 730, 1020), ("GERARD AVENUE", 750, 950), ("EAST 163RD STREET", 250, 330),
        ("MORRIS AVENUE", 650, 800),
    ]),
    area("Bronx", "10452", &[
        ("WALTON AVENUE", 1065, 1500), ("JEROME AVENUE", 1050, 1450), ("ANDERSON AVENUE", 950, 1150),
        ("OGDEN AVENUE", 900, 1150), ("NELSON AVENUE", 950, 1450),
    ]),
    area("Bronx", "10453", &[
        ("SEDGWICK AVENUE", 1500, 1750), ("UNIVERSITY AVENUE", 1640, 1950), ("DAVIDSON AVENUE", 1750, 2050),
        ("MORRIS AVENUE", 1950, 2180), ("HARRISON AVENUE", 1750, 1950),
    ]),
    area("Bronx", "10456", &[
        ("GRAND CONCOURSE", 1100, 1290), ("BOSTON ROAD", 1000, 1250), ("WEBSTER AVENUE", 1200, 1380),
        ("FINDLAY AVENUE", 1000, 1350), ("SHERIDAN AVENUE", 1050, 1290),
    ]),
    area("Bronx", "10457", &[
        ("ARTHUR AVENUE", 1900, 2120), ("CRESTON AVENUE", 1900, 2150), ("VALENTINE AVENUE", 1980, 2180),
        ("EAST TREMONT AVENUE", 350, 650), ("HUGHES AVENUE", 1950, 2150),
    ]),
    area("Bronx", "10458", &[
        ("GRAND CONCOURSE", 2450, 2900), ("BRIGGS AVENUE", 2550, 2950), ("DECATUR AVENUE", 2550, 2950),
        ("MARION AVENUE", 2450, 2900), ("VALENTINE AVENUE", 2400, 2900),
    ]),
    area("Bronx", "10462", &[
        ("METROPOLITAN AVENUE", 1500, 1600), ("UNIONPORT ROAD", 1400, 1600), ("HOLLAND AVENUE", 2050, 2180),
        ("BARNES AVENUE", 2050, 2180), ("WHITE PLAINS ROAD", 1450, 2150),
    ]),
    area("Bronx", "10463", &[
        ("BAILEY AVENUE", 2750, 3150), ("KINGSBRIDGE TERRACE", 2750, 3050), ("HEATH AVENUE", 2750, 3050),
        ("ALBANY CRESCENT", 3000, 3150),
    ]),
    area("Bronx", "10467", &[
        ("WHITE PLAINS ROAD", 3000, 3800), ("OLINVILLE AVENUE", 2750, 3250), ("BARNES AVENUE", 2750, 3500),
        ("WEBSTER AVENUE", 3000, 3450), ("BRONX PARK EAST", 2700, 2850),
    ]),
    area("Bronx", "10468", &[
        ("SEDGWICK AVENUE", 2450, 2850), ("UNIVERSITY AVENUE", 2400, 2750), ("DAVIDSON AVENUE", 2300, 2550),
        ("CRESTON AVENUE", 2450, 2750), ("MORRIS AVENUE", 2400, 2700),
    ]),
    area("Bronx", "10472", &[
        ("BOYNTON AVENUE", 1050, 1250), ("WARD AVENUE", 1050, 1350), ("MANOR AVENUE", 1050, 1350),
        ("EVERGREEN AVENUE", 1050, 1250),
    ]),
];

#[rustfmt::skip]
const BROOKLYN: &[Area] = &[
    area("Brooklyn", "11226", &[
        ("OCEAN AVENUE", 350, 900), ("FLATBUSH AVENUE", 750, 1050), ("CLARKSON AVENUE", 50, 330),
        ("LENOX ROAD", 50, 350), ("EAST 21ST STREET", 20, 330), ("ROGERS AVENUE", 750, 1050),
        ("LINDEN BOULEVARD", 50, 330),
    ]),
    area("Brooklyn", "11225", &[
        ("CROWN STREET", 200, 550), ("LINCOLN ROAD", 40, 350), ("NOSTRAND AVENUE", 1000, 1200),
        ("EMPIRE BOULEVARD", 150, 450), ("SULLIVAN PLACE", 20, 200),
    ]),
    area("Brooklyn", "11213", &[
        ("EASTERN PARKWAY", 650, 1150), ("ST JOHNS PLACE", 1150, 1600), ("STERLING PLACE", 1150, 1550),
        ("PARK PLACE", 1050, 1500), ("UTICA AVENUE", 150, 380),
    ]),
    area("Brooklyn", "11212", &[
        ("PITKIN AVENUE", 1450, 1750), ("ROCKAWAY AVENUE", 350, 800), ("SUTTER AVENUE", 1, 350),
        ("HOWARD AVENUE", 350, 550), ("LINDEN BOULEVARD", 1000, 1250),
    ]),
    area("Brooklyn", "11207", &[
        ("PENNSYLVANIA AVENUE", 50, 750), ("NEW JERSEY AVENUE", 50, 700), ("VERMONT STREET", 50, 700),
        ("BUSHWICK AVENUE", 1300, 1700), ("HENDRIX STREET", 50, 700),
    ]),
    area("Brooklyn", "11221", &[
        ("GATES AVENUE", 850, 1250), ("GREENE AVENUE", 850, 1250), ("BUSHWICK AVENUE", 850, 1150),
        ("LAFAYETTE AVENUE", 850, 1100), ("MADISON STREET", 700, 1150),
    ]),
    area("Brooklyn", "11216", &[
        ("FULTON STREET", 1250, 1550), ("NOSTRAND AVENUE", 400, 700), ("HERKIMER STREET", 50, 350),
        ("MACON STREET", 50, 400), ("JEFFERSON AVENUE", 150, 450),
    ]),
    area("Brooklyn", "11230", &[
        ("OCEAN PARKWAY", 650, 1300), ("OCEAN AVENUE", 1150, 1800), ("CONEY ISLAND AVENUE", 1000, 1600),
        ("EAST 13TH STREET", 750, 1400),
    ]),
    area("Brooklyn", "11224", &[
        ("SURF AVENUE", 2300, 3000), ("MERMAID AVENUE", 1900, 3500), ("NEPTUNE AVENUE", 1900, 3500),
        ("WEST 33RD STREET", 2800, 3050),
    ]),
    area("Brooklyn", "11235", &[
        ("OCEAN PARKWAY", 2800, 3100), ("BRIGHTON BEACH AVENUE", 100, 700), ("BRIGHTWATER COURT", 1, 280),
        ("NEPTUNE AVENUE", 30, 400),
    ]),
    area("Brooklyn", "11220", &[
        ("4TH AVENUE", 4500, 6500), ("5TH AVENUE", 4500, 6500), ("52ND STREET", 200, 850),
        ("60TH STREET", 200, 850),
    ]),
    area("Brooklyn", "11203", &[
        ("NEW YORK AVENUE", 700, 1150), ("UTICA AVENUE", 650, 1250), ("EAST 49TH STREET", 20, 650),
        ("LENOX ROAD", 500, 900),
    ]),
];

#[rustfmt::skip]
const MANHATTAN: &[Area] = &[
    area("New York", "10002", &[
        ("GRAND STREET", 380, 580), ("EAST BROADWAY", 170, 280), ("RIVINGTON STREET", 40, 200),
        ("CLINTON STREET", 30, 280), ("PITT STREET", 10, 150),
    ]),
    area("New York", "10009", &[
        ("AVENUE D", 20, 180), ("AVENUE C", 30, 250), ("EAST 4TH STREET", 170, 400),
        ("EAST 12TH STREET", 400, 700), ("AVENUE B", 30, 250),
    ]),
    area("New York", "10025", &[
        ("WEST END AVENUE", 690, 900), ("COLUMBUS AVENUE", 700, 980), ("AMSTERDAM AVENUE", 700, 1000),
        ("WEST 104TH STREET", 50, 320), ("RIVERSIDE DRIVE", 230, 380),
    ]),
    area("New York", "10029", &[
        ("1ST AVENUE", 1850, 2250), ("2ND AVENUE", 1880, 2250), ("MADISON AVENUE", 1400, 1750),
        ("EAST 106TH STREET", 50, 400), ("EAST 112TH STREET", 50, 450),
    ]),
    area("New York", "10031", &[
        ("BROADWAY", 3280, 3640), ("RIVERSIDE DRIVE", 560, 750), ("WEST 143RD STREET", 400, 640),
        ("AMSTERDAM AVENUE", 1500, 1860), ("CONVENT AVENUE", 200, 450),
    ]),
    area("New York", "10032", &[
        ("FORT WASHINGTON AVENUE", 1, 300), ("BROADWAY", 3750, 4080), ("ST NICHOLAS AVENUE", 950, 1250),
        ("WEST 164TH STREET", 430, 660), ("AUDUBON AVENUE", 20, 250),
    ]),
    area("New York", "10033", &[
        ("WADSWORTH AVENUE", 50, 300), ("WEST 180TH STREET", 550, 850), ("ST NICHOLAS AVENUE", 1300, 1500),
        ("FORT WASHINGTON AVENUE", 350, 600), ("PINEHURST AVENUE", 1, 200),
    ]),
    area("New York", "10034", &[
        ("SHERMAN AVENUE", 80, 250), ("POST AVENUE", 10, 200), ("VERMILYEA AVENUE", 10, 220),
        ("SEAMAN AVENUE", 10, 260), ("WEST 207TH STREET", 420, 660),
    ]),
    area("New York", "10040", &[
        ("BROADWAY", 4400, 4750), ("BENNETT AVENUE", 50, 300), ("NAGLE AVENUE", 1, 120),
        ("WADSWORTH TERRACE", 1, 150),
    ]),
];

#[rustfmt::skip]
const HARLEM: &[Area] = &[
    area("New York", "10035", &[
        ("LEXINGTON AVENUE", 1960, 2200), ("PARK AVENUE", 1780, 1980), ("EAST 119TH STREET", 50, 450),
        ("EAST 127TH STREET", 50, 250),
    ]),
    area("New York", "10027", &[
        ("ADAM CLAYTON POWELL JR BOULEVARD", 1960, 2250), ("WEST 126TH STREET", 50, 400),
        ("MORNINGSIDE AVENUE", 20, 140), ("ST NICHOLAS AVENUE", 200, 380),
    ]),
    area("New York", "10030", &[
        ("WEST 137TH STREET", 100, 350), ("WEST 140TH STREET", 100, 320), ("LENOX AVENUE", 500, 620),
        ("EDGECOMBE AVENUE", 1, 150),
    ]),
    area("New York", "10039", &[
        ("WEST 147TH STREET", 100, 320), ("WEST 151ST STREET", 100, 320), ("BRADHURST AVENUE", 50, 320),
    ]),
];

#[rustfmt::skip]
const RED_HOOK: &[Area] = &[
    area("Brooklyn", "11231", &[
        ("COLUMBIA STREET", 400, 600), ("DWIGHT STREET", 50, 250), ("LORRAINE STREET", 50, 250),
        ("VAN BRUNT STREET", 150, 450), ("WOLCOTT STREET", 50, 220),
    ]),
];

#[rustfmt::skip]
const STATEN_ISLAND: &[Area] = &[
    area("Staten Island", "10301", &[
        ("JERSEY STREET", 50, 280), ("VICTORY BOULEVARD", 100, 900), ("RICHMOND TERRACE", 150, 600),
        ("CASTLETON AVENUE", 20, 400), ("ST MARKS PLACE", 50, 350),
    ]),
    area("Staten Island", "10304", &[
        ("PARK HILL AVENUE", 55, 280), ("BAY STREET", 450, 750), ("TARGEE STREET", 150, 650),
        ("BROAD STREET", 50, 250), ("VANDERBILT AVENUE", 80, 600),
    ]),
    area("Staten Island", "10310", &[
        ("HENDERSON AVENUE", 350, 700), ("CASTLETON AVENUE", 600, 1150), ("FOREST AVENUE", 550, 900),
        ("BROADWAY", 150, 600),
    ]),
    area("Staten Island", "10303", &[
        ("GRANDVIEW AVENUE", 100, 450), ("CONTINENTAL PLACE", 40, 150), ("RICHMOND TERRACE", 2850, 3500),
    ]),
];

#[rustfmt::skip]
const BUFFALO: &[Area] = &[
    area("Buffalo", "14213", &[
        ("GRANT STREET", 50, 600), ("WEST AVENUE", 400, 950), ("NIAGARA STREET", 900, 1500),
    ]),
    area("Buffalo", "14222", &[
        ("ELMWOOD AVENUE", 400, 1100), ("ASHLAND AVENUE", 250, 800),
    ]),
    area("Buffalo", "14215", &[
        ("BAILEY AVENUE", 2600, 3300), ("KENSINGTON AVENUE", 600, 1400),
    ]),
];

#[rustfmt::skip]
const NASSAU: &[Area] = &[
    area("Franklin Square", "11010", &[
        ("HEMPSTEAD TURNPIKE", 700, 1150), ("FRANKLIN AVENUE", 20, 400),
    ]),
    area("Hempstead", "11550", &[
        ("FULTON AVENUE", 50, 600), ("FRONT STREET", 100, 700), ("TERRACE AVENUE", 10, 250),
    ]),
    area("Freeport", "11520", &[
        ("WEST MERRICK ROAD", 20, 400), ("SOUTH MAIN STREET", 50, 600),
    ]),
];

#[rustfmt::skip]
const YONKERS: &[Area] = &[
    area("Yonkers", "10701", &[
        ("WARBURTON AVENUE", 50, 550), ("PALISADE AVENUE", 50, 450), ("RAVINE AVENUE", 50, 350),
    ]),
    area("Yonkers", "10705", &[
        ("SOUTH BROADWAY", 150, 600), ("RIVERDALE AVENUE", 100, 550),
    ]),
];

#[rustfmt::skip]
const QUEENS: &[Area] = &[
    area("Jamaica", "11432", &[
        ("HILLSIDE AVENUE", 153, 182), ("89TH AVENUE", 150, 175), ("PARSONS BOULEVARD", 87, 90),
        ("HIGHLAND AVENUE", 161, 175), ("162ND STREET", 84, 90),
    ]),
    area("Jamaica", "11433", &[
        ("MERRICK BOULEVARD", 105, 111), ("GUY R BREWER BOULEVARD", 105, 112),
        ("UNION HALL STREET", 103, 110), ("LIBERTY AVENUE", 160, 175),
    ]),
    area("Jamaica", "11435", &[
        ("SUTPHIN BOULEVARD", 87, 109), ("HILLSIDE AVENUE", 138, 149), ("148TH STREET", 87, 95),
        ("JAMAICA AVENUE", 138, 149),
    ]),
    area("Far Rockaway", "11691", &[
        ("SEAGIRT BOULEVARD", 20, 29), ("MOTT AVENUE", 14, 22), ("CORNAGA AVENUE", 18, 22),
        ("CENTRAL AVENUE", 11, 22),
    ]),
    area("Flushing", "11355", &[
        ("KISSENA BOULEVARD", 41, 46), ("FRANKLIN AVENUE", 138, 144), ("SANFORD AVENUE", 138, 149),
        ("COLDEN STREET", 42, 45),
    ]),
    area("Flushing", "11354", &[
        ("UNION STREET", 32, 37), ("PARSONS BOULEVARD", 32, 37), ("ROOSEVELT AVENUE", 138, 150),
        ("35TH AVENUE", 137, 150),
    ]),
    area("Jackson Heights", "11372", &[
        ("35TH AVENUE", 72, 93), ("34TH AVENUE", 72, 93), ("37TH AVENUE", 73, 90), ("81ST STREET", 33, 37),
    ]),
    area("Elmhurst", "11373", &[
        ("WHITNEY AVENUE", 80, 86), ("JUDGE STREET", 41, 43), ("CORONA AVENUE", 86, 94),
        ("ELMHURST AVENUE", 78, 90),
    ]),
    area("Corona", "11368", &[
        ("57TH AVENUE", 97, 99), ("108TH STREET", 34, 50), ("37TH AVENUE", 100, 112),
        ("HORACE HARDING EXPRESSWAY", 96, 99),
    ]),
    area("Astoria", "11106", &[
        ("CRESCENT STREET", 31, 36), ("BROADWAY", 21, 36), ("34TH STREET", 31, 36), ("21ST STREET", 30, 36),
    ]),
    area("Sunnyside", "11104", &[
        ("43RD AVENUE", 41, 48), ("QUEENS BOULEVARD", 43, 48), ("47TH AVENUE", 41, 48),
        ("46TH STREET", 39, 48),
    ]),
    area("Rego Park", "11374", &[
        ("SAUNDERS STREET", 62, 66), ("QUEENS BOULEVARD", 94, 98), ("63RD DRIVE", 94, 98),
        ("WETHEROLE STREET", 62, 67),
    ]),
    area("Forest Hills", "11375", &[
        ("108TH STREET", 62, 69), ("YELLOWSTONE BOULEVARD", 62, 69), ("QUEENS BOULEVARD", 102, 118),
        ("67TH ROAD", 102, 110),
    ]),
];
