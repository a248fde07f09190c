//! Bounds on the tree of a text, known before the parser builds it.
//!
//! The parser counts how deep it calls itself, but not in every place, and a tree of a long chain is deep
//! too: dropping it must not overflow a stack.

use sqlparser::tokenizer::Token;

use super::lexer::Refusal;

/// How deep parentheses and brackets may nest.
const DEEPEST: usize = 40;
/// How long a chain such as `a OR b OR c` may be, in tokens, so that the tree never overflows a stack.
const LONGEST_CHAIN: usize = 512;
/// How many queries UNION and its like may combine.
const MOST_SET_OPERATIONS: usize = 128;
/// How many joins may wait for their condition, as the parser calls itself for each.
const MOST_OPEN_JOINS: usize = 8;

/// How deep the tree of the tokens read so far can be.
#[derive(Debug)]
pub(super) struct Weight {
    /// What is open: the statement, then each parenthesis.
    levels: Vec<Level>,
    /// The sums over `levels`.
    sum: Level,
    set_operations: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// Tokens since the last comma.
    chain: usize,
    /// Joins that wait for their condition: `a JOIN b JOIN c ON .. ON ..`.
    joins: usize,
}

impl Default for Weight {
    fn default() -> Self {
        Self { levels: vec![Level::default()], sum: Level::default(), set_operations: 0 }
    }
}

impl Weight {
    /// Takes a token in, or refuses it.
    pub(super) fn add(&mut self, token: &Token) -> Result<(), Refusal> {
        match token {
            Token::LParen | Token::LBracket => self.levels.push(Level::default()),
            Token::RParen | Token::RBracket => {
                self.leave();
                if self.levels.is_empty() {
                    return Err("a parenthesis too many");
                }
            }
            Token::Comma => {
                self.leave();
                self.levels.push(Level::default());
            }
            _ => {
                let is = |known: &str| match token {
                    Token::Word(word) => word.value.eq_ignore_ascii_case(known),
                    _ => false,
                };
                self.set_operations += usize::from(is("union") || is("intersect") || is("except"));
                if let Some(level) = self.levels.last_mut() {
                    level.chain += 1;
                    self.sum.chain += 1;
                    if is("join") {
                        level.joins += 1;
                        self.sum.joins += 1;
                    } else if (is("on") || is("using")) && level.joins > 0 {
                        level.joins -= 1;
                        self.sum.joins -= 1;
                    }
                }
            }
        }
        let light = self.levels.len() <= DEEPEST
            && self.sum.chain <= LONGEST_CHAIN
            && self.sum.joins <= MOST_OPEN_JOINS
            && self.set_operations <= MOST_SET_OPERATIONS;
        if light { Ok(()) } else { Err("too complex") }
    }

    fn leave(&mut self) {
        let level = self.levels.pop().unwrap_or_default();
        self.sum.chain -= level.chain;
        self.sum.joins -= level.joins;
    }
}
