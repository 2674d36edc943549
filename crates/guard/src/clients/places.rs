//! Places by number: reports name their operations by text, and what is counted of each of many runs has numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::client::OTHER;

/// Places that are told apart; what is beyond is counted as [`OTHER`] in its service.
const PLACES_MAX: usize = 100_000;
/// Services that are told apart; what is beyond is counted as [`OTHER`].
const SERVICES_MAX: usize = 10_000;

/// One place that a run may touch: a service and a root operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The service.
    pub service: String,
    /// The root operation.
    pub operation: String,
}

/// All places, each with the number of its index.
#[derive(Debug, Default)]
pub(super) struct Places {
    services: BTreeMap<String, BTreeMap<String, usize>>,
    all: Vec<Arc<Place>>,
}

/// Those of one service.
#[derive(Debug)]
pub(super) struct PlacesOfService<'p> {
    service: &'p str,
    numbers: &'p mut BTreeMap<String, usize>,
    all: &'p mut Vec<Arc<Place>>,
}

impl Places {
    pub(super) fn of<'p>(&'p mut self, service: &'p str) -> PlacesOfService<'p> {
        let is_full = self.services.len() >= SERVICES_MAX && !self.services.contains_key(service);
        let service = if is_full { OTHER } else { service };
        PlacesOfService { service, numbers: self.services.entry(service.to_owned()).or_default(), all: &mut self.all }
    }
}

impl PlacesOfService<'_> {
    /// The number of an operation: from now on it has one.
    pub(super) fn number(&mut self, operation: &str) -> usize {
        if let Some(number) = self.numbers.get(operation) {
            return *number;
        }
        if self.all.len() >= PLACES_MAX && operation != OTHER {
            return self.number(OTHER);
        }
        let number = self.all.len();
        self.numbers.insert(operation.to_owned(), number);
        self.all.push(Arc::new(Place { service: self.service.to_owned(), operation: operation.to_owned() }));
        number
    }

    /// The place of a number.
    pub(super) fn place(&self, number: usize) -> Option<Arc<Place>> {
        self.all.get(number).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_keeps_its_number() {
        let mut places = Places::default();
        let numbers = [("shop", "GET /"), ("till", "GET /"), ("shop", "GET /a"), ("shop", "GET /")];
        assert_eq!(numbers.map(|(service, operation)| places.of(service).number(operation)), [0, 1, 2, 0]);
        assert_eq!(places.of("till").place(1).map(|place| place.service.clone()), Some("till".to_owned()));
    }

    #[test]
    fn places_are_bounded() {
        let mut places = Places::default();
        let mut shop = places.of("shop");
        (0..PLACES_MAX).for_each(|number| assert_eq!(shop.number(&number.to_string()), number));
        assert_eq!([shop.number("one"), shop.number("two"), shop.number("7")], [PLACES_MAX, PLACES_MAX, 7]);
        assert_eq!(shop.place(PLACES_MAX).map(|place| place.operation.clone()), Some(OTHER.to_owned()));
    }

    #[test]
    fn services_are_bounded() {
        let mut places = Places::default();
        (0..SERVICES_MAX).for_each(|number| assert_eq!(places.of(&number.to_string()).number("GET /"), number));
        let other = ["shop", "till", "7"].map(|service| places.of(service).number("GET /"));
        assert_eq!(other, [SERVICES_MAX, SERVICES_MAX, 7]);
        assert_eq!(places.of("shop").place(SERVICES_MAX).map(|place| place.service.clone()), Some(OTHER.to_owned()));
    }
}
