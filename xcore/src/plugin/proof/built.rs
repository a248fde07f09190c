//! What `xcore.yaml` names is built in: the kinds of database and cache, and tokens.

use super::App;
use super::text::Text;

macro_rules! dependency {
    ($feature:literal) => {
        concat!(
            "xcore = { version = \"",
            env!("CARGO_PKG_VERSION_MAJOR"),
            ".",
            env!("CARGO_PKG_VERSION_MINOR"),
            "\", features = [\"",
            $feature,
            "\"] }"
        )
    };
}

/// Proves that a server is named only where its driver is built in. An address that holds a `${VAR}` is known at the start
/// only, and asked again there.
///
/// ui: app/fail/postgres_not_built
///
/// # Panics
/// While the compiler evaluates it, when it is not so.
#[track_caller]
pub const fn database_is_built(app: &App) {
    let fault = of_database(app, cfg!(feature = "postgres"));
    assert!(fault.is_empty(), "{}", fault.as_str());
}

/// Proves that a cache on a server is asked for only where its client is built in. Like an address, a backend that holds a `${VAR}`
/// is asked again at the start.
///
/// ui: app/fail/redis_not_built
///
/// # Panics
/// While the compiler evaluates it, when it is not so.
#[track_caller]
pub const fn cache_is_built(app: &App) {
    let fault = of_cache(app, cfg!(feature = "redis"));
    assert!(fault.is_empty(), "{}", fault.as_str());
}

/// Proves that tokens are configured only where they can be checked, and keys to be fetched only where they can be.
///
/// ui: app/fail/jwt_not_built
///
/// # Panics
/// While the compiler evaluates it, when it is not so.
#[track_caller]
pub const fn tokens_are_built(app: &App) {
    let fault = of_tokens(app, cfg!(feature = "jwt"), cfg!(feature = "jwks-url"));
    assert!(fault.is_empty(), "{}", fault.as_str());
}

const fn of_database(app: &App, has_postgres: bool) -> Text {
    missing(app, app.postgres, has_postgres, "names a PostgreSQL server", dependency!("postgres"))
}

const fn of_cache(app: &App, has_redis: bool) -> Text {
    missing(app, app.redis, has_redis, "asks for a cache on a Redis server", dependency!("redis"))
}

const fn of_tokens(app: &App, has_jwt: bool, has_url: bool) -> Text {
    // The second feature brings the first.
    let fetched = missing(app, app.jwks_url, has_url, "names keys to be fetched", dependency!("jwks-url"));
    if !fetched.is_empty() {
        return fetched;
    }
    missing(app, app.jwt, has_jwt, "has tokens that prove a tenant", dependency!("jwt"))
}

const fn missing(
    app: &App,
    place: Option<(u32, u32)>,
    is_built: bool,
    what: &str,
    dependency: &'static str,
) -> Text {
    match place {
        Some((line, column)) if !is_built && !app.is_permissive => {
            Text::EMPTY.place(app.file, line, column).and(&[
                " ",
                what,
                ", which this program is built without\nhelp: add the feature in Cargo.toml:\n\n    ",
                dependency,
            ])
        }
        _ => Text::EMPTY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::schema::{PluginEntry, SchemaDef};

    /// `xcore.yaml` with a server at `LINE`, or without one.
    struct Yaml<const LINE: u32>;

    impl<const LINE: u32> SchemaDef for Yaml<LINE> {
        const FILE: &'static str = "xcore.yaml";
        const PACKAGE: &'static str = "shop";
        const FORMAT: u32 = 1;
        const PERMISSIVE: bool = false;
        const PLUGINS: &'static [PluginEntry] = &[];
        const POSTGRES: Option<(u32, u32)> = if LINE > 0 { Some((LINE, 20)) } else { None };
        const REDIS: Option<(u32, u32)> = if LINE > 0 { Some((LINE, 30)) } else { None };
        const JWT: Option<(u32, u32)> = if LINE > 0 { Some((LINE + 1, 3)) } else { None };
        const JWKS_URL: Option<(u32, u32)> = if LINE > 3 { Some((LINE + 2, 5)) } else { None };
    }

    #[test]
    fn a_server_needs_its_feature_and_a_folder_needs_none() {
        let server = App::new::<Yaml<3>>([true, false, false], &[]);
        let said = of_database(&server, false);
        assert!(said.as_str().starts_with("xcore.yaml:3:20 names a PostgreSQL server"), "{said:?}");
        assert!(said.as_str().ends_with("features = [\"postgres\"] }"), "{said:?}");
        assert!(of_database(&server, true).is_empty());
        assert!(of_database(&App::new::<Yaml<0>>([true, false, false], &[]), false).is_empty());
        assert!(of_database(&App { is_permissive: true, ..server }, false).is_empty());
    }

    #[test]
    fn a_cache_on_a_server_needs_its_feature() {
        let server = App::new::<Yaml<3>>([false, true, false], &[]);
        let said = of_cache(&server, false);
        assert!(said.as_str().starts_with("xcore.yaml:3:30 asks for a cache on a Redis server"), "{said:?}");
        assert!(said.as_str().ends_with("features = [\"redis\"] }"), "{said:?}");
        assert!(of_cache(&server, true).is_empty());
        assert!(of_cache(&App::new::<Yaml<0>>([false, true, false], &[]), false).is_empty());
    }

    #[test]
    fn tokens_need_their_feature_and_keys_that_are_fetched_need_theirs() {
        let of_a_file = App::new::<Yaml<3>>([true, false, false], &[]);
        let said = of_tokens(&of_a_file, false, false);
        assert!(said.as_str().starts_with("xcore.yaml:4:3 has tokens"), "{said:?}");
        assert!(said.as_str().ends_with("features = [\"jwt\"] }"), "{said:?}");
        assert!(of_tokens(&of_a_file, true, false).is_empty());
        let of_a_url = App::new::<Yaml<4>>([true, false, false], &[]);
        for has_jwt in [false, true] {
            let said = of_tokens(&of_a_url, has_jwt, false);
            assert!(said.as_str().starts_with("xcore.yaml:6:5 names keys to be fetched"), "{said:?}");
            assert!(said.as_str().ends_with("features = [\"jwks-url\"] }"), "{said:?}");
        }
        assert!(of_tokens(&of_a_url, true, true).is_empty());
        assert!(of_tokens(&App::new::<Yaml<0>>([true, false, false], &[]), false, false).is_empty());
    }
}
