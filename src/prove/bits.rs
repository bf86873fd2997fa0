//! Sets of small numbers, ordered by inclusion.

/// A set of positions below a fixed size.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// The empty set over `size` positions.
    pub(crate) fn none(size: usize) -> Self {
        Self(vec![0; size.div_ceil(64)])
    }

    /// All of `size` positions.
    pub(crate) fn all(size: usize) -> Self {
        let mut bits = Self::none(size);
        (0..size).for_each(|i| bits.insert(i));
        bits
    }

    pub(crate) fn insert(&mut self, i: usize) {
        if let Some(word) = self.0.get_mut(i / 64) {
            *word |= 1 << (i % 64);
        }
    }

    pub(crate) fn contains(&self, i: usize) -> bool {
        self.0.get(i / 64).is_some_and(|word| word >> (i % 64) & 1 == 1)
    }

    /// Whether everything in here is also in `other`.
    pub(crate) fn within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, other)| own & !other == 0)
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        self.combine(other, |own, other| own & !other)
    }

    pub(crate) fn or(&self, other: &Self) -> Self {
        self.combine(other, |own, other| own | other)
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        self.combine(other, |own, other| own & other)
    }

    fn combine(&self, other: &Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(own, other)| with(*own, *other)).collect())
    }

    /// The members in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0
            .iter()
            .enumerate()
            .flat_map(|(i, word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| i * 64 + bit))
    }
}

/// Keeps only items whose set no other item's set includes; of equal ones the first.
pub(crate) fn keep_maximal<T>(items: Vec<T>, set: impl Fn(&T) -> &Bits) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for item in items {
        if !kept.iter().any(|other| set(&item).within(set(other))) {
            kept.retain(|other| !set(other).within(set(&item)));
            kept.push(item);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_any_size() {
        let of = |members: &[usize]| {
            let mut bits = Bits::none(200);
            members.iter().for_each(|member| bits.insert(*member));
            bits
        };
        let (one, other) = (of(&[0, 63, 64, 130]), of(&[63, 64, 199]));
        assert_eq!(one.iter().collect::<Vec<_>>(), [0, 63, 64, 130]);
        assert_eq!(one.or(&other), of(&[0, 63, 64, 130, 199]));
        assert_eq!(one.and(&other), of(&[63, 64]));
        assert_eq!(one.minus(&other), of(&[0, 130]));
        assert!(of(&[64]).within(&one) && !other.within(&one) && of(&[]).within(&of(&[])) && !one.within(&of(&[])));
        assert!(one.contains(130) && !one.contains(131) && !one.contains(1_000));
        assert_eq!(Bits::all(70).iter().count(), 70);
    }
}
