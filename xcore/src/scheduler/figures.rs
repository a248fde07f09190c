//! What is counted of jobs, told through the facade `metrics` to whichever recorder the app has installed.
//!
//! A job is named by its plugin and method. Nothing is labelled with a tenant or an id that a tenant chose: there may be any number.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use super::JobCall;
use super::history::RunOutcome;

const RUNS: &str = "xcore_job_runs_total";
const RETRIES: &str = "xcore_job_retries_total";
const LEFT_OUT: &str = "xcore_job_ticks_left_out_total";
const TIME: &str = "xcore_job_run_seconds";
const LATENESS: &str = "xcore_job_lateness_seconds";

/// Says what each figure means. Repeating it is harmless.
pub(super) fn describe() {
    describe_counter!(RUNS, Unit::Count, "Runs of jobs that ended, by job and outcome");
    describe_counter!(RETRIES, Unit::Count, "Runs of jobs that failed and are tried again");
    describe_counter!(LEFT_OUT, Unit::Count, "Ticks without a run, because the earlier one was not done");
    describe_histogram!(TIME, Unit::Seconds, "Time that a run of a job took");
    describe_histogram!(LATENESS, Unit::Seconds, "Time from the tick of a job to the beginning of its run");
}

/// A run begins, so long after its tick.
pub(super) fn begun(call: &JobCall, late: Duration) {
    histogram!(LATENESS, "job" => call.to_string()).record(late);
}

/// A run has ended.
pub(super) fn ended(call: &JobCall, outcome: RunOutcome, took: Duration) {
    let job = call.to_string();
    histogram!(TIME, "job" => job.clone()).record(took);
    counter!(RUNS, "job" => job, "outcome" => outcome.as_str()).increment(1);
}

/// A run has failed, and there will be another attempt.
pub(super) fn tried_again(call: &JobCall) {
    counter!(RETRIES, "job" => call.to_string()).increment(1);
}

/// A tick passes without a run.
pub(super) fn left_out(call: &JobCall) {
    counter!(LEFT_OUT, "job" => call.to_string()).increment(1);
}
