//@ yaml: thin
#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
struct NotesConfig {
    max_length: usize,
}

#[xcore::plugin(config = NotesConfig)]
struct Notes;

#[xcore::plugin]
impl Notes {
    #[job(every = "1h")]
    async fn tidy(&self, ctx: &NotesContext) {}
}

xcore::app! { Notes }

fn main() {}
