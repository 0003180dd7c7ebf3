//! Instants: microseconds since 2000-01-01 00:00, of `timestamptz` in UTC; the session's zone is UTC.

use base::Interval;
use base::value::{POSTGRES_EPOCH_DAYS, civil_from_days, days_from_civil};

use crate::error::{Fallible, error, state};

pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
pub(crate) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

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
    let (at, offset) = parse_in_zone(text, now)?;
    at.checked_sub(offset).ok_or_else(|| out_of_range(text))
}

/// A `timestamp`: a zone that is written is left out.
pub(crate) fn parse_local(text: &str, now: i64) -> Fallible<i64> {
    let (at, _) = parse_in_zone(text, now).map_err(|mut refusal| {
        refusal.message = refusal.message.replace("timestamp with time zone", "timestamp");
        refusal
    })?;
    Ok(at)
}

/// As written, and the zone's offset, in microseconds.
fn parse_in_zone(text: &str, now: i64) -> Fallible<(i64, i64)> {
    let trimmed = text.trim();
    let midnight = now.div_euclid(MICROS_PER_DAY) * MICROS_PER_DAY;
    match trimmed.to_ascii_lowercase().as_str() {
        "now" => return Ok((now, 0)),
        "today" => return Ok((midnight, 0)),
        "yesterday" => return Ok((midnight.saturating_sub(MICROS_PER_DAY), 0)),
        "tomorrow" => return Ok((midnight.saturating_add(MICROS_PER_DAY), 0)),
        "epoch" => return Ok((-POSTGRES_EPOCH_DAYS * MICROS_PER_DAY, 0)),
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
        .and_then(|micros| Some((micros.checked_add(of_day)?, offset)))
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

/// `30 days`, `1.5 hours 30 minutes`, `-2 weeks`, `01:30:00`, in any mix; a number alone is seconds.
pub(crate) fn parse_interval(text: &str) -> Option<Interval> {
    let mut interval = Interval::default();
    let mut words = text.split_ascii_whitespace().peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        if let Some(clock) = interval_clock(word) {
            interval.micros = interval.micros.checked_add(clock)?;
            continue;
        }
        let split = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (digits, attached) = word.split_at(split);
        let unit = match (attached, words.peek()) {
            ("", None) => "second",
            ("", Some(_)) => words.next()?,
            (attached, _) => attached,
        };
        add_unit(&mut interval, millionths(digits)?, &unit.to_ascii_lowercase())?;
    }
    Some(interval)
}

/// Of a decimal number with at most six digits behind its point.
fn millionths(digits: &str) -> Option<i64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = fraction.len() <= 6 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let whole: i64 = if whole == "-" { 0 } else { whole.parse().ok()? };
    let fraction: i64 = format!("{fraction:0<6}").parse().ok().filter(|_| plain)?;
    let signed = if digits.starts_with('-') { -fraction } else { fraction };
    whole.checked_mul(1_000_000)?.checked_add(signed)
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

/// So many millionths of a unit: what is not a whole month goes to days, what is not a whole day to the time.
fn add_unit(interval: &mut Interval, millionths: i64, unit: &str) -> Option<()> {
    const WHOLE: i128 = 1_000_000;
    let amount = i128::from(millionths);
    let singular = if unit == "ms" {
        unit
    } else {
        unit.strip_suffix('s').unwrap_or(unit)
    };
    let (months, days, micros) = match singular {
        "year" | "yr" | "y" => (12 * amount, 0, 0),
        "month" | "mon" => (amount, 0, 0),
        "week" | "w" => (0, 7 * amount, 0),
        "day" | "d" => (0, amount, 0),
        "hour" | "h" | "hr" => (0, 0, amount * 3600),
        "minute" | "min" | "m" => (0, 0, amount * 60),
        "second" | "sec" | "" => (0, 0, amount),
        "millisecond" | "msec" | "ms" => (0, 0, amount / 1_000),
        "microsecond" | "usec" | "u" => (0, 0, amount / WHOLE),
        _ => return None,
    };
    // A part of a year is whole months, a part of a month thirtieths.
    let rest = if singular.starts_with('y') {
        0
    } else {
        months % WHOLE * 30
    };
    let days = days + rest;
    let micros = micros + days % WHOLE * i128::from(MICROS_PER_DAY) / WHOLE;
    *interval = interval.checked_add(Interval {
        months: i32::try_from(months / WHOLE).ok()?,
        days: i32::try_from(days / WHOLE).ok()?,
        micros: i64::try_from(micros).ok()?,
    })?;
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

/// `extract(field from timestamp)` in whole units; seconds and the epoch in microseconds, milliseconds in microseconds, too.
/// `None` for a field that is not one.
pub(crate) fn part(field: &str, timestamp: i64) -> Option<i64> {
    let day = timestamp.div_euclid(MICROS_PER_DAY);
    let of_day = timestamp.rem_euclid(MICROS_PER_DAY);
    let (year, month, of_month) = civil_from_days(day + POSTGRES_EPOCH_DAYS);
    // Years before 1 AD have no zero among them.
    let written = if year > 0 { year } else { year - 1 };
    // 2000-01-02 was a Sunday.
    let weekday = (day - 1).rem_euclid(7);
    Some(match field {
        "microseconds" => of_day % (60 * MICROS_PER_SECOND),
        "milliseconds" | "second" => of_day % (60 * MICROS_PER_SECOND),
        "minute" => of_day / (60 * MICROS_PER_SECOND) % 60,
        "hour" => of_day / (3600 * MICROS_PER_SECOND),
        "day" => i64::from(of_month),
        "month" => i64::from(month),
        "quarter" => i64::from((month - 1) / 3 + 1),
        "year" => written,
        "decade" => year.div_euclid(10),
        "century" => (year + 99).div_euclid(100),
        "dow" => weekday,
        "isodow" => (weekday + 6) % 7 + 1,
        "doy" => day + POSTGRES_EPOCH_DAYS - days_from_civil(year, 1, 1) + 1,
        "week" | "isoyear" => {
            // The week of its Thursday.
            let thursday = day - (weekday + 6) % 7 + 3;
            let (of_year, _, _) = civil_from_days(thursday + POSTGRES_EPOCH_DAYS);
            if field == "isoyear" {
                of_year
            } else {
                (thursday + POSTGRES_EPOCH_DAYS - days_from_civil(of_year, 1, 1)) / 7 + 1
            }
        }
        "epoch" => timestamp.checked_add(POSTGRES_EPOCH_DAYS * MICROS_PER_DAY)?,
        _ => return None,
    })
}
