//! A metric as an SVG drawing, with a text that says what it shows.

use std::fmt::Write as _;

use jiff::civil::Date;

use super::facts::MonthlyValues;
use crate::datasets::metrics::series::Period;
use crate::words::{count, markup};

/// Units of the drawing; on a phone a unit is about a pixel.
const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 120.0;
/// Space for the scale above and the months below.
const TOP: f64 = 18.0;
const BOTTOM: f64 = 20.0;

/// A month as people read it.
pub fn month_name(month: i32) -> String {
    first_day(month).strftime("%B %Y").to_string()
}

/// A month as `YYYY-MM`.
pub fn month_short(month: i32) -> String {
    first_day(month).strftime("%Y-%m").to_string()
}

fn first_day(month: i32) -> Date {
    Period::Month.first_day(month).expect("months between two that were read are in the calendar")
}

/// A value as people read it; a share as per cent.
pub fn shown(value: Option<f64>, is_share: bool) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if is_share => {
            let text = format!("{:.1}%", value * 100.0);
            if text == "-0.0%" { "0.0%".to_owned() } else { text }
        }
        Some(value) if value >= 0.0 && value.fract() == 0.0 => count(value as u64),
        Some(value) => format!("{value:.2}"),
    }
}

/// A sentence that says what a drawing shows; `None`: there is no value to draw.
pub fn told(name: &str, series: &MonthlyValues, is_share: bool) -> Option<String> {
    let known = || (series.first..).zip(&series.values).filter_map(|(month, value)| Some((month, (*value)?)));
    let (first, last) = (known().next()?, known().last()?);
    // The first of several months with the maximum.
    let most = known().fold(first, |most, next| if next.1 > most.1 { next } else { most });
    let value =
        |(month, value): (i32, f64)| format!("{} in {}", shown(Some(value), is_share), month_name(month));
    Some(format!(
        "{name} by month, {} to {}: {}, the most {}.",
        month_name(first.0),
        month_name(last.0),
        value(last),
        value(most)
    ))
}

/// The drawing: a line with gaps where there is no value. `id` must be unique on the page.
pub fn draw(id: &str, sentence: &str, series: &MonthlyValues, is_share: bool) -> String {
    let known = series.values.iter().flatten();
    let (low, high) =
        known.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(*value), high.max(*value)));
    let high = if high > low { high } else { low + 1.0 };
    let step = WIDTH / (series.values.len().max(2) - 1) as f64;
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low);
    let mut path = String::new();
    let mut is_drawn = false;
    for (at, value) in series.values.iter().enumerate() {
        if let Some(value) = value {
            let word = if is_drawn { 'L' } else { 'M' };
            let _ = write!(path, "{word}{:.1} {:.1}", at as f64 * step, y(*value));
            // A single value would be a line without length.
            let is_alone = !is_drawn && series.values.get(at + 1).copied().flatten().is_none();
            if is_alone {
                path.push_str("h1");
            }
        }
        is_drawn = value.is_some();
    }
    let last = series.first + series.values.len() as i32 - 1;
    let base = y(0.0);
    format!(
        "<svg viewBox=\"-4 0 {} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}\"><title id=\"{id}\">{}</title>\
         <path class=\"base\" d=\"M0 {base:.1}H{WIDTH}\"/><path class=\"line\" d=\"{path}\"/>\
         <text x=\"0\" y=\"12\">{}</text><text x=\"0\" y=\"{}\">{}</text>\
         <text class=\"end\" x=\"{WIDTH}\" y=\"{}\">{}</text></svg>",
        WIDTH + 8.0,
        markup(sentence),
        shown(Some(high), is_share),
        HEIGHT - 4.0,
        month_short(series.first),
        HEIGHT - 4.0,
        month_short(last),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[Option<f64>]) -> MonthlyValues {
        MonthlyValues { first: 2025 * 12 + 10, values: values.to_vec() }
    }

    #[test]
    fn words_say_what_the_drawing_shows() {
        let series = series(&[None, Some(4.0), Some(9.0), Some(9.0), Some(2.0)]);
        let told = told("Commits", &series, false).unwrap();
        let said =
            "Commits by month, December 2025 to March 2026: 2 in March 2026, the most 9 in January 2026.";
        assert_eq!(told, said);
        assert_eq!(super::told("Growth", &MonthlyValues::default(), true), None);
    }

    #[test]
    fn a_hole_stays_a_hole_and_nothing_is_out_of_numbers() {
        let svg = draw("c", "a <b>", &series(&[Some(-0.5), None, Some(0.5)]), true);
        assert!(svg.contains("d=\"M0.0 100.0h1M340.0 18.0h1\""), "{svg}");
        assert!(svg.contains("a &lt;b&gt;") && svg.contains(">50.0%<"), "{svg}");
        for values in [vec![], vec![None], vec![Some(0.0)], vec![Some(0.0), Some(0.0)]] {
            let svg = draw("c", "", &series(&values), false);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn values_are_read_as_people_read_them() {
        let all = [
            (Some(1234.0), false),
            (Some(0.125), true),
            (Some(-0.0001), true),
            (None, true),
            (Some(0.5), false),
        ];
        assert_eq!(all.map(|(value, share)| shown(value, share)), ["1,234", "12.5%", "0.0%", "–", "0.50"]);
    }
}
