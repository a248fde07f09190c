//! Passwords of the tenants' logins.
//!
//! Each is made from one random secret and the role's name. The secret is kept in the schema of the directory, which no tenant's role
//! reaches and every process of the app reads. It is not made from the password of the app's own login: that may be absent (a
//! certificate, `peer`), and when it is changed all tenants would be locked out. Nor is there one per tenant to keep: whoever reads one row of the directory reads
//! them all.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::name::hex;
use crate::db::DatabaseError;
use crate::db::postgres::schema::lock_key;
use crate::db::postgres::target::{DIRECTORY, Target};

/// How often a password is hashed. More rounds protect a password that can be guessed, and cost each new connection; these have
/// 244 random bits.
const ROUNDS: u32 = 1;

/// The secret of this database. Made when there is none.
pub(super) async fn secret(connection: &mut PgConnection) -> Result<String, DatabaseError> {
    let read = format!("SELECT secret FROM {DIRECTORY}.xcore_secrets WHERE name = 'logins'");
    let there = format!(
        "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = '{DIRECTORY}' AND tablename = 'xcore_secrets'"
    );
    if connection.fetch_optional(AssertSqlSafe(there)).await?.is_none() {
        // One message is one transaction. The random bits of two UUIDs are the server's strong ones.
        let make = format!(
            "SELECT pg_advisory_xact_lock({lock});
             CREATE TABLE IF NOT EXISTS {DIRECTORY}.xcore_secrets (name text PRIMARY KEY, secret text NOT NULL);
             REVOKE ALL ON {DIRECTORY}.xcore_secrets FROM PUBLIC;
             INSERT INTO {DIRECTORY}.xcore_secrets
             SELECT 'logins', pg_catalog.replace(pg_catalog.gen_random_uuid()::text || pg_catalog.gen_random_uuid()::text, '-', '')
             ON CONFLICT DO NOTHING",
            lock = lock_key(Target::Directory)
        );
        connection.execute(AssertSqlSafe(make)).await?;
    }
    match connection.fetch_optional(AssertSqlSafe(read)).await? {
        Some(row) => Ok(row.try_get_unchecked(0)?),
        None => Err(DatabaseError::OddShared { problem: "the secret of the tenants' logins is missing" }),
    }
}

/// The password of a role.
pub(super) fn of(secret: &str, role: &str) -> String {
    hex(&keyed(secret.as_bytes(), &[b"password of ", role.as_bytes()]))
}

/// What the server keeps of a password (RFC 5802, RFC 7677), so that the password is in no statement and no log.
pub(super) fn verifier(secret: &str, role: &str) -> String {
    let password = of(secret, role);
    let salt = &keyed(secret.as_bytes(), &[b"salt of ", role.as_bytes()])[..16];
    let salted = keyed(password.as_bytes(), &[salt, &1_u32.to_be_bytes()]);
    let stored = Sha256::digest(keyed(&salted, &[b"Client Key"]));
    let server = keyed(&salted, &[b"Server Key"]);
    let text = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    format!("SCRAM-SHA-256${ROUNDS}:{}${}:{}", text(salt), text(&stored), text(&server))
}

fn keyed(key: &[u8], message: &[&[u8]]) -> [u8; 32] {
    // A key may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length")
    };
    message.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}
