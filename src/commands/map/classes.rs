//! The classes of a scale: about equally many areas in each, with bounds that are easy to read.

/// More colours could not be told apart.
const MOST: usize = 5;

/// The lower bound of each class, ascending; the last class is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes(Vec<u64>);

impl Classes {
    /// Classes of these numbers, none of them empty; no classes for no numbers.
    pub fn of(numbers: &[u64]) -> Self {
        let mut sorted = numbers.to_vec();
        sorted.sort_unstable();
        let Some((least, most)) = sorted.first().copied().zip(sorted.last().copied()) else {
            return Self::default();
        };
        let mut bounds = vec![legible(least, Rounded::Down)];
        for class in 1..MOST {
            let bound = legible(sorted[sorted.len() * class / MOST], Rounded::Nearest);
            let is_filled = |from: u64| sorted.iter().any(|number| (from..bound).contains(number));
            if bound <= most && bounds.last().is_some_and(|last| *last < bound && is_filled(*last)) {
                bounds.push(bound);
            }
        }
        Self(bounds)
    }

    /// The class, from 0, of one of the numbers from which the classes were made.
    pub fn class(&self, number: u64) -> usize {
        self.0.iter().rposition(|bound| *bound <= number).unwrap_or(0)
    }

    /// The first number of each class, and the last one of each but the last class.
    pub fn bounds(&self) -> impl Iterator<Item = (u64, Option<u64>)> {
        self.0.iter().enumerate().map(|(class, from)| (*from, self.0.get(class + 1).map(|next| next - 1)))
    }

    /// The colour of a class, of five from pale to strong; if there are few classes, their colours are as different as
    /// possible.
    pub fn colour(&self, class: usize) -> usize {
        match self.0.len() {
            0 | 1 => MOST / 2,
            several => (class * (MOST - 1) + (several - 1) / 2) / (several - 1),
        }
    }
}

#[derive(Clone, Copy)]
enum Rounded {
    Down,
    Nearest,
}

/// The number rounded to one significant digit, or to two if the second is a 5 or the first a 1.
fn legible(number: u64, rounded: Rounded) -> u64 {
    const STEPS: [u64; 13] = [10, 12, 15, 20, 25, 30, 35, 40, 50, 60, 70, 80, 100];
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    if number < 10 {
        return number;
    }
    let below = STEPS.iter().rev().map(|step| step * unit).find(|step| *step <= number).unwrap_or(number);
    let above = STEPS.iter().map(|step| step * unit).find(|step| *step >= number).unwrap_or(number);
    match rounded {
        Rounded::Nearest if above - number < number - below => above,
        _ => below,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(numbers: &[u64]) -> Vec<(u64, Option<u64>)> {
        Classes::of(numbers).bounds().collect()
    }

    #[test]
    fn bounds_are_easily_read() {
        let said = |number| (legible(number, Rounded::Down), legible(number, Rounded::Nearest));
        assert_eq!([10, 11, 17, 99].map(said), [(10, 10), (10, 10), (15, 15), (80, 100)]);
        assert_eq!(
            [134, 480, 1_049, 12_900].map(said),
            [(120, 120), (400, 500), (1_000, 1_000), (12_000, 12_000)]
        );
    }

    #[test]
    fn each_class_has_numbers_and_all_are_in_one() {
        let even: Vec<_> = (10..510).collect();
        assert_eq!(
            bounds(&even),
            [(10, Some(99)), (100, Some(199)), (200, Some(299)), (300, Some(399)), (400, None)]
        );
        assert_eq!(bounds(&[]), []);
        assert_eq!(bounds(&[10]), [(10, None)]);
        assert_eq!(bounds(&[333, 333, 333]), [(300, None)]);
        assert_eq!(bounds(&[10, 10, 10, 10, 9_000]), [(10, Some(7_999)), (8_000, None)]);
        for seed in 1..200_u64 {
            let numbers: Vec<_> = (1..60).map(|i| 10 + (seed * i * i * 7_919) % (seed * 37 + 1)).collect();
            let classes = Classes::of(&numbers);
            let mut held = vec![0; classes.bounds().count()];
            for number in &numbers {
                let class = classes.class(*number);
                let (from, to) = classes.bounds().nth(class).expect("it is there");
                assert!(from <= *number && to.is_none_or(|to| *number <= to), "{number} {classes:?}");
                held[class] += 1;
            }
            assert!(held.len() <= MOST && held.iter().all(|held| *held > 0), "{held:?} {classes:?}");
        }
    }

    #[test]
    fn few_classes_are_far_from_each_other() {
        let colours = |numbers: &[u64]| {
            let classes = Classes::of(numbers);
            (0..classes.bounds().count()).map(|class| classes.colour(class)).collect::<Vec<_>>()
        };
        assert_eq!(colours(&[10]), [2]);
        assert_eq!(colours(&[10, 1_000]), [0, 4]);
        assert_eq!(colours(&(10..510).collect::<Vec<_>>()), [0, 1, 2, 3, 4]);
    }
}
