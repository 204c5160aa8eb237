//! What is special to histories.

mod api;
mod bucket;
mod clones;
mod demo;
mod joined;
mod numbers;
mod odd;
mod people;
mod proof;
mod removed;
mod service;
mod troubles;
mod words;
mod world;
