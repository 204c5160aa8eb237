//! Outlines of zones for the map, from a GeoJSON file that the operator names. The file is checked before the server listens.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hashed;

/// The most bytes of such a file: each browser loads all of it.
pub const OUTLINES_MOST_BYTES: u64 = 4 << 20;
/// The most characters in the name of a zone.
const LONGEST: usize = 40;

/// Outlines as the page needs them; everything else in the file is left out.
#[derive(Clone, Debug)]
pub struct Outlines {
    text: Bytes,
    tag: String,
}

/// A fault in a file of outlines, in words that complete "the outlines cannot be taken: …".
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OutlinesFault(String);

#[derive(Deserialize)]
struct OutlineFile {
    features: Vec<Value>,
}

#[derive(Deserialize)]
struct Outline {
    properties: OutlineOf,
    geometry: OutlineShape,
}

#[derive(Deserialize)]
struct OutlineOf {
    zone: Value,
}

#[derive(Deserialize, Serialize)]
#[serde(tag = "type", content = "coordinates")]
enum OutlineShape {
    Polygon(Vec<Ring>),
    MultiPolygon(Vec<Vec<Ring>>),
}

/// A closed ring of positions, each with longitude and latitude in degrees and perhaps a height; the last is the same as the
/// first.
type Ring = Vec<Vec<f64>>;

impl Default for Outlines {
    /// No outlines.
    fn default() -> Self {
        Self::of(&[])
    }
}

impl Outlines {
    /// Reads a `FeatureCollection` of polygons, each with its zone in `properties.zone`.
    ///
    /// # Errors
    /// Names the first feature that cannot be used, and why.
    pub fn read(bytes: &[u8]) -> Result<Self, OutlinesFault> {
        let collection: OutlineFile = serde_json::from_slice(bytes)
            .map_err(|error| OutlinesFault(format!("it is not a FeatureCollection of GeoJSON: {error}")))?;
        let (mut zones, mut features) = (BTreeSet::new(), Vec::new());
        for (at, value) in collection.features.into_iter().enumerate() {
            let fault = |why: &str| OutlinesFault(format!("feature {}: {why}", at + 1));
            let mut outline: Outline =
                serde_json::from_value(value).map_err(|error| fault(&error.to_string()))?;
            let zone = zone(&outline.properties.zone)
                .ok_or_else(|| fault("its zone is not a text of 1 to 40 characters"))?;
            for ring in outline.geometry.rings() {
                plain(ring).map_err(|why| fault(&format!("zone {zone}: {why}")))?;
            }
            if !zones.insert(zone.clone()) {
                return Err(fault(&format!("the zone {zone} is there twice")));
            }
            features
                .push(json!({"type": "Feature", "properties": {"zone": zone}, "geometry": outline.geometry}));
        }
        match features.is_empty() {
            false => Ok(Self::of(&features)),
            true => Err(OutlinesFault("it has no feature".into())),
        }
    }

    fn of(features: &[Value]) -> Self {
        let text = json!({"type": "FeatureCollection", "features": features}).to_string();
        Self { tag: hashed(&text), text: text.into() }
    }

    /// The outlines as GeoJSON. Clones share the bytes, so many clients at once need no more memory than one.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The tag of the outlines, for `ETag`.
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

/// The name of a zone. Programs that make such files may also write 101 as a number.
fn zone(value: &Value) -> Option<String> {
    let zone = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (1..=LONGEST).contains(&zone.chars().count()).then_some(zone)
}

impl OutlineShape {
    fn rings(&mut self) -> Vec<&mut Ring> {
        match self {
            Self::Polygon(rings) => rings.iter_mut().collect(),
            Self::MultiPolygon(polygons) => polygons.iter_mut().flatten().collect(),
        }
    }
}

/// Keeps only longitude and latitude, and checks them.
fn plain(ring: &mut Ring) -> Result<(), &'static str> {
    if ring.len() < 4 || ring.first() != ring.last() {
        return Err("a ring has four positions or more, and ends where it begins");
    }
    for position in ring {
        position.truncate(2);
        match position[..] {
            [lon, lat] if (-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat) => {}
            _ => return Err("a position is a longitude and a latitude in degrees"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(features: &Value) -> Result<Outlines, String> {
        let file = json!({"type": "FeatureCollection", "features": features}).to_string();
        Outlines::read(file.as_bytes()).map_err(|fault| fault.to_string())
    }

    fn feature(zone: &Value, shape: &str, coordinates: &Value) -> Value {
        json!({"type": "Feature", "properties": {"zone": zone, "name": "x"},
            "geometry": {"type": shape, "coordinates": coordinates}})
    }

    #[test]
    fn zones_and_their_positions_are_kept_and_nothing_else() {
        let ring = json!([[4, 52, 7.5], [5, 52], [5, 53], [4, 52, 7.5]]);
        let features = json!([
            feature(&json!(101), "Polygon", &json!([ring])),
            feature(&json!("1\u{e9}"), "MultiPolygon", &json!([[ring]]))
        ]);
        let kept: Value = serde_json::from_slice(read(&features).unwrap().text()).unwrap();
        assert_eq!(kept["features"][0]["properties"], json!({"zone": "101"}));
        assert_eq!(
            kept["features"][0]["geometry"]["coordinates"],
            json!([[[4.0, 52.0], [5.0, 52.0], [5.0, 53.0], [4.0, 52.0]]])
        );
        assert_eq!(kept["features"][1]["geometry"]["type"], "MultiPolygon");
        assert_eq!(Outlines::default().text(), r#"{"features":[],"type":"FeatureCollection"}"#);
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let ring = json!([[4, 52], [5, 52], [5, 53], [4, 52]]);
        let good = feature(&json!("101"), "Polygon", &json!([ring]));
        for (features, says) in [
            (json!([]), "no feature"),
            (json!([good, good]), "feature 2: the zone 101 is there twice"),
            (json!([good, feature(&json!(""), "Polygon", &json!([ring]))]), "feature 2: its zone"),
            (json!([feature(&Value::Null, "Polygon", &json!([ring]))]), "feature 1: its zone"),
            (json!([{"properties": {}, "geometry": good["geometry"]}]), "missing field `zone`"),
            (json!([feature(&json!("1"), "Point", &json!([4, 52]))]), "unknown variant `Point`"),
            (
                json!([feature(&json!("1"), "Polygon", &json!([[[4, 52], [5, 52], [4, 52]]]))]),
                "zone 1: a ring",
            ),
            (
                json!([feature(&json!("1"), "Polygon", &json!([[[4, 52], [5, 52], [5, 53], [4, 51]]]))]),
                "zone 1: a ring",
            ),
            (
                json!([feature(&json!("1"), "Polygon", &json!([[[4, 92], [5, 52], [5, 53], [4, 92]]]))]),
                "zone 1: a position",
            ),
            (
                json!([feature(&json!("1"), "Polygon", &json!([[[4], [5, 52], [5, 53], [4]]]))]),
                "zone 1: a position",
            ),
            (json!([feature(&json!("1"), "Polygon", &json!([[["4", 52]]]))]), "invalid type"),
        ] {
            let said = read(&features).unwrap_err();
            assert!(said.contains(says), "{said}");
        }
        assert!(Outlines::read(b"{\"features\": [").is_err() && Outlines::read(b"[]").is_err());
    }
}
