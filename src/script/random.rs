//! Where `Math.random` draws from: by chance, or from a seed.
//!
//! `randomSeed(n)` gives the numbers that it gives in k6, so that a script with a seed picks the same users, pages and
//! branches here: k6 draws from the generator of Go's `math/rand`, an additive lagged Fibonacci generator. Its start is
//! a table of 607 numbers, defined as the state of the same generator after 7.8 million million steps from
//! seed 1. The table is not kept here but computed when a script first asks: a step is linear, so many steps are one power
//! of a polynomial.

use std::sync::OnceLock;

/// Draws numbers for one virtual user.
#[derive(Debug)]
pub enum Draw {
    /// Seeded by chance.
    Chance(fastrand::Rng),
    /// Seeded by the script.
    Seeded(Box<Lagged>),
}

impl Draw {
    /// From a seed that chance gives.
    pub fn by_chance() -> Draw {
        Draw::Chance(fastrand::Rng::new())
    }

    /// From a script's seed.
    pub fn seeded(seed: f64) -> Draw {
        Draw::Seeded(Box::new(Lagged::new(seed as i64)))
    }

    /// From 0 to 1, without 1.
    pub fn f64(&mut self) -> f64 {
        match self {
            Draw::Chance(random) => random.f64(),
            Draw::Seeded(random) => random.f64(),
        }
    }

    /// The bits of a random UUID. With a seed, a digit is a number drawn.
    pub fn uuid(&mut self) -> u128 {
        /// Always 4: it is not drawn.
        const VERSION: u32 = 12;
        match self {
            Draw::Chance(random) => random.u128(..),
            Draw::Seeded(random) => (0..32).fold(0, |bits, place| {
                let digit = if place == VERSION {
                    4
                } else {
                    (random.f64() * 16.0) as u128
                };
                (bits << 4) | digit
            }),
        }
    }
}

/// How many numbers back the two that are added lie.
const LONG: usize = 607;
const SHORT: usize = 273;
/// The modulus of the generator that fills tables.
const PRIME: i64 = (1 << 31) - 1;
/// The steps that the table was given before it was written down.
const STEPS: u64 = 7_800_000_000_000;

/// Each number is the sum of the one 607 and the one 273 numbers back.
pub struct Lagged {
    table: [u64; LONG],
    tap: usize,
    feed: usize,
}

impl std::fmt::Debug for Lagged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lagged").finish_non_exhaustive()
    }
}

impl Lagged {
    fn new(seed: i64) -> Lagged {
        static START: OnceLock<Box<[u64; LONG]>> = OnceLock::new();
        let start = START.get_or_init(|| Box::new(start()));
        let mut table = filled(seed, 40, 20);
        for (number, start) in table.iter_mut().zip(start.iter()) {
            *number ^= start;
        }
        Lagged {
            table,
            tap: 0,
            feed: LONG - SHORT,
        }
    }

    fn next(&mut self) -> u64 {
        let back = |place: usize| place.checked_sub(1).unwrap_or(LONG - 1);
        (self.tap, self.feed) = (back(self.tap), back(self.feed));
        let sum = self.table[self.feed].wrapping_add(self.table[self.tap]);
        self.table[self.feed] = sum;
        sum
    }

    fn f64(&mut self) -> f64 {
        loop {
            let drawn = (self.next() & (u64::MAX >> 1)) as f64 / (1_u64 << 63) as f64;
            // Rounding can make it 1.
            if drawn < 1.0 {
                return drawn;
            }
        }
    }
}

/// A table of numbers that follow from a seed, three steps of a small generator for each.
fn filled(seed: i64, first: u32, second: u32) -> [u64; LONG] {
    let mut x = match seed.rem_euclid(PRIME) {
        0 => 89_482_311,
        seed => seed,
    };
    let mut step = || {
        x = x * 48_271 % PRIME;
        x as u64
    };
    for _ in 0..20 {
        step();
    }
    let mut table = [0; LONG];
    for number in &mut table {
        *number = (step() << first) ^ (step() << second) ^ step();
    }
    table
}

/// The table as it is after all those steps.
fn start() -> [u64; LONG] {
    // Where in the table a number is that was drawn at a time, counted from the oldest of the first table.
    let place = |time: u64| (940 + LONG - (time % LONG as u64) as usize) % LONG;
    let table = filled(1, 20, 10);
    let mut numbers: Vec<u64> = (0..LONG as u64).map(|time| table[place(time)]).collect();
    for k in LONG..2 * LONG {
        numbers.push(numbers[k - LONG].wrapping_add(numbers[k - SHORT]));
    }
    // A number is a sum of the first 607, and which sum it is moves on with it.
    let shares = power(STEPS);
    let mut start = [0; LONG];
    for shift in 0..LONG {
        let terms = shares.iter().zip(&numbers[shift..]);
        let sum = terms.fold(0_u64, |sum, (share, number)| {
            sum.wrapping_add(share.wrapping_mul(*number))
        });
        start[place(STEPS + shift as u64)] = sum;
    }
    start
}

/// x to the power of `exponent`, modulo x^607 - x^334 - 1.
fn power(mut exponent: u64) -> Vec<u64> {
    let mut result = vec![0; LONG];
    result[0] = 1;
    let mut square = vec![0; LONG];
    square[1] = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = product(&result, &square);
        }
        exponent >>= 1;
        if exponent > 0 {
            square = product(&square, &square);
        }
    }
    result
}

fn product(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut product = vec![0_u64; 2 * LONG - 1];
    for (k, a) in a.iter().enumerate().filter(|(_, a)| **a != 0) {
        for (term, b) in product[k..].iter_mut().zip(b) {
            *term = term.wrapping_add(a.wrapping_mul(*b));
        }
    }
    for k in (LONG..product.len()).rev() {
        let term = product[k];
        for lower in [k - LONG, k - SHORT] {
            product[lower] = product[lower].wrapping_add(term);
        }
    }
    product.truncate(LONG);
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_numbers_that_are_known_of_it() {
        let mut of_one = Draw::seeded(1.0);
        let drawn: Vec<String> = (0..3).map(|_| of_one.f64().to_string()).collect();
        assert_eq!(
            drawn,
            ["0.6046602879796196", "0.9405090880450124", "0.6645600532184904"]
        );
        let first = |seed: f64| Draw::seeded(seed).f64().to_string();
        assert_eq!(first(12_345.0), "0.8487305991992138");
        assert_eq!(first(f64::NAN), first(0.0));
        assert_ne!(first(-7.9), first(7.9));
    }

    #[test]
    fn a_seeded_uuid_takes_a_number_a_digit() {
        let (mut random, mut digits) = (Draw::seeded(5.0), Draw::seeded(5.0));
        let first = (digits.f64() * 16.0) as u128;
        let bits = random.uuid();
        assert_eq!((bits >> 124, (bits >> 76) & 0xf), (first, 4));
        for _ in 1..31 {
            digits.f64();
        }
        assert_eq!(random.f64().to_string(), digits.f64().to_string());
    }
}
