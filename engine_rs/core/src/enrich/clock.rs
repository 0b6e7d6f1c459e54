//! Event time by a clock that can be trusted: the client's, corrected by the server's.

/// The times of one event and the rules for them, in milliseconds (since 1970 UTC where they are moments).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When it happened, as the client says.
    pub client_ms: Option<i64>,
    /// When the request was sent, as the client says.
    pub sent_at_ms: Option<i64>,
    /// When the gateway got it.
    pub received_at_ms: i64,
    /// The event is history: its time is taken as it is.
    pub history: bool,
    /// How far `sent_at_ms` may be off before the client's clock counts as wrong.
    pub tolerance_ms: i64,
    /// How far ahead of `received_at_ms` an event may be.
    pub future_limit_ms: i64,
}

/// When an event happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrected {
    /// By the corrected clock.
    pub timestamp_ms: i64,
    /// The client's clock was wrong, and the time has been shifted.
    pub skewed: bool,
}

/// Why an event's time cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// Further ahead than a wrong clock explains.
    #[error(
        "the event lies {ahead_ms} ms in the future; check the client's clock, or send sent_at so that it can be corrected"
    )]
    Future {
        /// Milliseconds after its receipt.
        ahead_ms: i64,
    },
    /// Before 1990, by a wrong clock or unit, or after 2299, which the store does not hold.
    #[error(
        "the event's time is before 1990 or after 2299; is it in milliseconds, and of this century?"
    )]
    OutOfRange,
}

/// 1990-01-01T00:00:00Z: whatever is earlier is a clock or a unit gone wrong.
const EARLIEST_MS: i64 = 631_152_000_000;
/// 2299-12-31T23:59:59.999Z, the end of ClickHouse's DateTime64.
const LATEST_MS: i64 = 10_413_791_999_999;

/// Whether the store can hold the moment, which may be that of a clock gone wrong: ClickHouse's DateTime64 begins with 1900.
#[must_use]
pub fn can_be_stored(ms: i64) -> bool {
    (-2_208_988_800_000..=LATEST_MS).contains(&ms)
}

/// When the event happened, by the rules in ARCHITECTURE.md ("Clock").
///
/// An event without a time happened when it was received. Where `sent_at` is off from the receipt by more than the
/// tolerance, the event is shifted by the difference. A small lead on the receipt is set to it; history keeps its time.
///
/// # Errors
/// [`ClockError::OutOfRange`], [`ClockError::Future`]; history too must not lie in the future.
pub fn correct(times: Times) -> Result<Corrected, ClockError> {
    let received_at_ms = times.received_at_ms;
    let Some(client_ms) = times.client_ms else {
        return Ok(Corrected {
            timestamp_ms: received_at_ms,
            skewed: false,
        });
    };
    let shift = if times.history { 0 } else { skew(&times) };
    let shifted = client_ms.saturating_add(shift);
    if !(EARLIEST_MS..=LATEST_MS).contains(&shifted) {
        return Err(ClockError::OutOfRange);
    }
    let ahead_ms = shifted.saturating_sub(received_at_ms);
    if ahead_ms > times.future_limit_ms {
        return Err(ClockError::Future { ahead_ms });
    }
    Ok(Corrected {
        timestamp_ms: if times.history {
            shifted
        } else {
            shifted.min(received_at_ms)
        },
        skewed: shift != 0,
    })
}

/// What has to be added to the client's clock; 0 where it is right.
fn skew(times: &Times) -> i64 {
    let off = times
        .sent_at_ms
        .map_or(0, |sent_at| times.received_at_ms.saturating_sub(sent_at));
    if off.saturating_abs() > times.tolerance_ms {
        off
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_795_348_800_000;
    const HOUR: i64 = 3_600_000;

    fn times(client_ms: i64, sent_at_ms: Option<i64>) -> Times {
        Times {
            client_ms: Some(client_ms),
            sent_at_ms,
            received_at_ms: NOW,
            history: false,
            tolerance_ms: 10_000,
            future_limit_ms: 24 * HOUR,
        }
    }

    fn taken(timestamp_ms: i64, skewed: bool) -> Result<Corrected, ClockError> {
        Ok(Corrected {
            timestamp_ms,
            skewed,
        })
    }

    #[test]
    fn a_right_clock_is_believed() {
        assert_eq!(correct(times(NOW - HOUR, None)), taken(NOW - HOUR, false));
        assert_eq!(
            correct(times(NOW - HOUR, Some(NOW - 10_000))),
            taken(NOW - HOUR, false)
        );
        let unsaid = Times {
            client_ms: None,
            ..times(0, Some(NOW - HOUR))
        };
        assert_eq!(correct(unsaid), taken(NOW, false));
    }

    #[test]
    fn a_wrong_clock_is_corrected() {
        for off in [HOUR, -HOUR, 30 * 24 * HOUR, 10_001, -10_001, -NOW] {
            let sent = times(NOW + off - 500, Some(NOW + off));
            assert_eq!(correct(sent), taken(NOW - 500, true), "{off}");
        }
    }

    #[test]
    fn small_leads_are_cut_and_large_ones_refused() {
        assert_eq!(correct(times(NOW + 24 * HOUR, None)), taken(NOW, false));
        let ahead_ms = 24 * HOUR + 1;
        assert_eq!(
            correct(times(NOW + ahead_ms, None)),
            Err(ClockError::Future { ahead_ms })
        );
    }

    #[test]
    fn times_that_the_store_cannot_hold_are_refused() {
        assert_eq!(correct(times(EARLIEST_MS, None)), taken(EARLIEST_MS, false));
        for ms in [EARLIEST_MS - 1, LATEST_MS + 1, 0, i64::MIN, i64::MAX] {
            assert_eq!(
                correct(times(ms, None)),
                Err(ClockError::OutOfRange),
                "{ms}"
            );
        }
    }

    #[test]
    fn history_is_taken_as_it_is() {
        let old = Times {
            history: true,
            ..times(1_431_857_103_000, Some(NOW - 9 * HOUR))
        };
        assert_eq!(correct(old), taken(1_431_857_103_000, false));
        let ahead = Times {
            client_ms: Some(NOW + HOUR),
            ..old
        };
        assert_eq!(correct(ahead), taken(NOW + HOUR, false));
    }

    proptest! {
        #[test]
        fn no_times_overflow(client_ms: Option<i64>, sent_at_ms: Option<i64>, received_at_ms: i64, history: bool) {
            let times = Times { client_ms, sent_at_ms, received_at_ms, history, ..times(0, None) };
            if let Ok(corrected) = correct(times) {
                prop_assert!(history || corrected.timestamp_ms <= received_at_ms);
            }
        }
    }
}
