//! What can be done with a text.

use sqlparser::ast::Statement;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lexer;
use super::mutants::Mutant;
use super::statement::Walk;
use super::template::Template;

/// The longest text that is read, in bytes. A longer one is sent switched.
const LONGEST: usize = 256 * 1024;

/// How deep the parser may call itself.
const DEEPEST: usize = 32;

/// The stack of the thread that reads, in bytes. In a build without optimisation the parser takes up to 100
/// KiB a level, which is more than the stack of a worker thread has left. Only what is touched costs memory.
const STACK: usize = 8 * 1024 * 1024;

/// What was understood of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(in super::super) enum Analysis {
    /// It can name the tenant's tables in full.
    Qualified(Template),
    /// It must be sent over a connection that is switched to the tenant.
    Switched(Reason),
}

/// Why a statement is not wholly understood. It is for logs, metrics and tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Reason {
    /// The text is longer than is worth reading.
    TooLong,
    /// The text holds something that is not read.
    Text(&'static str),
    /// The parser does not know it.
    Unparsed,
    /// It is not one of SELECT, INSERT, UPDATE, DELETE and VALUES.
    Statement,
    /// It has a part that is not on the list.
    Clause(&'static str),
    /// It has an expression that is not on the list.
    Expression(&'static str),
    /// It calls a function that is not on the list.
    Function(Box<str>),
    /// It names a type or a collation that is not on the list.
    Type(Box<str>),
    /// It uses an operator that is not on the list.
    Operator(Box<str>),
    /// It names a schema.
    AlreadyQualified,
    /// It uses a key word, or a name that the server keeps for itself, as a name.
    Name(Box<str>),
    /// The parser places a name where the text does not have it.
    Misplaced,
}

impl Reason {
    /// A short word for metrics.
    #[must_use]
    fn as_str(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Text(_) => "text",
            Self::Unparsed => "unparsed",
            Self::Statement => "statement",
            Self::Clause(_) => "clause",
            Self::Expression(_) => "expression",
            Self::Function(_) => "function",
            Self::Type(_) => "type",
            Self::Operator(_) => "operator",
            Self::AlreadyQualified => "already_qualified",
            Self::Name(_) => "name",
            Self::Misplaced => "misplaced",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(what) | Self::Clause(what) | Self::Expression(what) => {
                write!(f, "{} ({what})", self.as_str())
            }
            Self::Function(what) | Self::Type(what) | Self::Operator(what) | Self::Name(what) => {
                write!(f, "{} ({what})", self.as_str())
            }
            _ => f.write_str(self.as_str()),
        }
    }
}

/// Reads a statement, in a thread of its own. Call it through [`Templates`](super::Templates), once for each
/// text.
pub(super) fn analyse(sql: &str) -> Analysis {
    if sql.len() > LONGEST {
        return Analysis::Switched(Reason::TooLong);
    }
    // Most of what is refused is refused here.
    let tokens = match lexer::read(sql) {
        Ok(tokens) => tokens,
        Err(what) => return Analysis::Switched(Reason::Text(what)),
    };
    let outcome = std::thread::scope(|scope| {
        let mutant = Mutant::current();
        let reader = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || {
            Mutant::set(mutant);
            read(sql, tokens)
        });
        // Without a thread, or with a panic of the parser, nothing is understood.
        reader.ok().and_then(|reader| reader.join().ok()).unwrap_or(Err(Reason::Unparsed))
    });
    match outcome {
        Ok(template) => Analysis::Qualified(template),
        Err(reason) => Analysis::Switched(reason),
    }
}

fn read(sql: &str, tokens: Vec<TokenWithSpan>) -> Result<Template, Reason> {
    let mut walk = Walk::new(sql);
    walk.statement(&parse(tokens)?)?;
    walk.finish()
}

fn parse(tokens: Vec<TokenWithSpan>) -> Result<Statement, Reason> {
    let dialect = PostgreSqlDialect {};
    let mut parser = Parser::new(&dialect).with_recursion_limit(DEEPEST).with_tokens_with_locations(tokens);
    let statement = parser.parse_statement().map_err(|_| Reason::Unparsed)?;
    if parser.peek_token_ref().token == Token::EOF { Ok(statement) } else { Err(Reason::Unparsed) }
}
