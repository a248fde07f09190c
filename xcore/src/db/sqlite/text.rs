//! Reads SQL text as SQLite's tokenizer does, to know before it runs what it can do to a connection.
//!
//! Safe Rust offers no authorizer callback, so this is the gate. It decides by the *first word of each statement*
//! against a list of what is allowed; what is not on the list is refused, so a statement kind that a later SQLite
//! brings is refused until somebody has thought about it. Words that would leave the tenant's file (`ATTACH`,
//! `DETACH`, `VACUUM INTO`) can only be the first word of a statement in SQLite's grammar: no CTE, subquery or
//! expression holds one. So what matters is to find where statements begin, which rests on reading comments, strings
//! and quoted names exactly like `sqlite3GetToken`. A differential test holds the two against each other.

/// What a text does beyond reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Verdict {
    /// It may write to the database.
    pub(super) writes: bool,
    /// It may change the schema, on which prepared statements of other connections rest.
    pub(super) schema: bool,
    /// It changes the session: the connection is closed instead of reused (I3).
    pub(super) session: bool,
    /// It begins, ends or marks a transaction.
    pub(super) transaction: bool,
}

/// Says what a text does, or why it is refused.
pub(super) fn judge(text: &str) -> Result<Verdict, &'static str> {
    // The driver trims Unicode white space, which SQLite would read as part of a word.
    let text = text.trim().as_bytes();
    if text.contains(&0) {
        return Err("it holds a NUL byte");
    }
    let mut judge = Judge::default();
    let mut tokens = Tokens { text, at: 0 };
    while let Some(token) = tokens.next() {
        judge.take(token)?;
    }
    judge.end_of_statement()?;
    Ok(judge.verdict)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// A bare word: a keyword or a name.
    Word(&'a [u8]),
    /// A name or text in quotes, without them.
    Quoted(&'a [u8]),
    Semicolon,
    Dot,
    /// `=` or `(`: a PRAGMA gets a value.
    Value,
    Other,
}

struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
}

/// What a byte may begin or continue.
const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0c | b'\r')
}

impl<'a> Tokens<'a> {
    fn peek(&self, ahead: usize) -> u8 {
        // SQLite sees a NUL behind the end.
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|&byte| !wanted(byte)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let byte = *self.text.get(self.at)?;
            match byte {
                _ if is_space(byte) => self.at += 1,
                b'-' if self.peek(1) == b'-' => {
                    self.take_while(|byte| byte != b'\n');
                }
                // `/*` at the very end of the text is a slash and a star.
                b'/' if self.peek(1) == b'*' && self.at + 2 < self.text.len() => self.skip_comment(),
                0xef if self.peek(1) == 0xbb && self.peek(2) == 0xbf => self.at += 3,
                b'\'' | b'"' | b'`' => return Some(self.quoted(byte)),
                b'[' => {
                    self.at += 1;
                    let name = self.take_while(|byte| byte != b']');
                    self.at += 1;
                    return Some(Token::Quoted(name));
                }
                b'x' | b'X' if self.peek(1) == b'\'' => {
                    self.at += 2;
                    self.take_while(|byte| byte != b'\'');
                    self.at += 1;
                    return Some(Token::Other);
                }
                b'$' | b'@' | b'#' | b':' => return Some(self.variable()),
                b'?' => {
                    self.at += 1;
                    self.take_while(|byte| byte.is_ascii_digit());
                    return Some(Token::Other);
                }
                b'0'..=b'9' => {
                    self.number();
                    return Some(Token::Other);
                }
                b'.' if self.peek(1).is_ascii_digit() => {
                    self.number();
                    return Some(Token::Other);
                }
                _ if is_word_byte(byte) => return Some(Token::Word(self.take_while(is_word_byte))),
                _ => {
                    self.at += 1;
                    return Some(match byte {
                        b';' => Token::Semicolon,
                        b'.' => Token::Dot,
                        b'=' | b'(' => Token::Value,
                        _ => Token::Other,
                    });
                }
            }
        }
    }

    fn skip_comment(&mut self) {
        let inside = &self.text[self.at + 2..];
        match inside.windows(2).position(|pair| pair == b"*/") {
            Some(len) => self.at += 2 + len + 2,
            None => self.at = self.text.len(),
        }
    }

    fn quoted(&mut self, quote: u8) -> Token<'a> {
        let start = self.at + 1;
        self.at = start;
        loop {
            self.take_while(|byte| byte != quote);
            let end = self.at.min(self.text.len());
            if self.peek(0) == quote && self.peek(1) == quote {
                self.at += 2;
            } else {
                self.at += 1;
                return Token::Quoted(&self.text[start..end]);
            }
        }
    }

    /// `:name`, `$name::part(suffix)`: the suffix may hold quotes and semicolons.
    fn variable(&mut self) -> Token<'a> {
        self.at += 1;
        let mut named = false;
        loop {
            let byte = self.peek(0);
            if is_word_byte(byte) {
                named = true;
                self.at += 1;
            } else if byte == b'(' && named {
                self.at += 1;
                self.take_while(|byte| !is_space(byte) && byte != b')');
                if self.peek(0) == b')' {
                    self.at += 1;
                }
                return Token::Other;
            } else if byte == b':' && self.peek(1) == b':' {
                self.at += 2;
            } else {
                return Token::Other;
            }
        }
    }

    fn number(&mut self) {
        // The sign of an exponent becomes a token of its own, which moves no quote, comment or semicolon.
        self.take_while(is_word_byte);
        if self.peek(0) == b'.' {
            self.at += 1;
            self.take_while(is_word_byte);
        }
    }
}

#[derive(Default)]
struct Judge<'a> {
    verdict: Verdict,
    statement: Statement<'a>,
    in_trigger: bool,
}

/// The statement that is being read.
#[derive(Default)]
struct Statement<'a> {
    kind: Kind,
    words: u8,
    pragma: Pragma<'a>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Empty,
    Explain,
    Plain,
    With,
    Create,
    Vacuum,
    Pragma,
}

#[derive(Default)]
struct Pragma<'a> {
    name: &'a [u8],
    dot: bool,
    value: bool,
}

impl<'a> Judge<'a> {
    fn take(&mut self, token: Token<'a>) -> Result<(), &'static str> {
        if token == Token::Semicolon {
            return self.end_of_statement();
        }
        match self.statement.kind {
            Kind::Empty => self.first_word(token),
            Kind::Explain => match token {
                Token::Word(word) if is(word, "query") || is(word, "plan") => Ok(()),
                _ => self.first_word(token),
            },
            Kind::With => {
                if let Token::Word(word) = token
                    && (is(word, "insert") || is(word, "update") || is(word, "delete") || is(word, "replace"))
                {
                    self.verdict.writes = true;
                }
                Ok(())
            }
            Kind::Create => {
                if let Token::Word(name) | Token::Quoted(name) = token {
                    self.statement.words = self.statement.words.saturating_add(1);
                    let temporary = is(name, "temp") || is(name, "temporary");
                    self.verdict.session |= temporary;
                    if self.statement.words == 1 && matches!(token, Token::Word(word) if is(word, "trigger"))
                    {
                        self.in_trigger = true;
                    } else if temporary && self.statement.words == 1 {
                        self.statement.words = 0;
                    }
                }
                Ok(())
            }
            Kind::Vacuum => match token {
                Token::Word(word) if is(word, "into") => {
                    Err("VACUUM INTO writes a file of its own; copy the database with the operator's tools")
                }
                _ => Ok(()),
            },
            Kind::Plain => Ok(()),
            Kind::Pragma => {
                let pragma = &mut self.statement.pragma;
                match token {
                    Token::Dot if !pragma.value => pragma.dot = true,
                    Token::Word(name) | Token::Quoted(name)
                        if !pragma.value && (pragma.name.is_empty() || pragma.dot) =>
                    {
                        pragma.name = name;
                        pragma.dot = false;
                    }
                    Token::Value => pragma.value = true,
                    _ => {}
                }
                Ok(())
            }
        }
    }

    fn first_word(&mut self, token: Token<'a>) -> Result<(), &'static str> {
        const UNKNOWN: &str = "it begins with something that is no known statement";
        let Token::Word(word) = token else {
            return Err(UNKNOWN);
        };
        let mut lower = [0; 9];
        let lower = match lower.get_mut(..word.len()) {
            Some(lower) => {
                lower.copy_from_slice(word);
                lower.make_ascii_lowercase();
                &*lower
            }
            None => return Err(UNKNOWN),
        };
        let (kind, verdict) = match lower {
            b"select" | b"values" => (Kind::Plain, READS),
            b"with" => (Kind::With, READS),
            b"insert" | b"update" | b"delete" | b"replace" => (Kind::Plain, WRITES),
            b"end" if self.in_trigger => {
                self.in_trigger = false;
                (Kind::Plain, READS)
            }
            _ if self.in_trigger => {
                return Err("a trigger holds only SELECT, INSERT, UPDATE, DELETE and REPLACE");
            }
            b"explain" => (Kind::Explain, READS),
            b"create" => (Kind::Create, CHANGES_SCHEMA),
            b"drop" | b"alter" | b"reindex" | b"analyze" => (Kind::Plain, CHANGES_SCHEMA),
            b"vacuum" => (Kind::Vacuum, CHANGES_SCHEMA),
            b"pragma" => (Kind::Pragma, READS),
            b"begin" | b"commit" | b"end" | b"rollback" | b"savepoint" | b"release" => {
                (Kind::Plain, CONTROLS_TRANSACTION)
            }
            b"attach" | b"detach" => {
                return Err(
                    "ATTACH and DETACH reach databases of others; a tenant has its own tables and the shared ones",
                );
            }
            _ => return Err(UNKNOWN),
        };
        self.statement.kind = kind;
        self.verdict.writes |= verdict.writes;
        self.verdict.schema |= verdict.schema;
        self.verdict.session |= verdict.session;
        self.verdict.transaction |= verdict.transaction;
        Ok(())
    }

    fn end_of_statement(&mut self) -> Result<(), &'static str> {
        let statement = std::mem::take(&mut self.statement);
        if statement.kind == Kind::Pragma {
            match pragma(&statement.pragma)? {
                PragmaKind::Reads => {}
                PragmaKind::ChangesSession => {
                    self.verdict.session = true;
                    self.verdict.writes = true;
                }
            }
        }
        Ok(())
    }
}

const READS: Verdict = Verdict { writes: false, schema: false, session: false, transaction: false };
const WRITES: Verdict = Verdict { writes: true, ..READS };
const CHANGES_SCHEMA: Verdict = Verdict { schema: true, ..WRITES };
const CONTROLS_TRANSACTION: Verdict = Verdict { transaction: true, session: true, ..WRITES };

enum PragmaKind {
    Reads,
    ChangesSession,
}

fn pragma(pragma: &Pragma<'_>) -> Result<PragmaKind, &'static str> {
    const READING: [&str; 22] = [
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "foreign_key_list",
        "foreign_key_check",
        "integrity_check",
        "quick_check",
        "database_list",
        "collation_list",
        "function_list",
        "module_list",
        "pragma_list",
        "compile_options",
        "page_count",
        "freelist_count",
        "data_version",
        "encoding",
        "schema_version",
        "page_size",
    ];
    // Reading one without a value changes nothing, and setting one ends with the connection or is stored in the
    // tenant's own file.
    const SETTING: [&str; 20] = [
        "foreign_keys",
        "defer_foreign_keys",
        "recursive_triggers",
        "ignore_check_constraints",
        "legacy_alter_table",
        "case_sensitive_like",
        "reverse_unordered_selects",
        "automatic_index",
        "query_only",
        "read_uncommitted",
        "cache_size",
        "busy_timeout",
        "temp_store",
        "threads",
        "analysis_limit",
        "optimize",
        "incremental_vacuum",
        "wal_checkpoint",
        "user_version",
        "trusted_schema",
    ];
    let among = |names: &[&str]| names.iter().any(|name| is(pragma.name, name));
    if among(&READING)
        && !(pragma.value
            && (is(pragma.name, "schema_version")
                || is(pragma.name, "encoding")
                || is(pragma.name, "page_size")))
    {
        Ok(PragmaKind::Reads)
    } else if among(&SETTING) {
        Ok(PragmaKind::ChangesSession)
    } else {
        Err(
            "this PRAGMA reaches beyond the session or is not known; the framework sets journal mode, locking and durability",
        )
    }
}

fn is(word: &[u8], lower: &str) -> bool {
    word.eq_ignore_ascii_case(lower.as_bytes())
}

#[cfg(test)]
mod tests;
