//! Who may have become idle: visitors by the second in which to look at them.

use super::rules::Rules;
use super::visitor::Visitor;
use std::collections::BTreeMap;

/// A queue of visitors by due time. An entry is a reason to look, not a verdict: who was active since is queued again.
#[derive(Debug, Default)]
pub struct IdleQueue(BTreeMap<u32, Vec<u128>>);

impl IdleQueue {
    /// Look at `visitor` when they are due next; entries of before are out of date with that.
    pub fn push(&mut self, visitor: &mut Visitor, rules: &Rules) {
        visitor.due_s = visitor.next_due_s(rules);
        self.at(visitor.due_s, visitor.key);
    }

    fn at(&mut self, due_s: u32, visitor: u128) {
        self.0.entry(due_s).or_default().push(visitor);
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        let seconds = self.0.len() * size_of::<(u32, Vec<u128>)>();
        let entries: usize = self.0.values().map(Vec::capacity).sum();
        seconds + entries * size_of::<u128>()
    }

    /// Takes the visitors that are due, sorted, so that what follows does not depend on how they were queued.
    pub fn take_due(&mut self, now_ms: i64) -> Vec<u128> {
        let later_s = now_ms.div_euclid(1000) + 1;
        let later_s = u32::try_from(later_s.max(0)).unwrap_or(u32::MAX);
        let later = self.0.split_off(&later_s);
        let due = std::mem::replace(&mut self.0, later);
        let mut visitors: Vec<_> = due.into_values().flatten().collect();
        visitors.sort_unstable();
        visitors.dedup();
        visitors
    }
}

/// The first second that begins at `ms` or later, counted from 1970; at least 1.
pub fn second_after(ms: i64) -> u32 {
    let second = -(-ms).div_euclid(1000);
    u32::try_from(second.max(1)).unwrap_or(u32::MAX)
}

/// Whether the second `due_s` has begun.
pub fn is_due(due_s: u32, now_ms: i64) -> bool {
    i64::from(due_s) * 1000 <= now_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitors_come_when_due_and_not_before() {
        let mut queue = IdleQueue::default();
        queue.at(second_after(1500), 9);
        queue.at(second_after(1001), 3);
        queue.at(second_after(2001), 4);
        assert!(queue.take_due(1999).is_empty());
        assert_eq!(queue.take_due(2000), [3, 9]);
        assert_eq!(queue.take_due(9000), [4]);
        assert!(queue.take_due(9000).is_empty());
    }
}
