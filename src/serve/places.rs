//! Places in memory: which of them lie within a radius, and which zones lie completely within it.

use std::f64::consts::FRAC_PI_2;

use hashbrown::HashMap;

/// The radius in km of the sphere on which distances are measured.
const EARTH_KM: f64 = 6371.0088;

/// The location of a postcode.
#[derive(Clone, Debug, PartialEq)]
pub struct ServedPlace {
    pub postcode: String,
    /// Latitude, like `lon` in degrees.
    pub lat: f64,
    pub lon: f64,
    pub zone: String,
}

/// All places of a dataset, as of one commit.
#[derive(Debug, Default)]
pub struct Places {
    /// Sorted by postcode.
    places: Vec<ServedPlace>,
    /// Their indices by postcode.
    numbers: HashMap<String, u32>,
    /// Indices of `places`, from south to north.
    by_lat: Vec<u32>,
    /// For each of `places` its point on a sphere of radius 1, and the index of its zone.
    points: Vec<([f64; 3], u32)>,
    zones: Vec<ServedZone>,
}

/// A zone; `lat` and `lon` are the means of those of its places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServedZone {
    pub name: String,
    pub lat: f64,
    pub lon: f64,
    places: usize,
}

/// The places and zones within a radius.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Within {
    pub places: usize,
    /// Zones that lie within the radius with all their places.
    pub whole: Vec<String>,
    /// Zones that lie within it with some of their places, and those places.
    pub cut: Vec<String>,
    pub cut_postcodes: Vec<String>,
}

impl Places {
    /// Takes places whose postcodes are all different.
    pub fn new(mut places: Vec<ServedPlace>) -> Self {
        places.sort_by(|a, b| a.postcode.cmp(&b.postcode));
        let mut by_lat: Vec<_> = (0..places.len() as u32).collect();
        by_lat.sort_by(|a, b| places[*a as usize].lat.total_cmp(&places[*b as usize].lat));
        let mut zones: Vec<ServedZone> = Vec::new();
        let mut zone_numbers: HashMap<String, u32> = HashMap::new();
        let mut points = Vec::with_capacity(places.len());
        for place in &places {
            let number = *zone_numbers.entry_ref(&place.zone).or_insert_with(|| {
                zones.push(ServedZone { name: place.zone.clone(), ..ServedZone::default() });
                zones.len() as u32 - 1
            });
            let zone = &mut zones[number as usize];
            zone.lat += place.lat;
            zone.lon += place.lon;
            zone.places += 1;
            points.push((on_sphere(place.lat, place.lon), number));
        }
        for zone in &mut zones {
            zone.lat /= zone.places as f64;
            zone.lon /= zone.places as f64;
        }
        let numbers =
            places.iter().zip(0..).map(|(place, number)| (place.postcode.clone(), number)).collect();
        Self { places, numbers, by_lat, points, zones }
    }

    /// The place of a postcode, which is given in capitals and without blanks.
    pub fn find(&self, postcode: &str) -> Option<&ServedPlace> {
        self.numbers.get(postcode).map(|number| &self.places[*number as usize])
    }

    /// The first places whose postcodes begin with `text`, at most `most`.
    pub fn beginning(&self, text: &str, most: usize) -> &[ServedPlace] {
        let start = self.places.partition_point(|place| place.postcode.as_str() < text);
        let some = &self.places[start..(start + most).min(self.places.len())];
        let end = some.iter().position(|place| !place.postcode.starts_with(text)).unwrap_or(some.len());
        &some[..end]
    }

    /// The places within `radius_km` of a place, measured along a great circle; a place exactly at the limit is included.
    pub fn within(&self, centre: &ServedPlace, radius_km: f64) -> Within {
        // The band is slightly wider than the radius; the distance to each place in it is measured.
        let band = (radius_km / EARTH_KM).to_degrees() + 1e-6;
        let lat = |number: &u32| self.places[*number as usize].lat;
        let first = self.by_lat.partition_point(|number| lat(number) < centre.lat - band);
        let last = self.by_lat.partition_point(|number| lat(number) <= centre.lat + band);
        let limit = (2.0 * (radius_km / EARTH_KM / 2.0).min(FRAC_PI_2).sin()).powi(2);
        let middle = on_sphere(centre.lat, centre.lon);
        let is_near = |number: &u32| {
            let (point, _) = &self.points[*number as usize];
            let apart: f64 = point.iter().zip(&middle).map(|(one, other)| (one - other).powi(2)).sum();
            // The distance itself takes longer to measure, so it decides only near the limit.
            match (apart - limit).abs() > 1e-4 * limit {
                true => apart < limit,
                false => {
                    let place = &self.places[*number as usize];
                    distance_km((centre.lat, centre.lon), (place.lat, place.lon)) <= radius_km
                }
            }
        };
        let near: Vec<_> = self.by_lat[first..last].iter().copied().filter(is_near).collect();
        let zone_of = |number: u32| self.points[number as usize].1 as usize;
        let mut found = vec![0; self.zones.len()];
        near.iter().for_each(|number| found[zone_of(*number)] += 1);
        let mut within = Within { places: near.len(), ..Within::default() };
        for (zone, found) in self.zones.iter().zip(&found).filter(|(_, found)| **found > 0) {
            let names = if *found == zone.places { &mut within.whole } else { &mut within.cut };
            names.push(zone.name.clone());
        }
        let is_cut = |number: &u32| found[zone_of(*number)] < self.zones[zone_of(*number)].places;
        let cut = near.into_iter().filter(is_cut).map(|number| self.places[number as usize].postcode.clone());
        within.cut_postcodes.extend(cut);
        within
    }

    /// The zones whose mean position lies within `radius_km` of a place: each zone is inside or outside as a whole.
    pub fn zones_within(&self, centre: &ServedPlace, radius_km: f64) -> Vec<ServedZone> {
        let is_inside =
            |zone: &&ServedZone| distance_km((centre.lat, centre.lon), (zone.lat, zone.lon)) <= radius_km;
        self.zones.iter().filter(is_inside).cloned().collect()
    }

    /// The smallest radius around a place within which a zone's mean position lies, rounded up to a metre.
    pub fn nearest_zone_km(&self, centre: &ServedPlace) -> Option<f64> {
        let km = |zone: &ServedZone| distance_km((centre.lat, centre.lon), (zone.lat, zone.lon));
        let nearest = self.zones.iter().map(km).min_by(f64::total_cmp)?;
        Some((nearest * 1_000.0).ceil() / 1_000.0)
    }
}

/// A point of a sphere of radius 1. The square of the distance between two of them, straight through the sphere, takes no
/// trigonometry.
fn on_sphere(lat: f64, lon: f64) -> [f64; 3] {
    let ((lat_sin, lat_cos), (lon_sin, lon_cos)) = (lat.to_radians().sin_cos(), lon.to_radians().sin_cos());
    [lat_cos * lon_cos, lat_cos * lon_sin, lat_sin]
}

/// The great-circle distance in km between two points, each a latitude and a longitude in degrees.
fn distance_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (lat_a, lat_b) = (a.0.to_radians(), b.0.to_radians());
    let half = |from: f64, to: f64| ((to - from) / 2.0).sin().powi(2);
    let chord = half(lat_a, lat_b) + lat_a.cos() * lat_b.cos() * half(a.1.to_radians(), b.1.to_radians());
    2.0 * EARTH_KM * chord.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(postcode: &str, lat: f64, lon: f64, zone: &str) -> ServedPlace {
        ServedPlace { postcode: postcode.into(), lat, lon, zone: zone.into() }
    }

    #[test]
    fn a_zone_is_whole_when_all_its_places_are_inside() {
        let places = Places::new(vec![
            place("1000AA", 52.0, 4.0, "100"),
            place("1000AB", 52.001, 4.0, "100"),
            place("1010AA", 52.002, 4.0, "101"),
            place("1010AB", 53.0, 4.0, "101"),
        ]);
        let centre = places.find("1000AA").unwrap();
        let within = places.within(centre, 1.0);
        assert_eq!(
            (within.places, within.whole, within.cut),
            (3, vec!["100".to_owned()], vec!["101".to_owned()])
        );
        assert_eq!(within.cut_postcodes, ["1010AA"]);
        assert_eq!(places.within(centre, 0.001).places, 1, "the place itself");
        let zones = |radius| places.zones_within(centre, radius).len();
        assert_eq!((zones(0.05), zones(0.06), zones(56.0)), (0, 1, 2), "a zone is in when its middle is");
        let nearest = places.nearest_zone_km(centre).unwrap();
        assert_eq!((zones(nearest), zones(nearest - 0.001)), (1, 0), "{nearest}");
        assert_eq!(places.beginning("1010", 10).len(), 2);
        assert_eq!(places.beginning("", 3).len(), 3);
        assert!(places.beginning("2", 3).is_empty() && places.find("1").is_none());
    }

    #[test]
    fn places_at_the_limit_are_those_that_the_distance_says() {
        let at = |number: u32| 0.000_37 * f64::from(number);
        let places: Vec<_> = (0..4_000)
            .map(|number| place(&format!("{number:04}"), 52.0 + at(number % 61), 4.0 + at(number / 61), "1"))
            .collect();
        let known = Places::new(places.clone());
        let centre = known.find("2000").unwrap();
        let km = |place: &ServedPlace| distance_km((centre.lat, centre.lon), (place.lat, place.lon));
        for radius in places.iter().step_by(37).map(km).chain([0.0, 1e-9, 25_000.0]) {
            let plain = places.iter().filter(|place| km(place) <= radius).count();
            assert_eq!(known.within(centre, radius).places, plain, "{radius}");
        }
    }

    #[test]
    fn a_degree_of_latitude_is_a_known_distance_and_the_date_line_is_no_end() {
        let degree = distance_km((0.0, 179.9), (1.0, 179.9));
        assert!((degree - 111.195_08).abs() < 0.001, "{degree}");
        let over = distance_km((0.0, 179.9), (0.0, -179.9));
        assert!((over - 22.239).abs() < 0.01, "{over}");
    }
}
