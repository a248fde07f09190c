//! The part of PostgreSQL's lexical rules that is understood.
//!
//! The rules are those of the chapter "Lexical Structure" and of the server's `scan.l`. Whatever is read
//! differently by different settings, versions or encodings, or is just rare, is refused: backslashes in
//! plain strings, `U&`, dollar quotes, nested comments, `$` and letters beyond ASCII in bare names, names
//! that the server would truncate, strings that go on in the next line, operators that are not on the list.

use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::weight::Weight;

/// The longest name that the server does not truncate, in bytes.
const LONGEST_NAME: usize = 63;

/// What the lexer does not understand.
pub(super) type Refusal = &'static str;

/// Reads a text into tokens whose columns are byte offsets.
pub(super) fn read(text: &str) -> Result<Vec<TokenWithSpan>, Refusal> {
    let mut lexer =
        Lexer { text, at: 0, tokens: Vec::with_capacity(text.len() / 4), weight: Weight::default() };
    lexer.run()?;
    Ok(lexer.tokens)
}

/// The bytes that a span of a token covers.
pub(super) fn bytes_of(span: Span) -> Option<std::ops::Range<usize>> {
    if span.start.line != 1 || span.end.line != 1 {
        return None;
    }
    let start = usize::try_from(span.start.column).ok()?.checked_sub(1)?;
    let end = usize::try_from(span.end.column).ok()?.checked_sub(1)?;
    Some(start..end)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<TokenWithSpan>,
    weight: Weight,
}

const fn begins_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

const fn continues_word(byte: u8) -> bool {
    begins_word(byte) || byte.is_ascii_digit() || byte == b'$'
}

const fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'+' | b'-'
            | b'*'
            | b'/'
            | b'<'
            | b'>'
            | b'='
            | b'~'
            | b'!'
            | b'@'
            | b'#'
            | b'%'
            | b'^'
            | b'&'
            | b'|'
            | b'`'
            | b'?'
    )
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        // A text never holds a NUL, see `run`.
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn run(&mut self) -> Result<(), Refusal> {
        if self.text.as_bytes().contains(&0) {
            return Err("a NUL");
        }
        let mut ended = false;
        while self.at < self.text.len() {
            let start = self.at;
            let Some(token) = self.next()? else { continue };
            if ended {
                return Err("more than one statement");
            }
            if token == Token::SemiColon {
                ended = true;
                continue;
            }
            self.check_neighbours(&token)?;
            self.weight.add(&token)?;
            let place = |at: usize| Location { line: 1, column: at as u64 + 1 };
            self.tokens
                .push(TokenWithSpan { token, span: Span { start: place(start), end: place(self.at) } });
        }
        Ok(())
    }

    /// Strings that follow one another are one string when a line ends between them.
    fn check_neighbours(&self, token: &Token) -> Result<(), Refusal> {
        let is_string =
            |token: &Token| matches!(token, Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_));
        if is_string(token) && self.tokens.last().is_some_and(|last| is_string(&last.token)) {
            return Err("a string after a string");
        }
        Ok(())
    }

    /// One token, or nothing for white space and comments.
    fn next(&mut self) -> Result<Option<Token>, Refusal> {
        let byte = self.peek(0);
        let single = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => {
                self.at += 1;
                return Ok(None);
            }
            b'-' if self.peek(1) == b'-' => {
                while self.at < self.text.len() && !matches!(self.peek(0), b'\n' | b'\r') {
                    self.at += 1;
                }
                return Ok(None);
            }
            b'/' if self.peek(1) == b'*' => return self.comment().map(|()| None),
            b'\'' => return self.string().map(Some),
            b'"' => return self.quoted_name().map(Some),
            b'$' => return self.placeholder().map(Some),
            b':' => return self.cast().map(Some),
            b'0'..=b'9' => return self.number().map(Some),
            _ if begins_word(byte) => return self.word().map(Some),
            _ if is_operator(byte) => return self.operator().map(Some),
            b'.' if self.peek(1).is_ascii_digit() || self.peek(1) == b'.' => {
                return Err("a dot before a digit");
            }
            b'.' => Token::Period,
            b',' => Token::Comma,
            b'(' => Token::LParen,
            b')' => Token::RParen,
            b'[' => Token::LBracket,
            b']' => Token::RBracket,
            b';' => Token::SemiColon,
            _ => return Err("a character that is not understood"),
        };
        self.at += 1;
        Ok(Some(single))
    }

    fn comment(&mut self) -> Result<(), Refusal> {
        let body = &self.text[self.at + 2..];
        let end = body.find("*/").ok_or("a comment without an end")?;
        // With the asterisk of the end: `/*/*/` opens twice.
        if body[..=end].contains("/*") {
            return Err("a comment in a comment");
        }
        self.at += 2 + end + 2;
        Ok(())
    }

    /// `'..'` with `''` for a quote.
    fn string(&mut self) -> Result<Token, Refusal> {
        let start = self.at + 1;
        self.at = start;
        loop {
            match self.peek(0) {
                0 => return Err("a string without an end"),
                b'\\' => return Err("a backslash in a plain string"),
                b'\'' if self.peek(1) == b'\'' => self.at += 2,
                b'\'' => break,
                _ => self.at += 1,
            }
        }
        self.end_of_string(start).map(Token::SingleQuotedString)
    }

    /// `E'..'`, from the quote on.
    fn escape_string(&mut self) -> Result<Token, Refusal> {
        let start = self.at + 1;
        self.at = start;
        loop {
            match self.peek(0) {
                0 => return Err("a string without an end"),
                b'\\' if self.peek(1).is_ascii() && self.peek(1) != 0 => self.at += 2,
                b'\\' => return Err("an escape that is not understood"),
                b'\'' if self.peek(1) == b'\'' => self.at += 2,
                b'\'' => break,
                _ => self.at += 1,
            }
        }
        self.end_of_string(start).map(Token::EscapedStringLiteral)
    }

    fn end_of_string(&mut self, start: usize) -> Result<String, Refusal> {
        let value = self.text[start..self.at].to_owned();
        self.at += 1;
        if continues_word(self.peek(0)) || self.peek(0) == b'"' {
            return Err("a string that touches the next word");
        }
        Ok(value)
    }

    fn quoted_name(&mut self) -> Result<Token, Refusal> {
        let body = &self.text[self.at + 1..];
        let end = body.find('"').ok_or("a name without an end")?;
        let name = &body[..end];
        self.at += end + 2;
        if name.is_empty() || name.len() > LONGEST_NAME {
            return Err("a name that is empty or too long");
        }
        // This also refuses a quote in a name.
        if continues_word(self.peek(0)) || matches!(self.peek(0), b'"' | b'\'') {
            return Err("a name that touches the next word");
        }
        Ok(Token::make_word(name, Some('"')))
    }

    fn word(&mut self) -> Result<Token, Refusal> {
        let start = self.at;
        while begins_word(self.peek(0)) || self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
        let word = &self.text[start..self.at];
        match self.peek(0) {
            b'\'' if word.eq_ignore_ascii_case("e") => return self.escape_string(),
            b'\'' | b'"' => return Err("a word that touches a quote"),
            b'$' => return Err("a dollar sign in a name"),
            b'&' if word.eq_ignore_ascii_case("u") => return Err("Unicode escapes"),
            _ => {}
        }
        if !word.is_ascii() {
            return Err("a letter beyond ASCII in a bare name");
        }
        if word.len() > LONGEST_NAME {
            return Err("a name that is empty or too long");
        }
        Ok(Token::make_word(word, None))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Token, Refusal> {
        const ODD: Refusal = "a number that is not understood";
        let start = self.at;
        self.digits();
        if self.peek(0) == b'.' {
            self.at += 1;
            if self.digits() == 0 {
                return Err(ODD);
            }
        }
        if matches!(self.peek(0), b'e' | b'E') {
            self.at += if matches!(self.peek(1), b'+' | b'-') { 2 } else { 1 };
            if self.digits() == 0 {
                return Err(ODD);
            }
        }
        if continues_word(self.peek(0)) || matches!(self.peek(0), b'.' | b'\'' | b'"') {
            return Err(ODD);
        }
        Ok(Token::Number(self.text[start..self.at].to_owned(), false))
    }

    /// `$1`; dollar quotes are refused.
    fn placeholder(&mut self) -> Result<Token, Refusal> {
        let start = self.at;
        self.at += 1;
        let digits = self.digits();
        if !(1..=5).contains(&digits) || continues_word(self.peek(0)) || matches!(self.peek(0), b'\'' | b'"')
        {
            return Err("a dollar quote");
        }
        Ok(Token::Placeholder(self.text[start..self.at].to_owned()))
    }

    fn cast(&mut self) -> Result<Token, Refusal> {
        if self.peek(1) != b':' || matches!(self.peek(2), b':' | b'=') {
            return Err("a colon");
        }
        self.at += 2;
        Ok(Token::DoubleColon)
    }

    fn operator(&mut self) -> Result<Token, Refusal> {
        let rest = &self.text.as_bytes()[self.at..];
        let mut len = rest.iter().position(|&byte| !is_operator(byte)).unwrap_or(rest.len());
        // A comment ends an operator.
        if let Some(comment) = rest[..len].windows(2).position(|pair| pair == b"--" || pair == b"/*") {
            len = comment;
        }
        // Only an operator with one of these characters may end in a sign.
        let signed = rest[..len].iter().any(|byte| b"~!@#%^&|`?".contains(byte));
        while len > 1 && !signed && matches!(rest[len - 1], b'+' | b'-') {
            len -= 1;
        }
        let token = known_operator(&rest[..len]).ok_or("an operator that is not known")?;
        self.at += len;
        Ok(token)
    }
}

/// Operators of `pg_catalog`. `%` is not among them, so that the extension `pg_trgm`, which has one too, does
/// no harm.
///
/// The list is repeated in `plain.sql`.
fn known_operator(text: &[u8]) -> Option<Token> {
    Some(match text {
        b"+" => Token::Plus,
        b"-" => Token::Minus,
        b"*" => Token::Mul,
        b"/" => Token::Div,
        b"^" => Token::Caret,
        b"=" => Token::Eq,
        b"<>" | b"!=" => Token::Neq,
        b"<" => Token::Lt,
        b"<=" => Token::LtEq,
        b">" => Token::Gt,
        b">=" => Token::GtEq,
        b"||" => Token::StringConcat,
        b"->" => Token::Arrow,
        b"->>" => Token::LongArrow,
        b"#>" => Token::HashArrow,
        b"#>>" => Token::HashLongArrow,
        b"#-" => Token::HashMinus,
        b"@>" => Token::AtArrow,
        b"<@" => Token::ArrowAt,
        b"@?" => Token::AtQuestion,
        b"?" => Token::Question,
        b"?|" => Token::QuestionPipe,
        b"?&" => Token::QuestionAnd,
        b"&&" => Token::Overlap,
        b"&" => Token::Ampersand,
        b"|" => Token::Pipe,
        b"#" => Token::Sharp,
        b"<<" => Token::ShiftLeft,
        b">>" => Token::ShiftRight,
        b"~" => Token::Tilde,
        b"~*" => Token::TildeAsterisk,
        b"!~" => Token::ExclamationMarkTilde,
        b"!~*" => Token::ExclamationMarkTildeAsterisk,
        _ => return None,
    })
}
