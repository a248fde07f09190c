use super::*;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Checks the instants after `from`.
fn check(expression: &str, zone: &str, from: &str, expected: &[&str]) {
    let schedule = Schedule::cron(expression, zone).unwrap();
    let mut at = time(from);
    for wanted in expected {
        at = schedule.next_after(at).unwrap();
        assert_eq!(at, time(wanted), "`{expression}` in {zone} from {from}: got {at}, wanted {wanted}");
    }
}

#[test]
fn five_fields_begin_with_the_minute_and_six_with_the_second() {
    check("30 6 * * *", "UTC", "2030-01-01T00:00:00Z", &["2030-01-01T06:30:00Z", "2030-01-02T06:30:00Z"]);
    check("15 30 6 * * *", "UTC", "2030-01-01T00:00:00Z", &["2030-01-01T06:30:15Z"]);
    check(
        "*/20 * * * * *",
        "UTC",
        "2030-01-01T00:00:05.5Z",
        &["2030-01-01T00:00:20Z", "2030-01-01T00:00:40Z", "2030-01-01T00:01:00Z"],
    );
    check("@daily", "UTC", "2030-01-01T00:00:00Z", &["2030-01-02T00:00:00Z"]);
    check("0 9 * * MON-FRI", "UTC", "2030-01-04T09:00:00Z", &["2030-01-07T09:00:00Z"]);
    check("0 0 L * *", "UTC", "2028-02-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"]);
    check(
        "0 0 13 * FRI",
        "UTC",
        "2030-01-01T00:00:00Z",
        &["2030-01-04T00:00:00Z", "2030-01-11T00:00:00Z", "2030-01-13T00:00:00Z"],
    );
}

#[test]
fn the_next_instant_is_strictly_later() {
    check("0 0 6 * * *", "UTC", "2030-01-01T06:00:00Z", &["2030-01-02T06:00:00Z"]);
    check("0 0 6 * * *", "UTC", "2030-01-01T05:59:59.999Z", &["2030-01-01T06:00:00Z"]);
    check("0 0 6 * * *", "UTC", "2030-01-01T06:00:00.001Z", &["2030-01-02T06:00:00Z"]);
}

#[test]
fn a_skipped_time_of_day_runs_after_the_gap() {
    // Berlin goes from 02:00 to 03:00 on 2030-03-31, New York on 2030-03-10.
    check(
        "0 30 2 * * *",
        "Europe/Berlin",
        "2030-03-30T12:00:00Z",
        &["2030-03-31T01:00:00Z", "2030-04-01T00:30:00Z"],
    );
    check(
        "0 30 2 * * *",
        "America/New_York",
        "2030-03-09T12:00:00Z",
        &["2030-03-10T07:00:00Z", "2030-03-11T06:30:00Z"],
    );
}

#[test]
fn a_repeated_time_of_day_runs_once() {
    // Berlin repeats 02:00 to 03:00 on 2030-10-27, New York 01:00 to 02:00 on 2030-11-03.
    check(
        "0 30 2 * * *",
        "Europe/Berlin",
        "2030-10-26T12:00:00Z",
        &["2030-10-27T00:30:00Z", "2030-10-28T01:30:00Z"],
    );
    check(
        "0 30 1 * * *",
        "America/New_York",
        "2030-11-02T12:00:00Z",
        &["2030-11-03T05:30:00Z", "2030-11-04T06:30:00Z"],
    );
    // Also when asked between the two.
    check("0 30 2 * * *", "Europe/Berlin", "2030-10-27T00:45:00Z", &["2030-10-28T01:30:00Z"]);
}

#[test]
fn steps_go_on_in_real_time() {
    let half_hours = ["2030-03-31T00:30:00Z", "2030-03-31T01:00:00Z", "2030-03-31T01:30:00Z"];
    check("0 */30 * * * *", "Europe/Berlin", "2030-03-31T00:00:00Z", &half_hours);
    let half_hours =
        ["2030-10-27T00:30:00Z", "2030-10-27T01:00:00Z", "2030-10-27T01:30:00Z", "2030-10-27T02:00:00Z"];
    check("0 */30 * * * *", "Europe/Berlin", "2030-10-27T00:00:00Z", &half_hours);
    let half_hours =
        ["2030-11-03T05:30:00Z", "2030-11-03T06:00:00Z", "2030-11-03T06:30:00Z", "2030-11-03T07:00:00Z"];
    check("0 */30 * * * *", "America/New_York", "2030-11-03T05:00:00Z", &half_hours);
    // A list of hours counts as steps.
    check("0 30 2,14 * * *", "Europe/Berlin", "2030-03-30T13:30:00Z", &["2030-03-31T12:30:00Z"]);
    // Within the hour that is skipped, and the one that is repeated.
    check("0 */30 2 * * *", "Europe/Berlin", "2030-03-30T12:00:00Z", &["2030-04-01T00:00:00Z"]);
    let both = [
        "2030-10-27T00:00:00Z",
        "2030-10-27T00:30:00Z",
        "2030-10-27T01:00:00Z",
        "2030-10-27T01:30:00Z",
        "2030-10-28T01:00:00Z",
    ];
    check("0 */30 2 * * *", "Europe/Berlin", "2030-10-26T12:00:00Z", &both);
}

#[test]
fn the_offset_follows_the_seasons() {
    check(
        "0 0 6 * * *",
        "Europe/Berlin",
        "2030-03-30T00:00:00Z",
        &["2030-03-30T05:00:00Z", "2030-03-31T04:00:00Z"],
    );
    check(
        "0 0 6 * * *",
        "America/New_York",
        "2030-11-02T00:00:00Z",
        &["2030-11-02T10:00:00Z", "2030-11-03T11:00:00Z"],
    );
    check("0 0 6 * * *", "Asia/Kolkata", "2030-01-01T00:00:00Z", &["2030-01-01T00:30:00Z"]);
}

#[test]
fn intervals_are_whole_numbers_of_them_since_1970() {
    let schedule = Schedule::every(Duration::from_secs(90)).unwrap();
    assert_eq!(schedule.next_after(time("2030-01-01T00:00:00Z")), Some(time("2030-01-01T00:01:30Z")));
    assert_eq!(schedule.next_after(time("2030-01-01T00:01:30Z")), Some(time("2030-01-01T00:03:00Z")));
    assert_eq!(schedule.next_after(time("1969-12-31T23:59:59Z")), Some(time("1970-01-01T00:00:00Z")));
    let schedule = Schedule::every(Duration::from_micros(1_500_900)).unwrap();
    assert_eq!(schedule.next_after(time("1970-01-01T00:00:00Z")), Some(time("1970-01-01T00:00:01.5Z")));
    assert_eq!(schedule.next_after(DateTime::<Utc>::MAX_UTC), None);
    for interval in
        [Duration::ZERO, Duration::from_millis(999), LONGEST_INTERVAL + Duration::from_secs(1), Duration::MAX]
    {
        assert!(matches!(Schedule::every(interval), Err(SchedulerError::Interval { .. })), "{interval:?}");
    }
}

#[test]
fn one_instant_comes_once() {
    let at = time("2030-01-01T00:00:00Z");
    let schedule = Schedule::at(at);
    assert_eq!(schedule.next_after(time("2029-01-01T00:00:00Z")), Some(at));
    assert_eq!(schedule.next_after(at), None);
    assert_eq!(schedule.first_from(time("2031-01-01T00:00:00Z")), Some(at), "a time that has passed is due");
}

#[test]
fn expressions_that_read_the_same_are_one_schedule() {
    let one = Schedule::cron("0  0 6 * * mon", "Europe/Berlin").unwrap();
    assert_eq!(one, Schedule::cron(" 0 0 6 * * MON", "Europe/Berlin").unwrap());
    assert_ne!(one, Schedule::cron("0 0 6 * * MON", "UTC").unwrap());
    assert_eq!(one.to_string(), "0 0 6 * * MON Europe/Berlin");
}

#[test]
fn what_cannot_be_read_is_an_error() {
    for bad in [
        "",
        "* * * *",
        "* * * * * * 2030",
        "61 * * * * *",
        "* * * * FOO",
        "a b c d e",
        "*/0 * * * *",
        "\0",
        "💥 * * * *",
    ] {
        assert!(matches!(Schedule::cron(bad, "UTC"), Err(SchedulerError::InvalidCron { .. })), "{bad:?}");
    }
    for never in ["0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
        assert!(matches!(Schedule::cron(never, "UTC"), Err(SchedulerError::NeverDue { .. })), "{never:?}");
    }
    assert!(Schedule::cron("0 0 29 2 *", "UTC").is_ok());
    assert!(matches!(Schedule::cron("* * * * *", "Mars/Olympus"), Err(SchedulerError::UnknownZone { .. })));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(expression in "[ *,/0-9A-Z#?@+L-]{0,24}|.{0,24}") {
        let _ = Schedule::cron(&expression, "Europe/Berlin");
    }
}
