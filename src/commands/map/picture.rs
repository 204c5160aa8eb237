//! Shapes as SVG: one drawing per panel, in whole units that fit every screen.

use std::fmt::Write as _;

use super::counts::{MapCounts, ShownNumber};
use crate::dataset::map::{Form, MapArea, Measured, Panel, Point, Rings};
use crate::words::{count, markup};

/// The width of a panel in units.
const WIDTH: f64 = 6_000.0;
const MARGIN: f64 = 60.0;
/// The radius of a circle in units: for a number that is not shown, and by class.
const SMALL: u32 = 16;
const CIRCLES: [u32; 5] = [40, 52, 64, 76, 88];

/// A panel, drawn.
pub struct Drawing {
    /// The content of the `svg` element.
    pub body: String,
    pub width: u32,
    pub height: u32,
}

/// Projects longitude and latitude onto a plane, with correct proportions at one latitude, which is enough for a state.
struct Projection {
    west: f64,
    north: f64,
    across: f64,
    down: f64,
    height: f64,
}

impl Projection {
    /// A projection in which all points fit the width.
    fn of(latitude: f64, points: impl Iterator<Item = Point>) -> Self {
        let (mut west, mut east, mut south, mut north) = (i32::MAX, i32::MIN, i32::MAX, i32::MIN);
        for (x, y) in points {
            (west, east, south, north) = (west.min(x), east.max(x), south.min(y), north.max(y));
        }
        if west > east {
            (west, east, south, north) = (0, 1, 0, 1);
        }
        let narrowed = latitude.to_radians().cos();
        let down = (WIDTH - 2.0 * MARGIN) / (f64::from((east - west).max(1)) * narrowed);
        let height = f64::from(north - south) * down + 2.0 * MARGIN;
        Self { west: west.into(), north: north.into(), across: down * narrowed, down, height }
    }

    fn point(&self, (east, north): Point) -> Point {
        let x = (f64::from(east) - self.west) * self.across + MARGIN;
        let y = (self.north - f64::from(north)) * self.down + MARGIN;
        (x.round() as i32, y.round() as i32)
    }

    /// Path data. Each point is rounded on its own, so neighbours that share a line still share it.
    fn path(&self, rings: &Rings) -> String {
        let mut data = String::new();
        for ring in rings {
            let mut points: Vec<_> = ring.iter().map(|point| self.point(*point)).collect();
            points.dedup();
            let Some((mut x, mut y)) = points.first().copied() else { continue };
            let _ = write!(data, "M{x} {y}l");
            for (to_x, to_y) in points.iter().skip(1) {
                let _ = write!(data, "{} {} ", to_x - x, to_y - y);
                (x, y) = (*to_x, *to_y);
            }
            data.truncate(data.trim_end_matches([' ', 'l']).len());
            data.push('z');
        }
        data
    }
}

/// Draws the areas of a panel.
pub fn draw(panel: &Panel, number: usize, counts: &MapCounts, records: &str) -> Drawing {
    let ground = (panel.ground)();
    let mut areas: Vec<_> = counts.areas.iter().filter(|(area, _)| area.panel == number).collect();
    // A circle for a large number is never covered by one for a smaller number.
    areas.sort_by_key(|(_, shown)| *shown);
    let of_areas = areas.iter().flat_map(|(area, _)| match &area.form {
        Form::Shape(rings) => rings.concat(),
        Form::Circle(point) => vec![*point],
        Form::Nowhere => Vec::new(),
    });
    let of_ground = ground.iter().flatten().flatten().copied();
    let projection = Projection::of(panel.latitude, of_areas.chain(of_ground));
    let mut body = String::new();
    for rings in &ground {
        let _ = writeln!(body, "<path class=\"ground\" d=\"{}\"/>", projection.path(rings));
    }
    for (area, shown) in areas {
        body += &element(&projection, area, *shown, counts, records);
    }
    for rings in (panel.borders)() {
        let _ = writeln!(body, "<path class=\"border\" d=\"{}\"/>", projection.path(&rings));
    }
    for label in panel.labels {
        let (x, y) = projection.point(label.at);
        let _ = writeln!(body, "<text class=\"label\" x=\"{x}\" y=\"{y}\">{}</text>", markup(label.text));
    }
    Drawing { body, width: WIDTH as u32, height: projection.height.round() as u32 }
}

fn element(
    projection: &Projection,
    area: &MapArea,
    shown: ShownNumber,
    counts: &MapCounts,
    records: &str,
) -> String {
    let class = shown.map(|number| counts.classes.colour(counts.classes.class(number)));
    let colour = class.map_or("few".to_owned(), |class| format!("q{class}"));
    let unit = match (shown, counts.measured) {
        (None, Measured::Figure { .. }) => String::new(),
        _ => format!(" {records}"),
    };
    let says = format!("{}: {}{unit}", full_name(area), number(shown, counts));
    let inside = format!("data-a=\"{}\"><title>{}</title>", markup(&area.key), markup(&says));
    match &area.form {
        Form::Shape(rings) => {
            format!("<path class=\"a {colour}\" d=\"{}\" {inside}</path>\n", projection.path(rings))
        }
        Form::Circle(point) => {
            let (x, y) = projection.point(*point);
            let r = class.and_then(|class| CIRCLES.get(class)).copied().unwrap_or(SMALL);
            format!("<circle class=\"a {colour}\" cx=\"{x}\" cy=\"{y}\" r=\"{r}\" {inside}</circle>\n")
        }
        Form::Nowhere => String::new(),
    }
}

/// An area and the place it lies in, as people read it.
pub fn full_name(area: &MapArea) -> String {
    format!("{}, {}", area.name, area.place)
}

/// The text for a number: the number itself, or that it is small, or that there is none.
pub fn number(shown: ShownNumber, counts: &MapCounts) -> String {
    match (shown, counts.measured) {
        (Some(number), Measured::Records) => count(number),
        (None, Measured::Records) => format!("fewer than {}", counts.fewest),
        (Some(tenths), Measured::Figure { .. }) => format!("{}.{}", count(tenths / 10), tenths % 10),
        (None, Measured::Figure { .. }) => "no figure".to_owned(),
    }
}

/// The colours and their meanings, the smallest numbers first.
pub fn legend(counts: &MapCounts) -> Vec<(String, String)> {
    let few = ("few".to_owned(), number(None, counts));
    let classes = counts.classes.bounds().enumerate().map(|(class, (from, to))| {
        let words = match to {
            None => format!("{} or more", number(Some(from), counts)),
            Some(to) if to == from => number(Some(from), counts),
            Some(to) => format!("{}–{}", number(Some(from), counts), number(Some(to), counts)),
        };
        (format!("q{}", counts.classes.colour(class)), words)
    });
    [few].into_iter().chain(classes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projection_keeps_proportions_and_fits_the_width() {
        // At 60° north a degree of longitude is half as long as one of latitude.
        let corners = [(0, 600_000), (20_000, 610_000)];
        let projection = Projection::of(60.0, corners.into_iter());
        assert_eq!(projection.point((0, 610_000)), (60, 60), "the north-west");
        assert_eq!(projection.point((20_000, 600_000)), (5_940, 5_940), "the south-east");
        assert_eq!(projection.height.round() as i32, 6_000);
        assert!(Projection::of(40.0, std::iter::empty()).height.is_finite());
    }

    #[test]
    fn a_path_is_made_of_steps_that_end_where_the_points_are() {
        let projection = Projection { west: 0.0, north: 10.0, across: 1.0, down: 1.0, height: 0.0 };
        let rings = vec![vec![(0, 10), (3, 10), (3, 10), (3, 8)], vec![(5, 5), (6, 5), (6, 4)]];
        assert_eq!(projection.path(&rings), "M60 60l3 0 0 2zM65 65l1 0 0 1z");
        assert_eq!(projection.path(&vec![vec![]]), "");
    }
}
