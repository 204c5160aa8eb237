//! Shares the records out to years, sources and places, and makes the lines of a sector.

use std::sync::mpsc::SyncSender;

use super::super::bulk::{SECTORS, add_blanks, add_header};
use super::catalogue::{self, Asker, SeriesItem, Telling};
use super::details::{self, SeriesDetail};
use super::places::{self, PlaceOf, StatPlace};
use super::values::{Dice, add_cv, add_value, code, mixed};
use super::year::SampleYear;
use super::{CHUNK_BYTES, RecordsSample, RecordsSampleError};

/// The sources, as the files name them.
const SOURCES: [&str; 2] = ["CENSUS", "SURVEY"];
const IS_CENSUS: usize = 0;

/// The places of a series and of one of its details.
type Pair = (u16, u16);

/// The pairs that a place can have. The first `first` of them are those that most places have.
#[derive(Default)]
struct Choice {
    pairs: Vec<Pair>,
    first: usize,
}

/// Everything from which the lines are made.
pub(super) struct Maker<'a> {
    options: &'a RecordsSample,
    items: Vec<SeriesItem>,
    /// The first fields of each series, by source.
    heads: [Vec<String>; 2],
    /// Details by source, kind of report and size of place; see [`Maker::details_of`].
    census: Vec<SeriesDetail>,
    survey: Vec<[Vec<SeriesDetail>; 2]>,
    /// By sector, source and size of place.
    choices: Vec<[[Choice; 2]; 2]>,
    places: Vec<StatPlace>,
    /// By sector and source, the places that can have records.
    told: Vec<[Vec<u32>; 2]>,
    /// The sums of the weights of all sectors before each sector, and the sum of all.
    weights: Vec<u128>,
}

const TELLINGS: [Telling; 6] = [
    Telling::Forecast,
    Telling::Yearly,
    Telling::Weekly,
    Telling::Monthly,
    Telling::Stock,
    Telling::Chemical,
];

/// How many quarters of a place's records are taken from the first pairs, and how many records at most.
const FIRST_QUARTERS: u64 = 3;
const FIRST_MOST: u64 = 400;

/// The records of a sector, year, source and place.
struct Share {
    year: i16,
    source: usize,
    place: usize,
    records: u64,
}

impl<'a> Maker<'a> {
    pub(super) fn new(options: &'a RecordsSample) -> Result<Self, RecordsSampleError> {
        let refuse = |why: String| Err(RecordsSampleError::Options(why));
        let (first, last) = options.years;
        if first > last || first < 1850 || last > 2100 {
            return refuse(format!("the years go from 1850 to 2100, and not from {first} to {last}"));
        }
        let items = catalogue::series();
        let heads = SOURCES.map(|source| items.iter().map(|item| item.fields(source)).collect());
        let survey = TELLINGS
            .iter()
            .map(|telling| [true, false].map(|is_small| details::of_survey(*telling, is_small)));
        let mut maker = Self {
            options,
            heads,
            census: details::of_census(),
            survey: survey.collect(),
            choices: Vec::new(),
            places: places::places(),
            told: Vec::new(),
            weights: vec![0],
            items,
        };
        maker.choices = SECTORS.iter().map(|(sector, _)| maker.choices_of(sector)).collect();
        maker.told =
            (0..SECTORS.len()).map(|sector| [0, 1].map(|source| maker.places_of(sector, source))).collect();
        for sector in 0..SECTORS.len() {
            let sum = maker.weight_of(sector) + maker.weights[sector];
            maker.weights.push(sum);
        }
        let room: u64 =
            (0..SECTORS.len()).flat_map(|sector| maker.shares(sector)).map(|share| share.records).sum();
        match room.cmp(&options.records) {
            std::cmp::Ordering::Less => refuse(format!(
                "{} records are more than these years have room for; {room} are not",
                options.records
            )),
            _ => Ok(maker),
        }
    }

    fn choices_of(&self, sector: &str) -> [[Choice; 2]; 2] {
        [0, 1].map(|source| [true, false].map(|is_small| self.choice(sector, source, is_small)))
    }

    /// The pairs that a place can have in a sector.
    fn choice(&self, sector: &str, source: usize, is_small: bool) -> Choice {
        let is_told = |item: &SeriesItem| match item.asker {
            Asker::Both => true,
            Asker::Census => source == IS_CENSUS,
            Asker::Survey => source != IS_CENSUS,
        };
        let told: Vec<_> = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.sector == sector && is_told(item))
            .collect();
        let Some((_, lead)) = told.get(1) else { return Choice::default() };
        let rank = |item: &SeriesItem, detail: usize| match detail {
            0 if item.is_headline => 0,
            // A forecast belongs to the final figure.
            _ if item.is_headline && source != IS_CENSUS && !is_small => 0,
            _ if item.commodity == lead.commodity && item.statistic == lead.statistic => 1,
            _ => 2,
        };
        let mut ranked = Vec::new();
        for (at, item) in told {
            for detail in 0..self.details_of(item, source, is_small).len() {
                ranked.push((rank(item, detail), (at as u16, detail as u16)));
            }
        }
        // A stable sort: within a rank the order of the catalogue is kept.
        ranked.sort_by_key(|(rank, _)| *rank);
        let first = ranked.iter().filter(|(rank, _)| *rank < 2).count();
        Choice { pairs: ranked.into_iter().map(|(_, pair)| pair).collect(), first }
    }

    fn details_of(&self, item: &SeriesItem, source: usize, is_small: bool) -> &[SeriesDetail] {
        if source == IS_CENSUS {
            return &self.census;
        }
        let at = TELLINGS.iter().position(|telling| *telling == item.telling).expect("all are listed");
        &self.survey[at][usize::from(!is_small)]
    }

    fn choice_of(&self, sector: usize, source: usize, place: &StatPlace) -> &Choice {
        &self.choices[sector][source][usize::from(!place.is_small)]
    }

    fn places_of(&self, sector: usize, source: usize) -> Vec<u32> {
        let is_told = |place: &StatPlace| match place.of {
            None => true,
            Some(PlaceOf::Census) => source == IS_CENSUS,
            Some(PlaceOf::Survey) => source != IS_CENSUS,
        };
        let has =
            |place: &StatPlace| is_told(place) && !self.choice_of(sector, source, place).pairs.is_empty();
        (0..).zip(&self.places).filter(|(_, place)| has(place)).map(|(at, _)| at).collect()
    }

    /// The years and sources with records, and their weights in a sector.
    fn sources(&self, sector: usize) -> impl Iterator<Item = (i16, usize, u64)> + use<> {
        const OF_SECTORS: [u64; SECTORS.len()] = [20, 46, 8, 22, 4];
        let (first, last) = self.options.years;
        (first..=last).flat_map(move |year| {
            let is_census = year % 5 == 2 && year > 1996;
            let of_survey = 150 + 5 * u64::from((year - 2000).clamp(0, 40).unsigned_abs());
            let census = is_census.then_some((year, IS_CENSUS, 1_000 * OF_SECTORS[sector]));
            census.into_iter().chain([(year, 1 - IS_CENSUS, of_survey * OF_SECTORS[sector])])
        })
    }

    fn weight_of(&self, sector: usize) -> u128 {
        let of_places = |source: usize| -> u64 {
            self.told[sector][source].iter().map(|place| self.places[*place as usize].weight).sum()
        };
        let of_places = [0, 1].map(of_places).map(u128::from);
        self.sources(sector).map(|(_, source, weight)| u128::from(weight) * of_places[source]).sum()
    }

    /// The shares of a sector, in order. Records that do not fit into one share go to the next.
    fn shares(&self, sector: usize) -> impl Iterator<Item = Share> + use<'_> {
        let (records, all) = (u128::from(self.options.records), self.weights[SECTORS.len()].max(1));
        let (mut weight, mut due) = (self.weights[sector], 0);
        let mut before = records * weight / all;
        let places = self.sources(sector).flat_map(move |(year, source, of_source)| {
            self.told[sector][source].iter().map(move |place| (year, source, of_source, *place as usize))
        });
        places.map(move |(year, source, of_source, place)| {
            let of_place = &self.places[place];
            weight += u128::from(of_source) * u128::from(of_place.weight);
            let until = records * weight / all;
            due += (until - before) as u64;
            before = until;
            let records = due.min(self.choice_of(sector, source, of_place).pairs.len() as u64);
            due -= records;
            Share { year, source, place, records }
        })
    }

    /// Makes the lines of a sector; returns the number of its records.
    pub(super) fn make(&self, sector: usize, chunks: &SyncSender<Vec<u8>>) -> u64 {
        let mut out = Vec::with_capacity(CHUNK_BYTES * 5 / 4);
        add_header(&mut out);
        let mut records = 0;
        let mut year = SampleYear::default();
        for share in self.shares(sector) {
            if year.number != share.year {
                year = SampleYear::new(share.year, self.options.revision);
            }
            self.add(&mut out, sector, &share, &year);
            records += share.records;
            if out.len() >= CHUNK_BYTES {
                let chunk = std::mem::replace(&mut out, Vec::with_capacity(CHUNK_BYTES * 5 / 4));
                if chunks.send(chunk).is_err() {
                    // The packing thread has ended; its own error says why.
                    return records;
                }
            }
        }
        // If this fails, the packing thread has ended, as above.
        let _ = chunks.send(out);
        records
    }

    /// Adds the records of a share: some of the first pairs, and an even selection of the others.
    fn add(&self, out: &mut Vec<u8>, sector: usize, share: &Share, year: &SampleYear) {
        let place = &self.places[share.place];
        let choice = self.choice_of(sector, share.source, place);
        let others = (choice.pairs.len() - choice.first) as u64;
        let least = share.records.saturating_sub(others);
        let wanted = (share.records * FIRST_QUARTERS).div_ceil(4).min(FIRST_MOST).max(least);
        let first = wanted.min(choice.first as u64);
        let rest = share.records - first;
        let turned = mixed(&[self.options.seed, share.year.unsigned_abs().into(), share.place as u64]);
        let others_at = |nth: u64| {
            let at = (u128::from(nth) * u128::from(others) / u128::from(rest)) as u64;
            choice.first + ((at + turned % others) % others) as usize
        };
        for at in (0..first as usize).chain((0..rest).map(others_at)) {
            self.add_line(out, share, choice.pairs[at], year);
        }
    }

    fn add_line(&self, out: &mut Vec<u8>, share: &Share, (item, detail): Pair, year: &SampleYear) {
        let place = &self.places[share.place];
        let series = &self.items[usize::from(item)];
        let details = self.details_of(series, share.source, place.is_small);
        let detail_number = detail;
        let detail = &details[usize::from(detail)];
        let is_census = share.source == IS_CENSUS;
        let week_ending = year.weeks.get(usize::from(detail.week)).map_or("", String::as_str);
        let record = [
            self.options.seed,
            share.source as u64,
            share.place as u64,
            share.year.unsigned_abs().into(),
            u64::from(item) << 16 | u64::from(detail_number),
        ];
        let record = mixed(&record);
        let revised =
            (1..=self.options.revision).rev().find(|at| mixed(&[record, (*at).into()]).is_multiple_of(50));
        let load_time = match revised {
            None => &year.loaded[share.source][usize::from(record.to_le_bytes()[0]) % 4],
            Some(at) => &year.revised[usize::from(at) - 1],
        };
        for field in [
            &self.heads[share.source][usize::from(item)],
            &detail.domain,
            &place.fields,
            &year.text,
            &detail.time,
            week_ending,
            load_time,
        ] {
            out.extend_from_slice(field.as_bytes());
            out.push(b'\t');
        }
        // A suppressed value stays suppressed in all revisions.
        let suppressed = code(place, is_census, &mut Dice::new(&[record]));
        let mut dice = Dice::new(&[record, revised.unwrap_or(0).into()]);
        match suppressed {
            Some(code) => {
                add_blanks(out, code);
                out.extend_from_slice(code.as_bytes());
            }
            None => add_value(out, series, place, share.year, &mut dice),
        }
        out.push(b'\t');
        add_cv(out, suppressed, is_census, &mut dice);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests;
