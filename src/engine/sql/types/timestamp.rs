//! `timestamptz`: microseconds since 2000-01-01 00:00 UTC; the session's zone is UTC.

use base::value::{POSTGRES_EPOCH_DAYS, civil_from_days, days_from_civil};

use crate::error::{Fallible, error, state};

pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
pub(crate) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// A span as PostgreSQL keeps it: months and days are not a number of seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Interval {
    pub(crate) months: i32,
    pub(crate) days: i32,
    pub(crate) micros: i64,
}

fn invalid(text: &str) -> Box<crate::SqlError> {
    error(
        state::INVALID_DATETIME,
        format!("invalid input syntax for type timestamp with time zone: \"{text}\""),
    )
}

fn out_of_range(text: &str) -> Box<crate::SqlError> {
    error(
        state::DATETIME_FIELD_OVERFLOW,
        format!("date/time field value out of range: \"{text}\""),
    )
}

/// ISO 8601 (`2024-05-01`, `2024-05-01 12:30[:15.5][Z|±hh[:mm]]`, `T` allowed), and the words
/// `now`, `today`, `yesterday`, `tomorrow`, `epoch`.
pub(crate) fn parse(text: &str, now: i64) -> Fallible<i64> {
    let trimmed = text.trim();
    let midnight = now.div_euclid(MICROS_PER_DAY) * MICROS_PER_DAY;
    match trimmed.to_ascii_lowercase().as_str() {
        "now" => return Ok(now),
        "today" => return Ok(midnight),
        "yesterday" => return Ok(midnight.saturating_sub(MICROS_PER_DAY)),
        "tomorrow" => return Ok(midnight.saturating_add(MICROS_PER_DAY)),
        "epoch" => return Ok(-POSTGRES_EPOCH_DAYS * MICROS_PER_DAY),
        _ => {}
    }
    let split = trimmed.find([' ', 'T', 't']);
    let (date, clock) = match split {
        Some(at) => (&trimmed[..at], trimmed[at + 1..].trim()),
        None => (trimmed, ""),
    };
    let days = parse_date(date, text)?;
    let (of_day, offset) = if clock.is_empty() {
        (0, 0)
    } else {
        parse_clock(clock, text)?
    };
    days.checked_mul(MICROS_PER_DAY)
        .and_then(|micros| micros.checked_add(of_day - offset))
        .ok_or_else(|| out_of_range(text))
}

/// A `date`: days since 2000-01-01. A time of day may follow, and is left out.
pub(crate) fn parse_day(text: &str, now: i64) -> Fallible<i32> {
    let at = parse(text, now).map_err(|mut refusal| {
        refusal.message = refusal.message.replace("timestamp with time zone", "date");
        refusal
    })?;
    let trimmed = text.trim();
    let named = !trimmed.starts_with(|first: char| first.is_ascii_digit());
    let date = trimmed.split([' ', 'T', 't']).next().unwrap_or_default();
    let days = if named {
        at.div_euclid(MICROS_PER_DAY)
    } else {
        parse_date(date, text)?
    };
    i32::try_from(days).map_err(|_| out_of_range(text))
}

fn parse_date(date: &str, text: &str) -> Fallible<i64> {
    let mut parts = date.split('-');
    let (Some(year), Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(invalid(text));
    };
    if year.len() < 4 || month.is_empty() || month.len() > 2 || day.is_empty() || day.len() > 2 {
        return Err(invalid(text));
    }
    let year = i64::from(number(year, 6).ok_or_else(|| invalid(text))?);
    let month = number(month, 2).ok_or_else(|| invalid(text))?;
    let day = number(day, 2).ok_or_else(|| invalid(text))?;
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) || year == 0 {
        return Err(out_of_range(text));
    }
    Ok(days_from_civil(year, month, day) - POSTGRES_EPOCH_DAYS)
}

fn number(digits: &str, most: usize) -> Option<u32> {
    let good = !digits.is_empty() && digits.len() <= most && digits.bytes().all(|b| b.is_ascii_digit());
    good.then(|| digits.parse().ok()).flatten()
}

fn days_in_month(year: i64, month: u32) -> u32 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    (days_from_civil(next_year, next_month, 1) - days_from_civil(year, month, 1)) as u32
}

/// Microseconds of the day, and the zone's offset in microseconds.
fn parse_clock(clock: &str, text: &str) -> Fallible<(i64, i64)> {
    let zone_at = clock.find(['Z', 'z', '+', '-']).unwrap_or(clock.len());
    let (time, zone) = (clock[..zone_at].trim(), &clock[zone_at..]);
    let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = whole.split(':');
    let mut field = |default: Option<u32>| match parts.next() {
        Some(part) => number(part, 2),
        None => default,
    };
    let hours = field(None).ok_or_else(|| invalid(text))?;
    let minutes = field(None).ok_or_else(|| invalid(text))?;
    let seconds = field(Some(0)).ok_or_else(|| invalid(text))?;
    if parts.next().is_some() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid(text));
    }
    if hours > 24 || minutes > 59 || seconds > 60 || (hours == 24 && minutes + seconds > 0) {
        return Err(out_of_range(text));
    }
    let micros = fraction_to_micros(fraction);
    let of_day = (i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds)) * MICROS_PER_SECOND + micros;
    Ok((of_day, parse_zone(zone, text)?))
}

/// Six digits, the seventh rounds.
fn fraction_to_micros(fraction: &str) -> i64 {
    let mut micros = 0_i64;
    for place in 0..6 {
        let digit = fraction.as_bytes().get(place).map_or(0, |b| i64::from(b - b'0'));
        micros = micros * 10 + digit;
    }
    micros + i64::from(fraction.as_bytes().get(6).is_some_and(|b| *b >= b'5'))
}

fn parse_zone(zone: &str, text: &str) -> Fallible<i64> {
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") {
        return Ok(0);
    }
    let (sign, digits) = zone.split_at(1);
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if digits.len() == 4 => digits.split_at(2),
        None => (digits, "0"),
    };
    let (Some(hours), Some(minutes)) = (number(hours, 2), number(minutes, 2)) else {
        return Err(invalid(text));
    };
    if hours > 15 || minutes > 59 {
        return Err(error(
            "22009",
            format!("time zone displacement out of range: \"{text}\""),
        ));
    }
    let micros = (i64::from(hours) * 3600 + i64::from(minutes) * 60) * MICROS_PER_SECOND;
    Ok(if sign == "-" { -micros } else { micros })
}

/// `30 days`, `1 hour 30 minutes`, `-2 weeks`, `01:30:00`, in any mix.
pub(crate) fn parse_interval(text: &str) -> Option<Interval> {
    let mut interval = Interval::default();
    let mut words = text.split_ascii_whitespace().peekable();
    let mut seen = false;
    while let Some(word) = words.next() {
        seen = true;
        if let Some(clock) = interval_clock(word) {
            interval.micros = interval.micros.checked_add(clock)?;
            continue;
        }
        let split = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (digits, attached) = word.split_at(split);
        let amount: i64 = digits.parse().ok()?;
        let unit = if attached.is_empty() { words.next()? } else { attached };
        add_unit(&mut interval, amount, &unit.to_ascii_lowercase())?;
    }
    if words.peek().is_none() && seen {
        Some(interval)
    } else {
        None
    }
}

fn interval_clock(word: &str) -> Option<i64> {
    let (sign, rest) = match word.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, word),
    };
    let mut parts = rest.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes = number(parts.next()?, 2)?;
    let seconds = parts.next().map_or(Some(0), |part| number(part, 2))?;
    let whole = hours
        .checked_mul(3600)?
        .checked_add(i64::from(minutes * 60 + seconds))?;
    whole.checked_mul(sign * MICROS_PER_SECOND)
}

fn add_unit(interval: &mut Interval, amount: i64, unit: &str) -> Option<()> {
    let small = |scale: i64| i32::try_from(amount.checked_mul(scale)?).ok();
    let singular = if unit == "ms" {
        unit
    } else {
        unit.strip_suffix('s').unwrap_or(unit)
    };
    match singular {
        "year" | "yr" | "y" => interval.months = interval.months.checked_add(small(12)?)?,
        "month" | "mon" => interval.months = interval.months.checked_add(small(1)?)?,
        "week" | "w" => interval.days = interval.days.checked_add(small(7)?)?,
        "day" | "d" => interval.days = interval.days.checked_add(small(1)?)?,
        other => {
            let micros = match other {
                "hour" | "h" | "hr" => 3600 * MICROS_PER_SECOND,
                "minute" | "min" | "m" => 60 * MICROS_PER_SECOND,
                "second" | "sec" | "" => MICROS_PER_SECOND,
                "millisecond" | "msec" | "ms" => 1_000,
                "microsecond" | "usec" | "u" => 1,
                _ => return None,
            };
            interval.micros = interval.micros.checked_add(amount.checked_mul(micros)?)?;
        }
    }
    Some(())
}

/// `timestamptz + sign × interval`, months first (clamped to the month's end), then days, then time.
pub(crate) fn shift(timestamp: i64, interval: Interval, sign: i64) -> Fallible<i64> {
    let overflow = || error(state::DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    let mut days = timestamp.div_euclid(MICROS_PER_DAY);
    let of_day = timestamp.rem_euclid(MICROS_PER_DAY);
    if interval.months != 0 {
        let (year, month, day) = civil_from_days(days + POSTGRES_EPOCH_DAYS);
        let months = year * 12 + i64::from(month) - 1 + sign * i64::from(interval.months);
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) as u32 + 1);
        days = days_from_civil(year, month, day.min(days_in_month(year, month))) - POSTGRES_EPOCH_DAYS;
    }
    days += sign * i64::from(interval.days);
    days.checked_mul(MICROS_PER_DAY)
        .and_then(|micros| micros.checked_add(of_day))
        .and_then(|micros| micros.checked_add(sign.checked_mul(interval.micros)?))
        .ok_or_else(overflow)
}

/// `date_trunc(field, timestamp)`; `None` for a field that is not one.
pub(crate) fn truncate(field: &str, timestamp: i64) -> Option<i64> {
    let to = |micros: i64| timestamp.div_euclid(micros) * micros;
    let day = timestamp.div_euclid(MICROS_PER_DAY);
    let (year, month, _) = civil_from_days(day + POSTGRES_EPOCH_DAYS);
    let first = |year: i64, month: u32| (days_from_civil(year, month, 1) - POSTGRES_EPOCH_DAYS) * MICROS_PER_DAY;
    Some(match field {
        "microseconds" => timestamp,
        "milliseconds" => to(1_000),
        "second" => to(MICROS_PER_SECOND),
        "minute" => to(60 * MICROS_PER_SECOND),
        "hour" => to(3600 * MICROS_PER_SECOND),
        "day" => day * MICROS_PER_DAY,
        // 2000-01-03 was a Monday.
        "week" => ((day - 2).div_euclid(7) * 7 + 2) * MICROS_PER_DAY,
        "month" => first(year, month),
        "quarter" => first(year, (month - 1) / 3 * 3 + 1),
        "year" => first(year, 1),
        _ => return None,
    })
}
