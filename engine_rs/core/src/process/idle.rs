//! Who may have become idle: visitors by the second in which to look at them.

use super::rules::Rules;
use super::visitor::Visitor;
use std::collections::BTreeMap;

/// A queue of visitors by due time. An entry is a reason to look, not a verdict: who was active since is queued again.
#[derive(Debug, Default)]
pub struct IdleQueue(BTreeMap<i64, Vec<u128>>);

impl IdleQueue {
    /// Look at `visitor` when they are due next; entries of before are out of date with that.
    pub fn push(&mut self, visitor: &mut Visitor, rules: &Rules) {
        visitor.due_ms = visitor.next_due_ms(rules);
        self.at(visitor.due_ms, visitor.key);
    }

    fn at(&mut self, due_ms: i64, visitor: u128) {
        self.0
            .entry(second_after(due_ms))
            .or_default()
            .push(visitor);
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        let seconds = self.0.len() * size_of::<(i64, Vec<u128>)>();
        let entries: usize = self.0.values().map(Vec::capacity).sum();
        seconds + entries * size_of::<u128>()
    }

    /// Takes the visitors that are due, sorted, so that what follows does not depend on how they were queued.
    pub fn take_due(&mut self, now_ms: i64) -> Vec<u128> {
        let later = self.0.split_off(&(now_ms.div_euclid(1000) + 1));
        let due = std::mem::replace(&mut self.0, later);
        let mut visitors: Vec<_> = due.into_values().flatten().collect();
        visitors.sort_unstable();
        visitors.dedup();
        visitors
    }
}

fn second_after(ms: i64) -> i64 {
    -(-ms).div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitors_come_when_due_and_not_before() {
        let mut queue = IdleQueue::default();
        queue.at(1500, 9);
        queue.at(1001, 3);
        queue.at(2001, 4);
        assert!(queue.take_due(1999).is_empty());
        assert_eq!(queue.take_due(2000), [3, 9]);
        assert_eq!(queue.take_due(9000), [4]);
        assert!(queue.take_due(9000).is_empty());
    }
}
