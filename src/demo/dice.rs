//! The chance in the embedded target: a seed gives the same sequence on every run.

use std::sync::atomic::{AtomicU64, Ordering};

/// Random numbers that do not depend on which thread asks: the n-th roll is a hash of the seed and n (`SplitMix64`,
/// Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
#[derive(Debug)]
pub struct Dice {
    seed: u64,
    rolls: AtomicU64,
}

impl Dice {
    /// Dice that have not been rolled.
    pub fn new(seed: u64) -> Dice {
        Dice {
            seed,
            rolls: AtomicU64::new(0),
        }
    }

    /// Evenly from 0 up to, but not including, 1.
    pub fn roll(&self) -> f64 {
        let roll = self.rolls.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let mut z = self.seed.wrapping_add(roll.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_rolls_the_same() {
        let rolls = |seed| {
            let dice = Dice::new(seed);
            (0..100).map(|_| dice.roll().to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
    }

    #[test]
    fn rolls_are_even() {
        let dice = Dice::new(1);
        let rolls: Vec<f64> = (0..10_000).map(|_| dice.roll()).collect();
        assert!(rolls.iter().all(|roll| (0.0..1.0).contains(roll)));
        for tenth in 0..10 {
            let low = f64::from(tenth) / 10.0;
            let hits = rolls
                .iter()
                .filter(|roll| (low..low + 0.1).contains(roll))
                .count();
            // 1000 are expected, with a standard deviation of 30.
            assert!((850..1150).contains(&hits), "{hits} in the tenth from {low}");
        }
    }
}
