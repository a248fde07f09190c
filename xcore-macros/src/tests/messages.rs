//! The cases of `tests/ui`, without a compiler: what the macros themselves say of each, compared with its `.stderr`.
//!
//! The ui suite proves more (the place of each error, and what rustc says), but takes a minute. This takes a second, so a
//! change of a message is seen at once, and `tests/mutants.sh` can afford to try each check.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, Meta};

use crate::plugin::Surroundings;
use crate::{app, config, plugin};

const UI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/ui");

#[test]
fn the_macros_say_what_the_ui_cases_expect() {
    let mut wrong = String::new();
    let mut count = 0;
    for case in cases() {
        let text = fs::read_to_string(&case).unwrap();
        let mut found = messages(&text);
        let mut expected = expected(&fs::read_to_string(case.with_extension("stderr")).unwrap_or_default());
        count += expected.len();
        found.sort();
        expected.sort();
        if found != expected {
            wrong += &format!("{}\n  found    {found:#?}\n  expected {expected:#?}\n", case.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 80, "only {count} messages were compared");
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs::read_dir(UI)
        .unwrap()
        .filter_map(|of_macro| fs::read_dir(of_macro.unwrap().path().join("fail")).ok())
        .flat_map(|folder| folder.map(|file| file.unwrap().path()))
        .filter(|file| file.extension().is_some_and(|end| end == "rs"))
        .collect();
    cases.sort();
    cases
}

/// The errors without a code: those are ours, but for one.
fn expected(stderr: &str) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in stderr.lines() {
        if let Some(message) = line.strip_prefix("error: ") {
            messages.push(message.to_owned());
            is_open = true;
        } else if line.trim_start().starts_with("--> ") {
            is_open = false;
        } else if let (true, Some(last)) = (is_open, messages.last_mut()) {
            *last += "\n";
            *last += line.strip_prefix("       ").unwrap_or_default();
        }
    }
    messages.retain(|message| !message.starts_with("future cannot be sent"));
    messages.iter().map(|message| message.trim_end().to_owned()).collect()
}

fn messages(case: &str) -> Vec<String> {
    let around = surroundings(case.lines().next().and_then(|line| line.strip_prefix("//@ yaml: ")));
    let mut expansions = TokenStream::new();
    expand(&syn::parse_file(case).unwrap().items, &around, &mut expansions);
    let mut messages = Vec::new();
    collect(expansions, &mut messages);
    messages
}

/// As `tests/ui.rs` makes them.
fn surroundings(yaml: Option<&str>) -> Surroundings {
    let version = "0.0.0".to_owned();
    let Some(yaml) = yaml else { return Surroundings { version, ..Surroundings::default() } };
    let folder = std::env::temp_dir().join(format!("xcore-macros-{}-{yaml}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::copy(Path::new(UI).join("yaml").join(yaml).with_extension("yaml"), folder.join("xcore.yaml"))
        .unwrap();
    let written =
        xcore_build::Compile::new("xcore.yaml").package("cases").folder(&folder).out_dir(&folder).write();
    let schema = written.unwrap_or_else(|problems| panic!("{problems}")).schema;
    fs::remove_dir_all(&folder).unwrap();
    Surroundings { schema: Some(schema), version, ..Surroundings::default() }
}

/// Expands every macro of ours, as the compiler would.
fn expand(items: &[Item], around: &Surroundings, expansions: &mut TokenStream) {
    for item in items {
        if let Item::Mod(module) = item {
            expand(module.content.as_ref().map_or(&[], |(_, items)| items), around, expansions);
        }
        if let Item::Macro(call) = item
            && call.mac.path.segments.last().is_some_and(|last| last.ident == "app")
        {
            expansions.extend(app::expand(call.mac.tokens.clone(), around));
        }
        let Some((attr, rest)) = without_our_attribute(item) else { continue };
        let name = attr.path().segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        expansions.extend(match name.as_str() {
            "plugin" => plugin::expand(arguments(&attr), rest, around),
            "derive" => config::expand(rest, around),
            word => plugin::misplaced(word, rest),
        });
    }
}

fn arguments(attr: &Attribute) -> TokenStream {
    match &attr.meta {
        Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    }
}

/// The attribute that the compiler would expand, and the item as the macro gets it.
fn without_our_attribute(item: &Item) -> Option<(Attribute, TokenStream)> {
    let mut item = item.clone();
    let attrs = match &mut item {
        Item::Struct(item) => &mut item.attrs,
        Item::Enum(item) => &mut item.attrs,
        Item::Union(item) => &mut item.attrs,
        Item::Fn(item) => &mut item.attrs,
        Item::Impl(block) if block.attrs.is_empty() => return in_impl(block),
        Item::Impl(block) => &mut block.attrs,
        _ => return None,
    };
    let at = attrs.iter().position(is_ours)?;
    let attr = attrs.remove(at);
    // A derive sees what serde's attributes say, but no other derive.
    attrs.retain(|attr| !attr.path().is_ident("derive"));
    Some((attr, item.into_token_stream()))
}

/// A method outside of a plugin's impl block.
fn in_impl(block: &syn::ItemImpl) -> Option<(Attribute, TokenStream)> {
    block.items.iter().find_map(|item| match item {
        syn::ImplItem::Fn(method) => {
            let attr = method.attrs.iter().find(|attr| is_ours(attr))?;
            Some((attr.clone(), method.to_token_stream()))
        }
        _ => None,
    })
}

fn is_ours(attr: &Attribute) -> bool {
    let Some(last) = attr.path().segments.last() else { return false };
    match last.ident.to_string().as_str() {
        "plugin" | "action" | "job" | "on" => true,
        "derive" => arguments(attr).to_string().contains("PluginConfig"),
        _ => false,
    }
}

/// The texts of all `compile_error!`s.
fn collect(tokens: TokenStream, messages: &mut Vec<String>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        let TokenTree::Group(group) = tree else { continue };
        if at > 1 && trees[at - 2].to_string() == "compile_error" {
            let text: syn::LitStr = syn::parse2(group.stream()).unwrap();
            messages.push(text.value().trim_end().to_owned());
        } else {
            collect(group.stream(), messages);
        }
    }
}

#[test]
fn every_check_names_a_case_that_exists() {
    let known: BTreeMap<String, ()> = cases()
        .iter()
        .filter_map(|case| {
            case.with_extension("").to_str()?.split_once("/ui/").map(|(_, name)| (name.to_owned(), ()))
        })
        .collect();
    let mut missing = Vec::new();
    for folder in ["src", "../xcore/src/plugin/proof"] {
        guards(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut |guard| {
            let stem = guard.trim_end_matches('*');
            let is_known = if stem == guard {
                known.contains_key(guard)
            } else {
                known.keys().any(|name| name.starts_with(stem))
            };
            if !is_known {
                missing.push(guard.to_owned());
            }
        });
    }
    assert!(missing.is_empty(), "these cases are named by a check and do not exist: {missing:#?}");
}

/// Each `macro/fail/case` of a comment `/// ui: ..`, which may go on in the next line.
fn guards(folder: &Path, each: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            guards(&path, each);
            continue;
        }
        let mut is_open = false;
        for line in fs::read_to_string(&path).unwrap().lines() {
            let comment = line.trim_start().strip_prefix("///").map(str::trim);
            is_open =
                comment.is_some_and(|text| text.starts_with("ui: ") || (is_open && text.contains("/fail/")));
            if is_open {
                let names = comment.unwrap_or_default().trim_start_matches("ui: ");
                names.split([',', ' ']).filter(|name| name.contains("/fail/")).for_each(&mut *each);
            }
        }
    }
}
