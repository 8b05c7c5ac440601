//! Time zones: this host's own, or a zone of its zoneinfo by name.

use crate::run::{Error, Result};
use chrono::{DateTime, FixedOffset, Local, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use std::sync::Arc;

/// The interval in which a change of the clocks is searched. No zone has ever changed twice within a day.
const STEP: TimeDelta = TimeDelta::days(1);

/// Converts moments to clock times.
#[derive(Clone, Debug, Default)]
pub enum Zone {
    /// This host's zone: `TZ`, or `/etc/localtime`.
    #[default]
    Host,
    /// A named zone.
    Named(String, Arc<tz::TimeZone>),
}

impl Zone {
    /// Returns the zone of a name such as `Asia/Tokyo`, from the host's zoneinfo.
    ///
    /// # Errors
    /// When it does not exist. (The C library, and so cron, would take UTC.)
    pub fn named(name: &str) -> Result<Self> {
        let file = !name.is_empty() && !name.starts_with(['/', ':']) && !name.contains("..");
        let zone = file.then(|| tz::TimeZone::from_posix_tz(name).ok()).flatten();
        zone.map(|zone| Self::Named(name.to_owned(), Arc::new(zone))).ok_or_else(|| {
            Error::usage(format!("there is no time zone `{name}`"))
                .help("names are as in `/usr/share/zoneinfo`: `Asia/Tokyo`, `UTC`; they come with the package tzdata")
        })
    }

    /// Returns its name, unless it is the host's own.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Host => None,
            Self::Named(name, _) => Some(name),
        }
    }

    /// Returns the zone's clock time at a moment.
    pub fn at(&self, time: DateTime<Utc>) -> DateTime<FixedOffset> {
        time.with_timezone(&self.offset(time))
    }

    /// Returns the moment at which the zone's clocks show a time. Of two, when the clocks went back, it is the first. A
    /// time that was skipped, when they went forward, is an hour later.
    pub fn of(&self, naive: NaiveDateTime) -> Option<DateTime<Utc>> {
        let shows = |naive: NaiveDateTime| {
            let near = naive.and_utc();
            let offsets = [self.offset(near - STEP * 2), self.offset(near), self.offset(near + STEP * 2)];
            let times = offsets.map(|offset| near - TimeDelta::seconds(offset.local_minus_utc().into()));
            times.into_iter().filter(|time| self.at(*time).naive_local() == naive).min()
        };
        shows(naive).or_else(|| shows(naive.checked_add_signed(TimeDelta::hours(1))?))
    }

    /// Returns how far the zone's clocks are ahead of UTC at a moment.
    pub(super) fn offset(&self, time: DateTime<Utc>) -> FixedOffset {
        let utc = || Utc.fix();
        match self {
            Self::Host => Local.offset_from_utc_datetime(&time.naive_utc()).fix(),
            Self::Named(_, zone) => {
                let kind = zone.find_local_time_type(time.timestamp()).ok();
                kind.and_then(|kind| FixedOffset::east_opt(kind.ut_offset())).unwrap_or_else(utc)
            }
        }
    }

    /// Returns the moment, to the second, at which the day of another moment began.
    pub(super) fn midnight(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        let day = |time| self.at(time).date_naive();
        let (mut before, mut within) = (time - STEP * 2, time);
        while within - before > TimeDelta::seconds(1) {
            let middle = before + (within - before) / 2;
            if day(middle) < day(time) { before = middle } else { within = middle }
        }
        within
    }

    /// Returns the first moment in (`from`, `to`] at which the clocks are changed.
    pub(super) fn change(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let before = self.offset(from);
        let mut low = from;
        while low < to {
            let mut high = to.min(low + STEP);
            if self.offset(high) == before {
                low = high;
                continue;
            }
            while (high - low) > TimeDelta::seconds(1) {
                let middle = low + (high - low) / 2;
                if self.offset(middle) == before { low = middle } else { high = middle }
            }
            return DateTime::from_timestamp(high.timestamp(), 0);
        }
        None
    }
}

/// Returns the abbreviation of this host's zone at a moment, such as `JST`, or the offset if it has none.
pub fn abbreviation(time: DateTime<Local>) -> String {
    let name = std::env::var("TZ").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "localtime".to_owned());
    let zone = tz::TimeZone::from_posix_tz(&name).ok();
    let kind = zone.as_ref().and_then(|zone| zone.find_local_time_type(time.timestamp()).ok());
    let utc = || if time.offset().local_minus_utc() == 0 { "UTC".to_owned() } else { time.format("%z").to_string() };
    kind.map(|kind| kind.time_zone_designation().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_its_offset_and_an_unknown_one_is_not_utc() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let tokyo = Zone::named("Asia/Tokyo").unwrap();
        assert_eq!(tokyo.at(time("2026-11-24T18:30:00Z")).to_rfc3339(), "2026-11-25T03:30:00+09:00");
        let london = Zone::named("Europe/London").unwrap();
        let change = london.change(time("2026-01-01T00:00:00Z"), time("2026-12-31T00:00:00Z"));
        assert_eq!(change, Some(time("2026-03-29T01:00:00Z")));
        // After the end of the table, only its rule applies.
        assert_eq!(london.at(time("2060-07-01T00:00:00Z")).to_rfc3339(), "2060-07-01T01:00:00+01:00");
        let shown = |zone: &Zone, text: &str| zone.of(text.parse().unwrap()).unwrap().to_rfc3339();
        assert_eq!(shown(&tokyo, "2026-11-25T03:30:00"), "2026-11-24T18:30:00+00:00");
        // A skipped time, and one that occurs twice.
        assert_eq!(shown(&london, "2026-03-29T01:30:00"), "2026-03-29T01:30:00+00:00");
        assert_eq!(shown(&london, "2026-10-25T01:30:00"), "2026-10-25T00:30:00+00:00");
        for name in ["", "Asia/Tokio", "../../etc/passwd", "/etc/localtime", ":UTC", "Asia"] {
            assert!(Zone::named(name).unwrap_err().message.contains(name), "{name}");
        }
    }
}
