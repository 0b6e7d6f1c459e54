//! What was made of the last texts of a kind: requests say the same things again and again.

use crate::text;

/// Longer texts are made anew each time, so that memory stays bounded.
const LONGEST: usize = 1024;

/// Values by two texts. Each pair has one place of `PLACES`; another pair that falls on it takes it over.
#[derive(Debug)]
pub(super) struct Memo<V, const PLACES: usize> {
    entries: Vec<Option<Entry<V>>>,
    /// What did not fit.
    last: Option<V>,
}

#[derive(Debug)]
struct Entry<V> {
    texts: [Box<[u8]>; 2],
    value: V,
}

impl<V, const PLACES: usize> Default for Memo<V, PLACES> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            last: None,
        }
    }
}

impl<V, const PLACES: usize> Memo<V, PLACES> {
    /// The value of `texts`, made by `make` where it is not remembered.
    #[inline]
    pub fn get(&mut self, texts: [&[u8]; 2], make: impl FnOnce() -> V) -> &V {
        if texts[0].len() + texts[1].len() > LONGEST {
            return self.last.insert(make());
        }
        if self.entries.is_empty() {
            self.entries.resize_with(PLACES, || None);
        }
        let place = text::hash(texts[1], text::hash(texts[0], 0)) as usize % PLACES;
        let entry = &mut self.entries[place];
        let is_known =
            |entry: &Entry<V>| *entry.texts[0] == *texts[0] && *entry.texts[1] == *texts[1];
        if !entry.as_ref().is_some_and(is_known) {
            *entry = None;
        }
        &entry
            .get_or_insert_with(|| Entry {
                texts: texts.map(Box::from),
                value: make(),
            })
            .value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_until_its_place_is_taken() {
        let mut memo = Memo::<_, 1>::default();
        assert_eq!(*memo.get([b"a", b"b"], || 1), 1);
        assert_eq!(*memo.get([b"a", b"b"], || 2), 1);
        assert_eq!(*memo.get([b"ab", b""], || 3), 3);
        assert_eq!(*memo.get([b"a", b"b"], || 4), 4);
    }

    #[test]
    fn long_texts_are_not_kept() {
        let (long, mut memo) = (vec![b'x'; LONGEST + 1], Memo::<_, 4>::default());
        assert_eq!(*memo.get([&long, b""], || 1), 1);
        assert_eq!(*memo.get([&long, b""], || 2), 2);
    }
}
