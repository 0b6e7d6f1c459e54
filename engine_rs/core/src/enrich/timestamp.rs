//! Reads RFC 3339 and the ISO 8601 that clients really send, and writes RFC 3339.

const DAY_MS: i64 = 86_400_000;

/// Milliseconds since 1970 UTC of a date with an optional time: `2026-11-22`, `2026-11-22T10:00:00.123Z`,
/// `2026-11-22 10:00:00,5 +01:00`, `2026-11-22t10:00+0100`. Digits finer than a millisecond are cut off, a leap second
/// counts as the next minute's first; without an offset the time is UTC. `None` for anything else.
#[must_use]
pub fn parse(text: &[u8]) -> Option<i64> {
    parse_with::<2>(text)
}

/// The same, also where months and days before the 10th have one digit: `2026-1-2`, as Segment's documentation writes them.
#[must_use]
pub fn parse_short(text: &[u8]) -> Option<i64> {
    parse_with::<1>(text)
}

#[inline]
fn parse_with<const FEWEST: usize>(text: &[u8]) -> Option<i64> {
    let mut rest = text.trim_ascii();
    let midnight = take_date::<FEWEST>(&mut rest)? * DAY_MS;
    if rest.is_empty() {
        return Some(midnight);
    }
    let (&separator, after) = rest.split_first()?;
    if !matches!(separator, b'T' | b't' | b' ' | b'_') {
        return None;
    }
    rest = after;
    let time = take_time(&mut rest)?;
    let offset = take_offset(rest)?;
    Some(midnight + time - offset)
}

/// Days since 1970; month and day have `FEWEST` digits or two.
fn take_date<const FEWEST: usize>(rest: &mut &[u8]) -> Option<i64> {
    let year = take_digits::<4>(rest)?;
    take_byte(rest, b'-')?;
    let month = take_digits::<2>(rest).or_else(|| take_digits::<FEWEST>(rest))?;
    take_byte(rest, b'-')?;
    let day = take_digits::<2>(rest).or_else(|| take_digits::<FEWEST>(rest))?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    Some(days_since_1970(year, month, day))
}

/// Milliseconds since midnight.
fn take_time(rest: &mut &[u8]) -> Option<i64> {
    let hour = take_digits::<2>(rest)?;
    take_byte(rest, b':')?;
    let minute = take_digits::<2>(rest)?;
    let (mut second, mut fraction) = (0, 0);
    if take_byte(rest, b':').is_some() {
        second = take_digits::<2>(rest)?;
        if matches!(rest.first(), Some(b'.' | b',')) {
            *rest = &rest[1..];
            fraction = take_fraction(rest)?;
        }
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) * 1000 + fraction)
}

/// Milliseconds of a fraction of a second with one digit or more.
fn take_fraction(rest: &mut &[u8]) -> Option<i64> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let (fraction, after) = rest.split_at(digits);
    *rest = after;
    let place = |index: usize| {
        fraction
            .get(index)
            .map_or(0, |digit| i64::from(digit - b'0'))
    };
    Some(place(0) * 100 + place(1) * 10 + place(2))
}

/// Milliseconds that local time is ahead of UTC; all of `rest` must be an offset.
fn take_offset(rest: &[u8]) -> Option<i64> {
    let mut rest = rest.trim_ascii_start();
    let sign = match rest.split_first() {
        None => return Some(0),
        Some((b'Z' | b'z', after)) => return after.is_empty().then_some(0),
        Some((b'+', after)) => {
            rest = after;
            1
        }
        Some((b'-', after)) => {
            rest = after;
            -1
        }
        Some(_) => return None,
    };
    let hours = take_digits::<2>(&mut rest)?;
    let colon = take_byte(&mut rest, b':').is_some();
    let minutes = if rest.is_empty() && !colon {
        0
    } else {
        take_digits::<2>(&mut rest)?
    };
    if !rest.is_empty() || hours > 23 || minutes > 59 {
        return None;
    }
    Some(sign * (hours * 60 + minutes) * 60_000)
}

#[inline]
fn take_byte(rest: &mut &[u8], expected: u8) -> Option<()> {
    *rest = rest.strip_prefix(&[expected])?;
    Some(())
}

#[inline]
fn take_digits<const N: usize>(rest: &mut &[u8]) -> Option<i64> {
    let (digits, after) = rest.split_first_chunk::<N>()?;
    let mut number = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    *rest = after;
    Some(number)
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Counts in years that begin in March, so that the leap day is a year's last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_TO_1970: i64 = 719_468;
    let year = year - i64::from(month < 3);
    let days_before_month = (153 * ((month + 9) % 12) + 2) / 5;
    let days_before_year =
        365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    days_before_year + days_before_month + day - 1 - DAYS_TO_1970
}

/// The RFC 3339 form of `ms`, in UTC with milliseconds.
#[must_use]
pub fn format(ms: i64) -> String {
    let (days, of_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    // Years are counted from March, in eras of 400 of them, so that leap days come last.
    let since_march_0000 = days + 719_468;
    let (era, day_of_era) = (
        since_march_0000.div_euclid(146_097),
        since_march_0000.rem_euclid(146_097),
    );
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, millis) = (of_day / 1000 % 60, of_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn ms(text: &str) -> Option<i64> {
        parse(text.as_bytes())
    }

    proptest! {
        #[test]
        fn what_is_formatted_is_parsed(ms in -62_135_596_800_000i64..253_402_300_800_000) {
            prop_assert_eq!(parse(format(ms).as_bytes()), Some(ms));
        }
    }

    #[test]
    fn what_clients_send_is_read() {
        let noon = 1_795_348_800_000;
        for (text, expected) in [
            ("2026-11-22T12:00:00Z", noon),
            ("2026-11-22T12:00:00.123456789Z", noon + 123),
            ("2026-11-22t12:00:00,5z", noon + 500),
            ("2026-11-22 12:00:00", noon),
            ("2026-11-22 14:30:00 +02:30", noon),
            ("2026-11-22T04:00-0800", noon),
            ("2026-11-22T13:00+01", noon),
            (" 2026-11-22T12:00Z\n", noon),
            ("2026-11-22", noon - DAY_MS / 2),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ] {
            assert_eq!(ms(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn short_months_and_days_are_read_where_they_may_be() {
        for (short, full) in [
            ("2026-1-2", "2026-01-02"),
            ("2026-11-2T12:00:00Z", "2026-11-02T12:00:00Z"),
            ("2026-1-22 12:00", "2026-01-22 12:00"),
        ] {
            assert_eq!(parse_short(short.as_bytes()), ms(full), "{short}");
            assert_eq!(parse_short(full.as_bytes()), ms(full), "{full}");
            assert_eq!(ms(short), None, "{short}");
        }
        for text in [
            "2026-0-1",
            "2026-1-0",
            "2026-1-",
            "2026--1",
            "2026-1-123",
            "2026-123-1",
        ] {
            assert_eq!(parse_short(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "2026",
            "2026-11",
            "2026-13-01",
            "2026-00-01",
            "2026-02-29",
            "2026-11-31",
            "2026-11-22T",
            "2026-11-22T12",
            "2026-11-22T24:00:00Z",
            "2026-11-22T12:60:00Z",
            "2026-11-22T12:00:00.Z",
            "2026-11-22T12:00:00Zjunk",
            "2026-11-22T12:00:00+",
            "2026-11-22T12:00:00+01:",
            "2026-11-22T12:00:00+24:00",
            "2026-11-22X12:00:00Z",
            "1795348800000",
            "+012026-11-22T12:00:00Z",
        ] {
            assert_eq!(ms(text), None, "{text}");
        }
        assert!(
            ms("2024-02-29").is_some() && ms("2000-02-29").is_some() && ms("1900-02-29").is_none()
        );
    }

    proptest! {
        #[test]
        fn times_equal_the_reference(ms in -62_167_219_200_000..253_402_207_200_000i64, minutes in -1439..=1439i32) {
            let time = Timestamp::from_millisecond(ms).unwrap();
            let offset = jiff::tz::Offset::from_seconds(minutes * 60).unwrap();
            let text = time.display_with_offset(offset).to_string();
            prop_assume!(text.starts_with(|c: char| c.is_ascii_digit()));
            prop_assert_eq!(parse(text.as_bytes()), Some(ms), "{}", text);
        }

        #[test]
        fn what_is_read_the_reference_reads_too(text in "20[0-9]{2}-[0-3][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-][01][0-9]:[0-6][0-9])") {
            let expected = text.parse::<Timestamp>().ok().map(|time| time.as_nanosecond().div_euclid(1_000_000) as i64);
            prop_assert_eq!(parse(text.as_bytes()), expected, "{}", text);
        }

        #[test]
        fn any_bytes_are_read_or_refused(text: Vec<u8>) {
            let _ = parse(&text);
        }
    }
}
