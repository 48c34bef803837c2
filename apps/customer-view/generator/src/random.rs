//! Randomness that follows from a seed.

/// SplitMix64: small, fast, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of its own for a part of the whole, whatever else was drawn.
    #[must_use]
    pub fn of(seed: u64, part: u64, of_part: u64) -> Self {
        let mut random = Self(seed ^ part.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mixed = random.draw() ^ of_part.wrapping_mul(0xD1B5_4A32_D192_ED03);
        Self(mixed)
    }

    /// 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Less than `end`, which is not 0.
    pub fn below(&mut self, end: u32) -> u32 {
        let product = (self.draw() >> 32) * u64::from(end);
        u32::try_from(product >> 32).expect("32 bits less 32 bits of 64")
    }

    /// From `low` to `high`, both among them.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// True so many times of a thousand.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let count = u32::try_from(of.len()).expect("lists are short");
        &of[self.below(count) as usize]
    }

    /// One of them, the first ones more often: as names are spread.
    pub fn pick_early<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let count = u32::try_from(of.len()).expect("lists are short");
        let at = self.below(count).min(self.below(count));
        &of[at as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_fate() {
        let draw = |seed| {
            (0..4)
                .map(|part| Random::of(seed, part, 0).draw())
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let mut random = Random::new(7);
        let hits = (0..10_000).filter(|_| random.chance(250)).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
        assert!((0..1_000).all(|_| (3..=5).contains(&random.between(3, 5))));
    }
}
