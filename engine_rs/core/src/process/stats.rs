//! What happened in a batch, in numbers.

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
