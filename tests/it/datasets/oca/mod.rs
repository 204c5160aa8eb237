//! The court extract: its rules, its feed, its golden files, and the access levels.

mod bad_input;
mod city;
mod derived;
mod geocode;
mod geometry;
mod golden;
mod histories;
mod level2;
mod lookup;
mod pad;
mod reference;
pub mod rules;
mod values;
mod ways;
mod writers;
