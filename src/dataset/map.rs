//! Maps of a dataset: areas, measures, and the SQL that counts measures by area.

/// The maps of a dataset. Plain values; the shapes are compiled in.
#[derive(Clone, Copy, Debug)]
pub struct MapOf {
    /// The ways to divide the land.
    pub divisions: &'static [Division],
    pub measures: &'static [Measure],
    /// PostgreSQL, a statement that reads production: `area` (null: none that is known), `n` records, or the figure of
    /// the area in tenths, and the `first` and `last` day of them. A record counts once in an area; one without any
    /// area counts once among those without one. `$1` the measure, `$2` the division, `$3` and `$4` the first and the
    /// last day or null, `$5` codes as the data has them, `$6` the key of the area that each of them means.
    pub count: &'static str,
    /// The number of an area with fewer records is never shown.
    pub fewest: u64,
    /// Several records, as people read it.
    pub records: &'static str,
    /// Where the shapes come from, and under which licence.
    pub credit: &'static str,
}

/// A measure: what is counted or shown.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its name on the command line.
    pub name: &'static str,
    pub about: &'static str,
    /// The start of the picture's title: `Permits given`.
    pub title: &'static str,
    pub of: Measured,
}

/// The meaning of an area's number.
#[derive(Clone, Copy, Debug)]
pub enum Measured {
    /// Records: they can be summed, and small numbers are not shown.
    Records,
    /// A published figure of the area, in tenths of this unit: figures cannot be summed, and none is withheld here.
    /// `about` says what holds for all of them.
    Figure { unit: &'static str, about: &'static str },
}

/// A way to divide the land.
#[derive(Clone, Copy, Debug)]
pub struct Division {
    /// Its name on the command line.
    pub name: &'static str,
    pub about: &'static str,
    /// One area and several, as people read it.
    pub area: &'static str,
    pub areas: &'static str,
    /// What holds for records without an area, worded to follow `5 % of the records`: `have no …`.
    pub without: &'static str,
    /// What to type if that holds for all of them.
    pub hint: &'static str,
    pub panels: &'static [Panel],
    pub shapes: fn() -> Vec<MapArea>,
}

/// One drawing of the picture.
#[derive(Clone, Copy, Debug)]
pub struct Panel {
    pub title: &'static str,
    /// The latitude, in degrees north, at which shapes have their true proportions; 0: they are on a plane already.
    pub latitude: f64,
    /// Names on the map, for orientation, with their positions.
    pub labels: &'static [Label],
    /// Land outside the areas.
    pub ground: fn() -> Vec<Rings>,
    /// Lines that are drawn over the areas.
    pub borders: fn() -> Vec<Rings>,
}

/// A name on the map.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    pub text: &'static str,
    pub at: Point,
}

/// Ten-thousandths of a degree, or units of a plane, east and north.
pub type Point = (i32, i32);

/// Closed lines without their last point; a point inside an odd number of them is inside.
pub type Rings = Vec<Vec<Point>>;

/// An area that is counted.
#[derive(Clone, Debug)]
pub struct MapArea {
    pub key: String,
    /// As people read it, without the kind of area: `10001`.
    pub name: String,
    /// The place it lies in, as people read it: `Queens`.
    pub place: &'static str,
    /// Its codes in the data.
    pub codes: Vec<String>,
    /// The panel that it is drawn in.
    pub panel: usize,
    pub form: Form,
}

/// How an area is drawn.
#[derive(Clone, Debug)]
pub enum Form {
    Shape(Rings),
    /// A circle around the middle of an area whose borders are not known.
    Circle(Point),
    /// Only in the table.
    Nowhere,
}

/// Reads rings in the format of the shape files: separated by `;`, each with its first point and then the steps to the
/// others.
pub fn rings(lines: &str) -> Rings {
    let ring = |line: &str| {
        let steps = points(line).scan((0, 0), |at, step| {
            *at = (at.0 + step.0, at.1 + step.1);
            Some(*at)
        });
        steps.collect()
    };
    lines.split(';').map(ring).collect()
}

/// Pairs of numbers separated by blanks.
pub fn points(line: &str) -> impl Iterator<Item = Point> {
    let mut numbers = line.split(' ').filter_map(|number| number.parse().ok());
    std::iter::from_fn(move || Some((numbers.next()?, numbers.next()?)))
}
