//! Whatever stands under a macro, it comes back, and nothing panics.

use proc_macro2::{Group, TokenStream, TokenTree};

use crate::plugin::Surroundings;
use crate::{app, config, plugin};

const STRUCT: &str = r#"#[doc = "x"] #[cfg(unix)] pub(crate) struct Orders<T> where T: Copy { limit: u32 }"#;
const ENUM: &str = "enum Orders { Open, Closed(u32) }";
const OPTIONS: &str = r#"services(db, central), config = a::B<C, D>, requires(A, b::C = "^1"), name = "x", path = "/x", crate = ::y"#;
const BLOCK: &str = r#"unsafe impl super::Orders {
    #![allow(x)]
    const X: [u8; 2] = { [1, 2] };
    type Y = u8;
    m! { a b }
    #[action(post = "/{a}/{*b}", status = 201, timeout = "5s", callers = [A, b::C], internal)]
    pub(crate) async fn place<'a>(&self, ctx: &OrdersContext, Json(new): Json<Self>, (a, b): (u8, &'a str)) -> Result<impl X, Y> where Self: Sized { a; }
    #[job(cron = "0 0 6 * * *", every = "1h", timezone = "UTC", overlap = "skip", timeout = "5m")]
    async fn report(&mut self, ctx: &mut OrdersContext, day: u32) {}
    #[on(start)] async fn started(self: Box<Self>, app: &AppContext<Self>) -> Result<()> {}
    #[cfg_attr(unix, action)] fn hidden() {}
}"#;
const CONFIG: &str = r#"#[serde(rename_all = "kebab-case", default)] #[config(plugin = "orders")] struct OrdersConfig<T> { #[serde(rename(deserialize = "x"), flatten)] r#max: Option<u8>, b: (u8,) }"#;
const APP: &str = "crate = ::x; a::B, C, ::d::E,";

/// Every stream that is one token away: without it, or with it twice.
fn variants(tokens: &TokenStream) -> Vec<TokenStream> {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut variants = Vec::new();
    for at in 0..trees.len() {
        let (before, after) = (&trees[..at], &trees[at + 1..]);
        let with =
            |middle: &[TokenTree]| before.iter().chain(middle).chain(after).cloned().collect::<TokenStream>();
        variants.push(with(&[]));
        variants.push(with(&[trees[at].clone(), trees[at].clone()]));
        if let TokenTree::Group(group) = &trees[at] {
            for inner in self::variants(&group.stream()) {
                variants.push(with(&[TokenTree::Group(Group::new(group.delimiter(), inner))]));
            }
        }
    }
    variants
}

fn around() -> Surroundings {
    Surroundings { version: "1.0.0".to_owned(), ..Surroundings::default() }
}

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap()
}

/// The tokens of `whole` that are no white space or delimiters, as one text.
fn letters(whole: &TokenStream) -> String {
    whole.to_string().replace(char::is_whitespace, "")
}

#[test]
fn an_item_that_is_one_token_off_comes_back() {
    for item in [STRUCT, ENUM].map(tokens) {
        for variant in variants(&item) {
            let expansion = plugin::expand(tokens(OPTIONS), variant.clone(), &around());
            assert!(letters(&expansion).starts_with(&letters(&variant)), "{variant}");
        }
    }
}

#[test]
fn an_impl_block_that_is_one_token_off_never_panics() {
    for variant in variants(&tokens(BLOCK)) {
        let expansion = plugin::expand(TokenStream::new(), variant.clone(), &around());
        assert!(!expansion.is_empty(), "{variant}");
    }
}

#[test]
fn options_that_are_one_token_off_never_panic() {
    for variant in variants(&tokens(OPTIONS)) {
        let expansion = plugin::expand(variant, tokens("struct Orders;"), &around());
        assert!(letters(&expansion).starts_with("structOrders;"));
    }
}

#[test]
fn the_other_macros_never_panic() {
    for variant in variants(&tokens(CONFIG)) {
        config::expand(variant, &around());
    }
    for variant in variants(&tokens(APP)) {
        assert!(letters(&app::expand(variant, &around())).contains("structApp"));
    }
}
