//! Conclusions of the engine: rows of `derived_events`.

use super::pool::Shared;
use hashbrown::HashMap;

/// What was concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A burst of clicks.
    RageClick,
    /// A session is over.
    SessionEnd,
    /// It had a booking that was begun and not completed.
    BookingAbandon,
    /// It had a form that was begun and not submitted.
    FormAbandon,
}

impl Kind {
    /// The name in `event_type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RageClick => "rage_click",
            Self::SessionEnd => "session_end",
            Self::BookingAbandon => "booking_abandon",
            Self::FormAbandon => "form_abandon",
        }
    }
}

/// One conclusion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// Hash of what it stands for.
    pub id: u128,
    /// What it is.
    pub kind: Kind,
    /// When it began.
    pub timestamp_ms: i64,
    /// When it ended.
    pub ended_at_ms: i64,
    /// Start of the session, where that is part of what it stands for; else the session is looked up by time.
    pub session_start_ms: Option<i64>,
    /// Host and path, parted by a NUL; may be empty.
    pub page: Shared,
    /// May be empty.
    pub element: Shared,
    /// May be empty.
    pub form: Shared,
    /// Clicks of a burst.
    pub count: u32,
    /// The client reported it too.
    pub client_sent: bool,
}

/// Calls `change` for what is in `before` and not in `after` (false), then for what is new or different in `after` (true).
pub fn difference(before: &[Derived], after: &[Derived], mut change: impl FnMut(Derived, bool)) {
    let (old, new) = (by_id(before), by_id(after));
    for gone in before.iter().filter(|old| !new.contains_key(&old.id)) {
        change(gone.clone(), false);
    }
    for come in after.iter().filter(|new| old.get(&new.id) != Some(new)) {
        change(come.clone(), true);
    }
}

fn by_id(conclusions: &[Derived]) -> HashMap<u128, &Derived> {
    conclusions
        .iter()
        .map(|derived| (derived.id, derived))
        .collect()
}
