//! What a user wants to be told of.

use chrono::{NaiveTime, Timelike as _};
use serde_json::Value;

use crate::{
    app::App,
    auth::Caller,
    db::notifications::{self, PreferencesChange, PreferencesRow},
    services::{Violation, Violations, form::Form, profiles::ProfileError},
};

/// How often what is to be told may be put together.
const FREQUENCIES: [&str; 4] = ["realtime", "daily", "weekly", "never"];

impl App {
    /// What the caller wants to be told; begun with the defaults where nothing was ever said.
    ///
    /// # Errors
    /// When the user is gone, or the database fails.
    pub async fn preferences(&self, caller: &Caller) -> Result<PreferencesRow, ProfileError> {
        match notifications::preferences(&self.db, caller.user).await? {
            Some(preferences) => Ok(preferences),
            None => self.change_preferences(caller, &PreferencesChange::default()).await,
        }
    }

    /// Changes what the caller wants to be told.
    ///
    /// # Errors
    /// When the user is gone, or the database fails.
    pub async fn change_preferences(
        &self,
        caller: &Caller,
        change: &PreferencesChange,
    ) -> Result<PreferencesRow, ProfileError> {
        let mut tx = self.db.begin().await?;
        self.profile_in(&mut tx, caller).await?;
        let preferences = notifications::change_preferences(&mut tx, caller.user, change).await?;
        tx.commit().await?;
        Ok(preferences)
    }
}

/// Reads whether a notification is to be read.
///
/// # Errors
/// Every broken rule.
pub fn check_mark(body: Value) -> Result<bool, Vec<Violation>> {
    let mut report = Violations::default();
    let mut form = Form::new(body, &mut report);
    let is_read = form.boolean("is_read");
    form.end();
    if is_read.is_none() {
        report.broken("/is_read", "is required");
    }
    report.into_result()?;
    Ok(is_read.unwrap_or_default())
}

/// Reads a change of the preferences.
///
/// # Errors
/// Every broken rule.
pub fn check_preferences(body: Value) -> Result<PreferencesChange, Vec<Violation>> {
    let mut report = Violations::default();
    let mut form = Form::new(body, &mut report);
    let mut change = PreferencesChange {
        email_enabled: form.boolean("email_enabled"),
        push_enabled: form.boolean("push_enabled"),
        sms_enabled: form.boolean("sms_enabled"),
        crawl_jobs_enabled: form.boolean("crawl_jobs_enabled"),
        datasets_enabled: form.boolean("datasets_enabled"),
        billing_enabled: form.boolean("billing_enabled"),
        security_enabled: form.boolean("security_enabled"),
        marketing_enabled: form.boolean("marketing_enabled"),
        product_updates_enabled: form.boolean("product_updates_enabled"),
        ..PreferencesChange::default()
    };
    let frequency = form.text("digest_frequency");
    let (start, end) = (form.clearable_text("quiet_hours_start"), form.clearable_text("quiet_hours_end"));
    form.end();
    if let Some(frequency) = frequency {
        if FREQUENCIES.contains(&frequency.as_str()) {
            change.digest_frequency = Some(frequency);
        } else {
            report.broken("/digest_frequency", format!("must be one of: {}", FREQUENCIES.join(", ")));
        }
    }
    let mut time = |pointer: &str, text: Option<Option<String>>| {
        let Some(text) = text? else { return Some(None) };
        let time = time_of_day(&text);
        if time.is_none() {
            report.broken(pointer, "must be a time of day such as 22:00 or 22:00:00, or null");
        }
        time.map(Some)
    };
    change.quiet_hours_start = time("/quiet_hours_start", start);
    change.quiet_hours_end = time("/quiet_hours_end", end);
    report.into_result()?;
    Ok(change)
}

/// Two digits each of hours and minutes, and perhaps of seconds.
fn time_of_day(text: &str) -> Option<NaiveTime> {
    let format = match text.len() {
        5 => "%H:%M",
        8 => "%H:%M:%S",
        _ => return None,
    };
    let time = NaiveTime::parse_from_str(text, format).ok()?;
    // What reads it takes spaces and leap seconds, too.
    Some(time).filter(|time| time.format(format).to_string() == text && time.nanosecond() == 0)
}
