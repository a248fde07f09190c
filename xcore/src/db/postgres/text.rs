//! Reads SQL text, to know what it can do to a session (I3).
//!
//! The question is answered from a list of what is known to be harmless: one statement that reads or writes rows and
//! calls known functions only. Whatever is not on the list may change the session, and the session is then reset in
//! full. So a kind of statement that a later server brings is reset until somebody has thought about it.

/// What a text may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Verdict {
    /// It may write.
    pub(super) writes: bool,
    /// It may change the session.
    pub(super) session: bool,
    /// It may begin, end or mark a transaction.
    pub(super) transaction: bool,
    /// It asks the session what was done in it before, so it needs one in which nothing was.
    pub(super) fresh: bool,
    /// How the server reads it depends on settings, so it may do more than is seen here.
    pub(super) unclear: bool,
    /// It may make, change or drop functions, types or tables.
    pub(super) defines: bool,
    /// It was made to name its tables in full, and needs no path.
    pub(super) in_full: bool,
}

/// What may stand before a parenthesis without being the call of an unknown function.
pub(super) const HARMLESS: &[&str] = &[
    "abs",
    "all",
    "and",
    "any",
    "array_agg",
    "array_length",
    "as",
    "avg",
    "between",
    "bool_and",
    "bool_or",
    "btrim",
    "by",
    "case",
    "cast",
    "ceil",
    "char",
    "char_length",
    "coalesce",
    "concat",
    "concat_ws",
    "conflict",
    "count",
    "cume_dist",
    "date",
    "date_part",
    "date_trunc",
    "decimal",
    "dense_rank",
    "distinct",
    "else",
    "end",
    "every",
    "except",
    "exists",
    "extract",
    "filter",
    "first_value",
    "floor",
    "from",
    "gen_random_uuid",
    "generate_series",
    "greatest",
    "having",
    "ilike",
    "in",
    "intersect",
    "is",
    "join",
    "json_agg",
    "json_array_elements",
    "json_array_elements_text",
    "json_build_object",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_build_object",
    "jsonb_object_agg",
    "lag",
    "last_value",
    "lateral",
    "lead",
    "least",
    "left",
    "length",
    "like",
    "limit",
    "lower",
    "ltrim",
    "materialized",
    "max",
    "md5",
    "min",
    "mod",
    "not",
    "now",
    "ntile",
    "nullif",
    "numeric",
    "offset",
    "on",
    "or",
    "over",
    "percent_rank",
    "position",
    "power",
    "random",
    "rank",
    "replace",
    "returning",
    "right",
    "round",
    "row",
    "row_number",
    "row_to_json",
    "rtrim",
    "select",
    "set",
    "some",
    "split_part",
    "sqrt",
    "starts_with",
    "string_agg",
    "strpos",
    "substr",
    "substring",
    "sum",
    "then",
    "time",
    "timestamp",
    "to_char",
    "to_json",
    "to_jsonb",
    "trim",
    "trunc",
    "union",
    "unnest",
    "upper",
    "using",
    "values",
    "varchar",
    "when",
    "where",
    "with",
];

const TRANSACTION: &[&str] =
    &["abort", "begin", "commit", "end", "release", "rollback", "savepoint", "start"];

/// What changes the session and defines nothing that outlives it.
const SETTINGS: &[&str] = &[
    "close",
    "deallocate",
    "declare",
    "discard",
    "fetch",
    "listen",
    "lock",
    "notify",
    "reset",
    "set",
    "show",
    "unlisten",
];

/// What a session remembers of inserts.
const SEQUENCES: &[&str] = &["currval", "lastval"];

/// Says what a text may do.
pub(super) fn judge(text: &str) -> Verdict {
    let mut verdict = Verdict::default();
    let mut tokens = Tokens::of(text);
    let mut statements = 0;
    let mut begins = true;
    let mut before = Token::Other;
    // Whether a parenthesis opens the columns of the table behind INTO.
    let mut into = false;
    // What stands before the dot before this token.
    let mut dotted = None;
    while let Some(token) = tokens.next() {
        match token {
            Token::Semicolon => begins = true,
            Token::Word(word) if begins => {
                begins = false;
                statements += 1;
                verdict.take_first(word);
            }
            _ if begins => {
                begins = false;
                statements += 1;
                verdict.writes = true;
                // A statement may begin with a parenthesis: `(SELECT ..) UNION ..`.
                verdict.session |= token != Token::Open;
                verdict.defines |= token != Token::Open;
            }
            Token::Word(word) => verdict.take_word(word, before),
            Token::Open => {
                let harmless = match before {
                    // In a schema that is named it is another one.
                    Token::Word(name) => (is_in(name, HARMLESS) && is_found_by_path(dotted)) || into,
                    Token::Quoted => into,
                    _ => true,
                };
                verdict.session |= !harmless;
                // The server's own do not define anything; what others do is not known.
                verdict.defines |= !harmless && !matches!(before, Token::Word(name) if is_own(name));
            }
            _ => {}
        }
        if before == Token::Dot && calls_by_dot(dotted, token) {
            verdict.session = true;
            verdict.writes = true;
            verdict.defines = true;
        }
        if token == Token::Dot {
            dotted = Some(before);
        } else if before != Token::Dot {
            dotted = None;
        }
        into = match token {
            Token::Word(word) if word.eq_ignore_ascii_case(b"into") => true,
            Token::Word(_) | Token::Quoted => {
                into && !matches!(before, Token::Word(w) if !w.eq_ignore_ascii_case(b"into"))
            }
            Token::Dot => into,
            _ => false,
        };
        before = token;
    }
    if statements != 1 || tokens.odd {
        verdict.session |= statements > 0;
        verdict.writes = true;
        verdict.unclear = tokens.odd;
        verdict.defines |= tokens.odd;
    }
    verdict
}

/// Whether a function is looked up by the path, or in the catalog. One of a named schema may have the name of a harmless one.
pub(super) fn is_found_by_path(dotted: Option<Token<'_>>) -> bool {
    dotted.is_none_or(|schema| matches!(schema, Token::Word(schema) if is_in(schema, &["pg_catalog"])))
}

/// Whether a name behind a dot may call one of the server's functions: `(id).pg_advisory_lock`. With a table or a schema before the dot,
/// as in `cake.name`, it may call one of users only, see `user_code.rs`.
pub(super) fn calls_by_dot(dotted: Option<Token<'_>>, token: Token<'_>) -> bool {
    let names = match token {
        Token::Word(word) => !word.first().is_some_and(u8::is_ascii_digit),
        Token::Quoted => true,
        _ => false,
    };
    names && !matches!(dotted, Some(Token::Word(_) | Token::Quoted))
}

/// Whether a function is likely to be the server's own.
fn is_own(name: &[u8]) -> bool {
    name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"pg_"))
        || is_in(name, SEQUENCES)
        || is_in(name, &["current_setting", "set_config"])
}

pub(super) fn is_in(word: &[u8], list: &[&str]) -> bool {
    list.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

impl Verdict {
    fn take_first(&mut self, word: &[u8]) {
        let is = |known: &[&str]| is_in(word, known);
        if is(TRANSACTION) || is(&["prepare"]) {
            self.transaction = true;
        }
        if is(&["select", "values", "table"]) {
            return;
        }
        self.writes = true;
        let rows = is(&["insert", "update", "delete", "with"]);
        self.session |= !rows;
        self.defines |= !(rows || self.transaction || is(SETTINGS));
    }

    fn take_word(&mut self, word: &[u8], before: Token<'_>) {
        let is = |known: &[&str]| is_in(word, known);
        if is(SEQUENCES) {
            self.fresh = true;
            self.session = true;
        } else if is(&["into"]) {
            let inserts = matches!(before, Token::Word(w) if is_in(w, &["insert", "merge"]));
            // `SELECT .. INTO TEMPORARY t`
            self.session |= !inserts;
            self.defines |= !inserts;
            self.writes = true;
        } else if is(&["insert", "update", "delete", "merge", "share", "nextval", "setval"]) {
            self.writes = true;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A bare word: a keyword or a name.
    Word(&'a [u8]),
    /// A name in double quotes.
    Quoted,
    Semicolon,
    Dot,
    Open,
    Close,
    Other,
}

pub(super) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    /// Something was seen that is read differently by different settings, or has no end.
    pub(super) odd: bool,
}

const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

impl<'a> Tokens<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0, odd: false }
    }

    /// The next byte that is no blank, without taking it.
    pub(super) fn upcoming(&self) -> u8 {
        let rest = self.text.get(self.at..).unwrap_or_default();
        rest.iter().copied().find(|byte| !byte.is_ascii_whitespace()).unwrap_or(0)
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn word(&mut self) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|&b| !is_word_byte(b) && b != b'$').unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let byte = *self.text.get(self.at)?;
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'-' if self.peek(1) == b'-' => {
                    while !matches!(self.peek(0), 0 | b'\n' | b'\r') {
                        self.at += 1;
                    }
                }
                b'/' if self.peek(1) == b'*' => self.comment(),
                b'\'' => return Some(self.quoted(b'\'', false)),
                b'"' => return Some(self.quoted(b'"', false)),
                b'$' => return Some(self.dollar()),
                _ if is_word_byte(byte) => return Some(self.word_or_text()),
                _ => {
                    self.at += 1;
                    // The driver sends text up to a NUL only.
                    self.odd |= byte == 0 || byte == b'\\';
                    return Some(match byte {
                        b';' => Token::Semicolon,
                        b'.' => Token::Dot,
                        b'(' => Token::Open,
                        b')' | b']' => Token::Close,
                        _ => Token::Other,
                    });
                }
            }
        }
    }

    /// A word, or what its first letters make of the quotes behind them: `E'..'`, `U&'..'`, `B'..'`.
    fn word_or_text(&mut self) -> Token<'a> {
        let word = self.word();
        match self.peek(0) {
            b'\'' if word.eq_ignore_ascii_case(b"e") => self.quoted(b'\'', true),
            b'&' if word.eq_ignore_ascii_case(b"u") => {
                self.odd = true;
                Token::Other
            }
            _ => Token::Word(word),
        }
    }

    fn quoted(&mut self, quote: u8, escapes: bool) -> Token<'a> {
        self.at += 1;
        loop {
            match self.text.get(self.at) {
                None => {
                    self.odd = true;
                    break;
                }
                Some(b'\\') => {
                    // How it is read depends on a setting, except in an escape string.
                    self.odd |= quote == b'\'' && !escapes;
                    self.at += if escapes { 2 } else { 1 };
                }
                Some(&byte) if byte == quote => {
                    self.at += 1;
                    if self.peek(0) != quote {
                        break;
                    }
                    self.at += 1;
                }
                Some(_) => self.at += 1,
            }
        }
        if quote == b'"' { Token::Quoted } else { Token::Other }
    }

    /// `$1`, or a text between `$tag$` and `$tag$`.
    fn dollar(&mut self) -> Token<'a> {
        let rest = &self.text[self.at + 1..];
        let len = rest.iter().position(|&b| !is_word_byte(b)).unwrap_or(rest.len());
        if rest.first().is_some_and(u8::is_ascii_digit) || rest.get(len) != Some(&b'$') {
            self.at += 1 + len;
            return Token::Other;
        }
        let tag = &self.text[self.at..self.at + len + 2];
        let body = &self.text[self.at + tag.len()..];
        match body.windows(tag.len()).position(|window| window == tag) {
            Some(end) => self.at += tag.len() + end + tag.len(),
            None => {
                self.odd = true;
                self.at = self.text.len();
            }
        }
        Token::Other
    }

    /// Comments nest.
    fn comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ if self.at >= self.text.len() => {
                    self.odd = true;
                    return;
                }
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn what_reads_and_writes_rows_keeps_the_session() {
        for text in [
            "SELECT \"cake\".\"id\" FROM \"cake\" WHERE \"cake\".\"id\" = $1 LIMIT $2",
            "INSERT INTO \"cake\" (\"name\", \"price\") VALUES ($1, $2) RETURNING \"id\", \"name\"",
            "INSERT INTO \"a\".\"cake\" (\"name\") VALUES ($1) ON CONFLICT (\"name\") DO UPDATE SET \"price\" = $2",
            "INSERT INTO cake (name) VALUES ('it''s; COMMIT')",
            "UPDATE cake SET price = price + 1 WHERE id IN (SELECT id FROM cake) -- SET",
            "SELECT count(*), max(price) FROM cake /* ; /* SET */ COMMIT */;",
            "WITH \"x\" AS (SELECT 1) SELECT * FROM x",
            "SELECT CAST($1 AS \"mood\")",
            "DELETE FROM cake",
            "SELECT $$ ; SET x $$",
        ] {
            let verdict = judge(text);
            assert!(!verdict.session && !verdict.transaction && !verdict.fresh, "{text}: {verdict:?}");
        }
        assert!(!judge("SELECT 1").writes && judge("SELECT 1 FOR UPDATE").writes);
        assert!(judge("WITH x AS (DELETE FROM cake RETURNING id) SELECT * FROM x").writes);
    }

    #[test]
    fn what_may_change_the_session_is_seen() {
        for text in [
            "SET search_path = public",
            "SELECT set_config('search_path', 'public', false)",
            "SELECT \"set_config\"('search_path', 'public', false)",
            "SELECT pg_catalog.set_config($1, $2, false)",
            "SELECT pg_advisory_lock(1)",
            "CREATE TEMP TABLE t (a int)",
            "SELECT 1 INTO TEMP t",
            "LISTEN x",
            "PREPARE p AS SELECT 1",
            "DO $$ BEGIN PERFORM 1; END $$",
            "SELECT 1; SET ROLE other",
            "SELECT '\\'; SET ROLE other; --'",
            "SELECT E'\\''; SET ROLE other",
            "SELECT E'\\'; SET x; --' ; SET ROLE other",
            "SELECT U&'\\0441'",
            "SELECT 1 /* open",
            "COPY cake FROM stdin",
            "SELECT lastval()",
            "INSERT INTO cake SELECT f(1)",
            "INSERT INTO cake (a) SELECT my.f (1)",
            "SELECT other.lower('x')",
            "SELECT (id).pg_advisory_lock FROM cake",
            "SELECT (id).\"pg_advisory_lock\" FROM cake",
            "SELECT ($1::bigint).pg_advisory_lock",
            "SELECT ids[1].pg_advisory_lock FROM cake",
            "SELECT $1.pg_advisory_lock",
        ] {
            assert!(judge(text).session, "{text}");
        }
        for text in [
            "BEGIN",
            "select 1; commit",
            " /* x */ Rollback",
            "END",
            "SAVEPOINT a",
            "START TRANSACTION",
            "(SELECT 1); ABORT",
        ] {
            assert!(judge(text).transaction, "{text}");
        }
        assert!(judge("SELECT lastval()").fresh);
        assert!(!judge("").session && !judge(" ; ").session);
    }

    #[test]
    fn what_may_define_something_is_seen() {
        for text in [
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "create or replace view v as select 1",
            "CREATE TABLE t (a int)",
            "CREATE TEMP TABLE t AS SELECT make()",
            "ALTER TABLE cake ADD price int",
            "DROP SCHEMA acme",
            "DO $$ BEGIN EXECUTE 'CREATE ..'; END $$",
            "CALL make()",
            "EXECUTE p",
            "SELECT make()",
            "SELECT \"make\"()",
            "SELECT 1 INTO t FROM cake",
            "SET x = 1; CREATE TABLE t (a int)",
            "SELECT '\\'; CREATE TABLE t (a int); --'",
        ] {
            assert!(judge(text).defines, "{text}");
        }
        for text in [
            "SELECT * FROM cake",
            "INSERT INTO cake (name) VALUES ('create table') ON CONFLICT DO NOTHING",
            "SET search_path = public",
            "SELECT current_setting('x', true)",
            "SELECT pg_advisory_lock(1), set_config('a.b', '1', false)",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "LISTEN x",
            "BEGIN",
            "SELECT lastval()",
        ] {
            assert!(!judge(text).defines, "{text}");
        }
    }
}
