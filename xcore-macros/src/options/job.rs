//! `#[job(cron = "0 0 6 * * *", every = "30s", timezone = "Europe/Berlin", per = "tenant", overlap = "skip", timeout = "5m", retries = 3,
//! backoff = "10s", jitter = "1m", misfire = "once")]`

use proc_macro2::{Ident, TokenStream};
use syn::parse::ParseStream;
use syn::{LitInt, LitStr};

use super::{Grammar, number, text};
use crate::sink::Sink;

const JOB: Grammar = Grammar {
    attribute: "`#[job]`",
    noun: "option",
    options: &[
        "cron", "every", "timezone", "per", "overlap", "timeout", "retries", "backoff", "jitter", "misfire",
    ],
    synonyms: &[
        ("schedule", "cron"),
        ("interval", "every"),
        ("tz", "timezone"),
        ("zone", "timezone"),
        ("concurrency", "overlap"),
        ("scope", "per"),
        ("retry", "retries"),
        ("delay", "backoff"),
        ("spread", "jitter"),
        ("missed", "misfire"),
    ],
};

/// The options of a job.
#[derive(Default)]
pub(crate) struct JobOptions {
    pub(crate) cron: Option<LitStr>,
    pub(crate) every: Option<(Ident, LitStr)>,
    pub(crate) timezone: Option<(Ident, LitStr)>,
    pub(crate) per: Option<(Ident, LitStr)>,
    pub(crate) overlap: Option<LitStr>,
    pub(crate) timeout: Option<LitStr>,
    pub(crate) retries: Option<LitInt>,
    pub(crate) backoff: Option<(Ident, LitStr)>,
    pub(crate) jitter: Option<LitStr>,
    pub(crate) misfire: Option<LitStr>,
}

impl JobOptions {
    pub(crate) fn parse(tokens: TokenStream, sink: &mut Sink) -> Self {
        let mut options = Self::default();
        JOB.parse(tokens, sink, |key, input, _| options.parse_one(key, input));
        options
    }

    fn parse_one(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match key.to_string().as_str() {
            "cron" => self.cron = Some(text(key, input, "\"0 0 6 * * *\"")?),
            "every" => self.every = Some((key.clone(), text(key, input, "\"30s\"")?)),
            "timezone" => self.timezone = Some((key.clone(), text(key, input, "\"Europe/Berlin\"")?)),
            "per" => self.per = Some((key.clone(), text(key, input, "\"tenant\"")?)),
            "overlap" => self.overlap = Some(text(key, input, "\"skip\"")?),
            "retries" => self.retries = Some(number(key, input, "3")?),
            "backoff" => self.backoff = Some((key.clone(), text(key, input, "\"10s\"")?)),
            "jitter" => self.jitter = Some(text(key, input, "\"1m\"")?),
            "misfire" => self.misfire = Some(text(key, input, "\"once\"")?),
            _ => self.timeout = Some(text(key, input, "\"5m\"")?),
        }
        Ok(())
    }
}
