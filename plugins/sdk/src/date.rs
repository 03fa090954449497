//! Dates as the contract wants them.

/// The RFC 3339 date-time of that many seconds since 1970-01-01T00:00:00Z, for the years up to
/// 9999; `None` beyond.
#[must_use]
pub fn from_unix(seconds: u64) -> Option<String> {
    const LAST: u64 = 253_402_300_799;
    if seconds > LAST {
        return None;
    }
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March end with the leap day; 400 of them always have as many days.
    let since_march = days + 719_468;
    let (era, day) = (since_march / 146_097, since_march % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

/// The date or date-time that a text in the manner of ISO 8601 names (`2026-01-31`,
/// `2026-01-31 12:30+0100`), as RFC 3339 has it. Without a zone, what it says of the
/// time of day is left away. `None` for anything else, a year or a month by itself included.
#[must_use]
pub fn from_iso(text: &str) -> Option<String> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-').map(number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=last).contains(&day) {
        return None;
    }
    let dashes = date.as_bytes()[4] == b'-' && date.as_bytes()[7] == b'-';
    if !dashes || !(rest.is_empty() || rest.starts_with(['T', 't', ' '])) {
        return None;
    }
    Some(time(rest).map_or_else(|| date.to_owned(), |time| format!("{date}T{time}")))
}

/// The date or date-time of a mail's or a feed's `Tue, 20 Sep 2022 11:00:17 +0000` (RFC 822 and its
/// successors), as RFC 3339 has it. Without a zone that is known, what it says of the time of day
/// is left away. `None` for anything else.
#[must_use]
pub fn from_rfc822(text: &str) -> Option<String> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    const ZONES: [(&str, &str); 12] = [
        ("z", "Z"),
        ("ut", "Z"),
        ("utc", "Z"),
        ("gmt", "Z"),
        ("est", "-05:00"),
        ("edt", "-04:00"),
        ("cst", "-06:00"),
        ("cdt", "-05:00"),
        ("mst", "-07:00"),
        ("mdt", "-06:00"),
        ("pst", "-08:00"),
        ("pdt", "-07:00"),
    ];
    let text = text.split_once(',').map_or(text, |(_, rest)| rest);
    let mut words = text.split(|c: char| c.is_whitespace() || c == '-').filter(|word| !word.is_empty());
    let day = number(words.next()?).filter(|day| (1..=31).contains(day))?;
    let month = words.next()?.get(..3)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    let year = words.next()?;
    let year = match (year.len(), number(year)?) {
        (4, year) => year,
        (2, year @ 0..=49) => 2000 + year,
        (2, year) => 1900 + year,
        _ => return None,
    };
    let date = from_iso(&format!("{year:04}-{month:02}-{day:02}"))?;
    let mut rest = text.split_whitespace().skip_while(|word| !word.contains(':'));
    let Some(clock) = rest.next() else { return Some(date) };
    let zone = rest.next().unwrap_or_default();
    let known = ZONES.iter().find(|(name, _)| zone.eq_ignore_ascii_case(name)).map_or(zone, |(_, zone)| zone);
    // An hour may have one digit.
    let clock = if clock.find(':') == Some(1) { format!("0{clock}") } else { clock.to_owned() };
    from_iso(&format!("{date}T{clock}{known}"))
}

/// Time of day with its zone, from behind a date.
fn time(text: &str) -> Option<String> {
    let text = text.strip_prefix(['T', 't', ' '])?.trim_start();
    let (clock, zone) = text.split_at(text.find(['Z', 'z', '+', '-'])?);
    let mut parts = clock.trim_end().splitn(3, ':');
    let (hour, minute) = (parts.next()?, parts.next()?);
    let second = parts.next().unwrap_or("00");
    let (whole, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let is = |text: &str, most: u32| text.len() == 2 && number(text).is_some_and(|number| number <= most);
    if !(is(hour, 23) && is(minute, 59) && is(whole, 60) && number(fraction).is_some()) {
        return None;
    }
    let zone = match zone {
        "Z" | "z" => "Z".to_owned(),
        _ => {
            let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
            let (hours, minutes) = digits.split_at_checked(2)?;
            let minutes = if minutes.is_empty() { "00" } else { minutes };
            if !(is(hours, 23) && is(minutes, 59)) {
                return None;
            }
            format!("{}{hours}:{minutes}", &zone[..1])
        }
    };
    Some(format!("{hour}:{minute}:{second}{zone}"))
}

/// Digits only.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_of_iso_8601() {
        for (text, expect) in [
            ("2026-01-31", Some("2026-01-31")),
            (" 2026-01-31T12:30:05Z ", Some("2026-01-31T12:30:05Z")),
            ("2026-01-31T12:30:05.250+02:00", Some("2026-01-31T12:30:05.250+02:00")),
            ("2026-01-31T12:30-0330", Some("2026-01-31T12:30:00-03:30")),
            ("2026-01-31 12:30:05 +01", Some("2026-01-31T12:30:05+01:00")),
            ("2026-01-31T12:30:05", Some("2026-01-31")),
            ("2026-01-31 12:30:05 UTC", Some("2026-01-31")),
            ("2026-01-31T25:30:05Z", Some("2026-01-31")),
            ("2026-01-31T12:30:05+1", Some("2026-01-31")),
            ("2026-01-31 or later", Some("2026-01-31")),
            ("2026-01-310", None),
            ("2026-01", None),
            ("2026", None),
            ("2026-13-01", None),
            ("2026-02-31", None),
            ("2026-02-29T12:00:00Z", None),
            ("2024-02-29", Some("2024-02-29")),
            ("2100-02-29", None),
            ("2026-04-31", None),
            ("2026-01-00", None),
            ("026-01-001", None),
            ("31.01.2026", None),
            ("2026-1-31T00", None),
            ("yesterday é", None),
            ("", None),
        ] {
            assert_eq!(from_iso(text).as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn dates_of_rfc_822() {
        for (text, expect) in [
            ("Tue, 20 Sep 2022 11:00:17 +0000", Some("2022-09-20T11:00:17+00:00")),
            ("Fri, 5 Feb 2021 20:00:00 GMT", Some("2021-02-05T20:00:00Z")),
            (" 26 February 21 9:05 EST ", Some("2021-02-26T09:05:00-05:00")),
            ("Friday, 26-Feb-99 20:00:00 UT", Some("1999-02-26T20:00:00Z")),
            ("Mon, 24 Sep 2018 19:42:40", Some("2018-09-24")),
            ("Mon, 24 Sep 2018 19:42:40 CET", Some("2018-09-24")),
            ("24 Sep 2018", Some("2018-09-24")),
            ("Seg, 24 Set 2018 19:42:40 -0300", None),
            ("Mon, 32 Sep 2018", None),
            ("Mon, 31 Sep 2018", None),
            ("Mon, 24 Sep 018", None),
            ("2018-09-24", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(from_rfc822(text).as_deref(), expect, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_date_or_none(any in ".*", likely in "2026-01-[0-9]{2}[T ][0-9é:.]{0,8}[Z+-][0-9:]{0,5}") {
            for text in [any, likely] {
                let mail = format!("1 Jan 2026 {text}");
                for date in [from_rfc822(&text), from_rfc822(&mail)].into_iter().flatten() {
                    prop_assert_eq!(from_iso(&date), Some(date));
                }
                if let Some(date) = from_iso(&text) {
                    prop_assert_eq!(from_iso(&date), Some(date));
                }
            }
        }
    }

    #[test]
    fn dates() {
        for (seconds, expect) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_600_000_000, "2020-09-13T12:26:40Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(from_unix(seconds).as_deref(), Some(expect));
        }
        assert_eq!(from_unix(253_402_300_800), None);
        assert_eq!(from_unix(u64::MAX), None);
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut expect = (1970, 1, 1);
        for days in 0..200_000 {
            let (year, month, day) = expect;
            let date = from_unix(days * 86_400).unwrap();
            assert_eq!(date, format!("{year:04}-{month:02}-{day:02}T00:00:00Z"));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expect = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == last => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }
}
