//@ yaml: thin
#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
struct NotesConfig {
    max_length: String,
    retries: u8,
}

#[xcore::plugin(services(db, cache), config = NotesConfig)]
struct Notes;

#[xcore::plugin]
impl Notes {}

xcore::app! { Notes }

fn main() {}
