//! What an ended session says: that it ended, and what was begun in it and not completed.

use super::derived::{Derived, Kind};
use super::pool::Shared;
use super::timeline::Session;
use crate::event::EventType;
use crate::record;
use std::collections::BTreeMap;

/// Something begun or completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `booking_start`
    BookingStart,
    /// `booking_complete`
    BookingComplete,
    /// `form_focus`
    FormFocus,
    /// `form_submit`
    FormSubmit,
}

impl Step {
    /// The step that an event of this type is.
    pub fn of(event_type: EventType) -> Option<Self> {
        Some(match event_type {
            EventType::BookingStart => Self::BookingStart,
            EventType::BookingComplete => Self::BookingComplete,
            EventType::FormFocus => Self::FormFocus,
            EventType::FormSubmit => Self::FormSubmit,
            _ => return None,
        })
    }
}

/// A step and when and where it was taken.
#[derive(Debug, Clone)]
pub struct Mark {
    /// When.
    pub time_ms: i64,
    /// The event's dedupe key: orders steps of the same millisecond.
    pub key: u128,
    /// What.
    pub step: Step,
    /// Host and path, parted by a NUL.
    pub page: Shared,
    /// Of which form; may be empty.
    pub form: Shared,
}

/// A visitor's steps inside the lateness bound, in order.
#[derive(Debug, Clone, Default)]
pub struct Marks(Vec<Mark>);

impl Marks {
    /// Adds a step.
    pub fn insert(&mut self, mark: Mark) {
        let at = self
            .0
            .partition_point(|other| (other.time_ms, other.key) < (mark.time_ms, mark.key));
        self.0.insert(at, mark);
    }

    /// Forgets what lies before `start_ms`.
    pub fn prune(&mut self, start_ms: i64) {
        self.0.retain(|mark| mark.time_ms >= start_ms);
    }

    /// Forgets the older half.
    pub fn forget_older_half(&mut self) {
        self.0.drain(..self.0.len() / 2);
    }

    /// How many are kept.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Heap bytes held, shared texts not counted.
    pub fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Mark>()
    }

    /// What there is to tell of a session that has ended.
    pub fn conclusions(&self, session: &Session, visitor: u128) -> Vec<Derived> {
        let (booking, forms) = left_open(self.within(session));
        let abandoned = |kind| move |mark| conclusion(kind, session, visitor, Some(mark));
        let mut found = vec![conclusion(Kind::SessionEnd, session, visitor, None)];
        found.extend(booking.map(abandoned(Kind::BookingAbandon)));
        found.extend(forms.into_values().map(abandoned(Kind::FormAbandon)));
        found
    }

    fn within(&self, session: &Session) -> &[Mark] {
        let from = self
            .0
            .partition_point(|mark| mark.time_ms < session.start_ms);
        let to = self
            .0
            .partition_point(|mark| mark.time_ms <= session.end_ms);
        &self.0[from..to]
    }
}

/// Of the booking, and of each form, the first beginning after the last completion, where there is one.
fn left_open(steps: &[Mark]) -> (Option<&Mark>, BTreeMap<&Shared, &Mark>) {
    let mut booking = None;
    let mut forms = BTreeMap::new();
    for mark in steps {
        match mark.step {
            Step::BookingStart => {
                booking.get_or_insert(mark);
            }
            Step::BookingComplete => booking = None,
            Step::FormFocus => {
                forms.entry(&mark.form).or_insert(mark);
            }
            Step::FormSubmit => {
                forms.remove(&mark.form);
            }
        }
    }
    (booking, forms)
}

fn conclusion(kind: Kind, session: &Session, visitor: u128, mark: Option<&Mark>) -> Derived {
    let form = mark.map(|mark| mark.form.clone()).unwrap_or_default();
    let timestamp_ms = mark.map_or(session.start_ms, |mark| mark.time_ms);
    Derived {
        // The table replaces a row by its time and id, so a conclusion of another time is another one.
        id: record::hash128(&[
            kind.name().as_bytes(),
            &visitor.to_le_bytes(),
            &session.start_ms.to_le_bytes(),
            &timestamp_ms.to_le_bytes(),
            &form,
        ]),
        kind,
        timestamp_ms,
        ended_at_ms: session.end_ms,
        session_start_ms: Some(session.start_ms),
        page: mark.map(|mark| mark.page.clone()).unwrap_or_default(),
        element: Shared::default(),
        form,
        count: 0,
        client_sent: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abandoned(steps: &[(i64, Step, &str)]) -> Vec<(Kind, i64)> {
        let mut marks = Marks::default();
        for &(time_ms, step, form) in steps.iter().rev() {
            marks.insert(Mark {
                time_ms,
                key: 0,
                step,
                page: Shared::default(),
                form: Shared::from(form.as_bytes()),
            });
        }
        let session = Session {
            start_ms: 10,
            end_ms: 90,
            campaign: 0,
        };
        let found = marks.conclusions(&session, 1);
        assert_eq!(found[0].kind, Kind::SessionEnd);
        found[1..]
            .iter()
            .map(|derived| (derived.kind, derived.timestamp_ms))
            .collect()
    }

    #[test]
    fn a_booking_without_its_completion_is_abandoned() {
        assert_eq!(
            abandoned(&[(20, Step::BookingStart, "")]),
            [(Kind::BookingAbandon, 20)]
        );
        assert_eq!(
            abandoned(&[
                (20, Step::BookingStart, ""),
                (30, Step::BookingComplete, "")
            ]),
            []
        );
        assert_eq!(
            abandoned(&[
                (20, Step::BookingComplete, ""),
                (30, Step::BookingStart, ""),
                (40, Step::BookingStart, "")
            ]),
            [(Kind::BookingAbandon, 30)]
        );
        assert_eq!(abandoned(&[(95, Step::BookingStart, "")]), []);
    }

    #[test]
    fn a_booking_found_to_have_begun_earlier_takes_its_first_conclusion_back() {
        let session = Session {
            start_ms: 10,
            end_ms: 90,
            campaign: 0,
        };
        let mut marks = Marks::default();
        let mut tell = |time_ms| {
            marks.insert(Mark {
                time_ms,
                key: 0,
                step: Step::BookingStart,
                page: Shared::default(),
                form: Shared::default(),
            });
            marks.conclusions(&session, 1)
        };
        let (before, after) = (tell(30), tell(20));
        let mut told = Vec::new();
        crate::process::derived::difference(&before, &after, |derived, stands| {
            told.push((derived.kind, derived.timestamp_ms, stands));
        });
        assert_eq!(
            told,
            [
                (Kind::BookingAbandon, 30, false),
                (Kind::BookingAbandon, 20, true)
            ]
        );
    }

    #[test]
    fn each_form_stands_for_itself() {
        assert_eq!(
            abandoned(&[
                (20, Step::FormFocus, "a"),
                (25, Step::FormFocus, "b"),
                (30, Step::FormSubmit, "a")
            ]),
            [(Kind::FormAbandon, 25)]
        );
    }
}
