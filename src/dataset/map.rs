//! What can be drawn of a dataset: areas, measures, and the SQL that counts one by the other.

/// A dataset's pictures. Plain values; the shapes are read from what is compiled in.
#[derive(Clone, Copy, Debug)]
pub struct MapOf {
    /// The ways to divide the land.
    pub divisions: &'static [Division],
    pub measures: &'static [Measure],
    /// PostgreSQL, a statement that reads production: `area` (null: none that is known), `n` records, or the figure of the
    /// area in tenths, and the `first` and `last` day of them. A record counts once in an area, and among those without one if it has none at all. `$1` the
    /// measure, `$2` the division, `$3` and `$4` the first and the last day or null, `$5` codes as the data has them, `$6`
    /// the key of the area that each of them means.
    pub count: &'static str,
    /// An area with fewer records is never shown with their number.
    pub fewest: u64,
    /// Several records, as people read it.
    pub records: &'static str,
    /// Where the shapes come from, and under which licence.
    pub credit: &'static str,
}

/// What is counted or told.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its name on the command line.
    pub name: &'static str,
    pub about: &'static str,
    /// The start of the picture's title: `Permits given`.
    pub title: &'static str,
    pub of: Measured,
}

/// What the number of an area is.
#[derive(Clone, Copy, Debug)]
pub enum Measured {
    /// Records: they add up, and a small number is not told.
    Records,
    /// A figure that was published of the area, in tenths of this unit: figures add up to nothing, and none is withheld here.
    /// `about` says what is true of all.
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
    /// What is true of records without an area, behind `5 % of the records`: `have no …`.
    pub without: &'static str,
    /// What to type where that is true of all.
    pub hint: &'static str,
    pub panels: &'static [Panel],
    pub shapes: fn() -> Vec<MapArea>,
}

/// One drawing of the picture.
#[derive(Clone, Copy, Debug)]
pub struct Panel {
    pub title: &'static str,
    /// Degrees north, where shapes are as they are on the ground; 0: they are on a plane already.
    pub latitude: f64,
    /// Names on the map, for orientation, and where they stand.
    pub labels: &'static [Label],
    /// Land that is no area.
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

/// Closed lines without their last point; what is inside an odd number of them is inside.
pub type Rings = Vec<Vec<Point>>;

/// An area that is counted.
#[derive(Clone, Debug)]
pub struct MapArea {
    pub key: String,
    /// As people read it, without the kind of area: `10001`.
    pub name: String,
    /// What it lies in, as people read it: `Queens`.
    pub place: &'static str,
    /// What the data has for it.
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
    /// In the table alone.
    Nowhere,
}

/// Rings as the files of shapes have them: `;` between them, and of each its first point and then the steps to the others.
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

/// Numbers with blanks between them, two and two.
pub fn points(line: &str) -> impl Iterator<Item = Point> {
    let mut numbers = line.split(' ').filter_map(|number| number.parse().ok());
    std::iter::from_fn(move || Some((numbers.next()?, numbers.next()?)))
}
