//! How far work on many tenants has come: a bar on a terminal, a line per tenant elsewhere.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::app::fleet::Outcome;
use crate::plugin::chain;

/// What the bar looks like.
const STYLE: &str = "{prefix} [{bar:40}] {pos}/{len} {msg} {eta_precise}";

pub(super) enum Progress {
    Bar(ProgressBar),
    Lines { done: usize, total: usize },
}

impl Progress {
    /// On the error stream, so that what is printed can be piped.
    pub(super) fn new(what: &'static str, total: usize) -> Self {
        if !io::stderr().is_terminal() {
            return Self::Lines { done: 0, total };
        }
        let bar = ProgressBar::with_draw_target(
            Some(u64::try_from(total).unwrap_or(u64::MAX)),
            ProgressDrawTarget::stderr(),
        );
        if let Ok(style) = ProgressStyle::with_template(STYLE) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(what);
        Self::Bar(bar)
    }

    /// One more tenant is done with. What went wrong is said at once.
    pub(super) fn done(&mut self, (id, outcome): &Outcome, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Bar(bar) => {
                if let Err(problem) = outcome {
                    bar.println(format!("{id}: {}", chain(problem)));
                }
                bar.set_message(id.to_string());
                bar.inc(1);
            }
            Self::Lines { done, total } => {
                *done += 1;
                let place = format!("[{done}/{total}] {id}");
                match outcome {
                    Ok(migrations) => writeln!(out, "{place}: {} applied", migrations.len())?,
                    Err(problem) => writeln!(io::stderr(), "{place}: {}", chain(problem))?,
                }
            }
        }
        Ok(())
    }

    pub(super) fn end(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
