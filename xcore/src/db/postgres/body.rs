//! Reads the bodies of functions, to know whether they may change the session that calls them.
//!
//! The answer is from a list of what is harmless, like that of [`judge`](super::text::judge): statements that read or write rows,
//! and calls of known functions. A function that stands in the schema itself is read like this one, so a name that both have is no
//! matter.

use super::text::{HARMLESS, Token, Tokens, calls_by_dot, is_found_by_path, is_in};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Sql,
    Plpgsql,
}

/// Calls that are common in functions, beside those of statements. None reaches beyond the transaction.
const CALLS: &[&str] = &[
    "age",
    "array",
    "array_append",
    "array_cat",
    "array_remove",
    "array_to_string",
    "ascii",
    "assert",
    "cardinality",
    "chr",
    "clock_timestamp",
    "current_setting",
    "decode",
    "elsif",
    "encode",
    "exp",
    "format",
    "hashtext",
    "if",
    "initcap",
    "json_array_elements",
    "json_build_array",
    "jsonb",
    "jsonb_array_elements",
    "jsonb_array_length",
    "jsonb_build_array",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_set",
    "jsonb_strip_nulls",
    "jsonb_typeof",
    "key",
    "ln",
    "log",
    "lpad",
    "make_interval",
    "merge",
    "nextval",
    "perform",
    "pg_advisory_xact_lock",
    "pg_notify",
    "pg_trigger_depth",
    "pg_try_advisory_xact_lock",
    "query",
    "quote_ident",
    "quote_literal",
    "quote_nullable",
    "regexp_matches",
    "regexp_replace",
    "regexp_split_to_array",
    "regexp_split_to_table",
    "return",
    "reverse",
    "rpad",
    "setweight",
    "sign",
    "statement_timestamp",
    "string_to_array",
    "strict",
    "to_date",
    "to_number",
    "to_timestamp",
    "to_tsquery",
    "to_tsvector",
    "transaction_timestamp",
    "translate",
    "txid_current",
    "while",
];

/// What a statement of SQL may begin with.
const ROWS: &[&str] = &["delete", "insert", "merge", "select", "update", "values", "with"];

/// And one of PL/pgSQL. An assignment begins with a name.
const STEPS: &[&str] = &[
    "assert",
    "case",
    "continue",
    "elseif",
    "elsif",
    "end",
    "exception",
    "exit",
    "for",
    "foreach",
    "get",
    "if",
    "null",
    "perform",
    "raise",
    "return",
    "when",
    "while",
];

/// Whether a body leaves the session as it was. `false` when that is not certain.
pub(super) fn is_harmless(language: Language, body: &str) -> bool {
    let mut reader = Reader::of(language, body);
    while let Some(token) = reader.tokens.next() {
        if !reader.takes(token) {
            return false;
        }
    }
    !reader.tokens.odd
}

struct Reader<'a> {
    tokens: Tokens<'a>,
    language: Language,
    /// A statement begins.
    begins: bool,
    /// Declarations are read, where each begins with a name.
    declares: bool,
    /// How many `CASE` of expressions are open: their `THEN` begins no statement.
    cases: usize,
    before: Token<'a>,
    /// What stood before a dot that stands before this.
    dotted: Option<Token<'a>>,
    /// A parenthesis opens the columns of the table behind INTO.
    into: bool,
}

impl<'a> Reader<'a> {
    fn of(language: Language, body: &'a str) -> Self {
        Self {
            tokens: Tokens::of(body),
            language,
            begins: true,
            declares: false,
            cases: 0,
            before: Token::Other,
            dotted: None,
            into: false,
        }
    }

    fn takes(&mut self, token: Token<'a>) -> bool {
        let fits = match token {
            Token::Semicolon => {
                self.begins = true;
                // Whatever is not read as it was meant.
                self.cases == 0
            }
            Token::Word(word) if self.begins => self.begins_with(word),
            // The columns of a statement in parentheses follow the rules of all.
            Token::Open if self.begins => {
                self.begins = false;
                self.language == Language::Sql
            }
            _ if self.begins => false,
            Token::Word(word) => self.takes_word(word),
            Token::Open => self.opens(),
            Token::Quoted | Token::Dot | Token::Close | Token::Other => true,
        };
        // `(row).name` may call a function. So may `table.name`, but only one that is read as well.
        let calls = self.before == Token::Dot && calls_by_dot(self.dotted, token);
        match token {
            Token::Dot => self.dotted = Some(self.before),
            _ if self.before != Token::Dot => self.dotted = None,
            _ => {}
        }
        self.into = match token {
            Token::Word(word) => {
                is_in(word, &["into"])
                    || self.into && !matches!(self.before, Token::Word(w) if !is_in(w, &["into"]))
            }
            Token::Quoted | Token::Dot => self.into,
            _ => false,
        };
        self.before = token;
        fits && !calls
    }

    fn begins_with(&mut self, word: &[u8]) -> bool {
        let is = |known: &[&str]| is_in(word, known);
        self.begins = false;
        if self.language == Language::Sql {
            return is(ROWS);
        }
        if is(&["begin"]) || is(&["declare", "else", "loop"]) {
            self.declares = is(&["declare"]);
            self.begins = true;
            return true;
        }
        if self.declares {
            return true;
        }
        // Commands have a word, a name or a text there.
        is(ROWS) || is(STEPS) || matches!(self.tokens.upcoming(), b':' | b'=' | b'.' | b'[')
    }

    fn takes_word(&mut self, word: &[u8]) -> bool {
        let is = |known: &[&str]| is_in(word, known);
        if is(&["execute", "operator"]) {
            return false;
        }
        match self.language {
            // `SELECT .. INTO TEMPORARY t`
            Language::Sql => {
                !is(&["into"]) || matches!(self.before, Token::Word(w) if is_in(w, &["insert", "merge"]))
            }
            Language::Plpgsql => {
                if is(&["case"]) && !matches!(self.before, Token::Word(w) if is_in(w, &["end"])) {
                    self.cases += 1;
                } else if is(&["end"]) {
                    self.cases = self.cases.saturating_sub(1);
                } else if self.cases == 0 && is(&["then", "loop"]) && self.before != Token::Dot {
                    // `END LOOP;` is no beginning, and no harm: a semicolon follows.
                    self.begins = true;
                }
                true
            }
        }
    }

    fn opens(&self) -> bool {
        match self.before {
            Token::Word(_) | Token::Quoted if self.into => true,
            // In a schema that is named it is another one.
            Token::Word(name) => {
                is_found_by_path(self.dotted) && (is_in(name, HARMLESS) || is_in(name, CALLS))
            }
            Token::Quoted => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Language, is_harmless};

    #[test]
    fn what_functions_usually_do_is_harmless() {
        for body in [
            "BEGIN NEW.updated_at = now(); RETURN NEW; END",
            "DECLARE total numeric(10, 2); n int := 0; BEGIN
                 SELECT sum(price) INTO total FROM cake WHERE id = NEW.id;
                 IF total > 10 THEN INSERT INTO audit (name) VALUES (NEW.name); ELSIF (total < 0) THEN RAISE EXCEPTION 'no %', total;
                 ELSE n := n + 1; END IF;
                 FOR i IN 1..3 LOOP n := n + i; END LOOP;
                 NEW.kind := CASE WHEN n > 1 THEN 'many' ELSE 'one' END;
                 PERFORM pg_notify('cakes', NEW.id::text);
                 RETURN NEW;
             EXCEPTION WHEN others THEN RETURN NULL; END;",
            "BEGIN CASE n WHEN 1 THEN x := 1; ELSE x := 2; END CASE; RETURN x; END",
            "BEGIN RETURN QUERY SELECT * FROM cake; END",
        ] {
            assert!(is_harmless(Language::Plpgsql, body), "{body}");
        }
        for body in
            ["SELECT o.name || ' (' || o.price || ')' FROM cake o", "SELECT 1; UPDATE cake SET price = 1", ""]
        {
            assert!(is_harmless(Language::Sql, body), "{body}");
        }
    }

    #[test]
    fn what_may_change_the_session_is_seen() {
        for body in [
            "BEGIN PERFORM set_config('search_path', 'globex', false); RETURN NEW; END",
            "BEGIN PERFORM other.lower('x'); RETURN NEW; END",
            "BEGIN PERFORM \"lower\"('x'); RETURN NEW; END",
            "BEGIN EXECUTE 'LISTEN x'; RETURN NEW; END",
            "BEGIN SET ROLE other; RETURN NEW; END",
            "BEGIN RESET ALL; RETURN NEW; END",
            "BEGIN LISTEN x; RETURN NEW; END",
            "BEGIN CREATE TEMP TABLE t AS SELECT 1; RETURN NEW; END",
            "BEGIN IF true THEN SET x.y = 1; END IF; RETURN NEW; END",
            "BEGIN IF CASE WHEN a THEN b ELSE c END THEN LISTEN x; END IF; END",
            "BEGIN CASE a WHEN 1 THEN LISTEN x; END CASE; END",
            "BEGIN IF NEW.case THEN LISTEN x; END IF; END",
            "BEGIN IF EXISTS (SELECT 1 case) THEN LISTEN x; END IF; END",
            "BEGIN IF EXISTS (SELECT 1 AS case) THEN LISTEN x; END IF; END",
            "BEGIN CASE a WHEN 1 THEN x := 1; ELSE LISTEN x; END CASE; END",
            "BEGIN FOR i IN 1..2 LOOP LISTEN x; END LOOP; END",
            "BEGIN FOR r IN EXECUTE 'SELECT 1' LOOP x := 1; END LOOP; END",
            "BEGIN x := (id).pg_advisory_lock; END",
            "BEGIN x := ids[1].pg_advisory_lock; END",
            "BEGIN x := ($1).\"pg_advisory_lock\"; END",
            "BEGIN LOAD 'x'; END",
            "BEGIN DO 'BEGIN END'; END",
            "BEGIN CALL f(); END",
            "BEGIN COMMIT; END",
            "BEGIN EXCEPTION WHEN others THEN LISTEN x; END",
            "BEGIN x := 1 OPERATOR(globex.+) 2; END",
            "BEGIN x := '\\'; LISTEN x; --'; END",
            "DECLARE x int := f(); BEGIN END",
            "BEGIN x := f(); END",
            "BEGIN <<a>> LISTEN x; END",
        ] {
            assert!(!is_harmless(Language::Plpgsql, body), "{body}");
        }
        for body in [
            "SELECT set_config('a.b', 'c', false)",
            "SELECT 1 INTO TEMP t",
            "SET ROLE other",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "SELECT 1; LISTEN x",
            "PREPARE p AS SELECT 1",
            "SELECT (1::bigint).pg_advisory_lock",
        ] {
            assert!(!is_harmless(Language::Sql, body), "{body}");
        }
    }
}
