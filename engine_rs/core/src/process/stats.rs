//! What happened in a batch, in numbers.

use std::ops::AddAssign;

/// Counts of what happened in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Stats {
    pub events: u64,
    pub duplicates: u64,
    pub collisions: u64,
    pub late: u64,
    pub rejected: u64,
    pub violations: u64,
    pub unreadable: u64,
    pub session_changes: u64,
    pub derived: u64,
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        let Self {
            events,
            duplicates,
            collisions,
            late,
            rejected,
            violations,
            unreadable,
            session_changes,
            derived,
        } = other;
        self.events += events;
        self.duplicates += duplicates;
        self.collisions += collisions;
        self.late += late;
        self.rejected += rejected;
        self.violations += violations;
        self.unreadable += unreadable;
        self.session_changes += session_changes;
        self.derived += derived;
    }
}

impl Stats {
    /// The counts by name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 9] {
        [
            ("events", self.events),
            ("duplicates", self.duplicates),
            ("collisions", self.collisions),
            ("late", self.late),
            ("rejected", self.rejected),
            ("violations", self.violations),
            ("unreadable", self.unreadable),
            ("session_changes", self.session_changes),
            ("derived", self.derived),
        ]
    }
}
