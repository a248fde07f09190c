//! The kind of database that `xcore.yaml` names is built in.

use super::App;
use super::text::Text;

/// What `Cargo.toml` must say of this crate to have PostgreSQL.
const DEPENDENCY: &str = concat!(
    "xcore = { version = \"",
    env!("CARGO_PKG_VERSION_MAJOR"),
    ".",
    env!("CARGO_PKG_VERSION_MINOR"),
    "\", features = [\"postgres\"] }"
);

/// Proves that a server is named only where its driver is built in. An address that holds a `${VAR}` is known at the start
/// only, and asked again there.
///
/// ui: app/fail/postgres_not_built
///
/// # Panics
/// While the compiler evaluates it, when it is not so.
#[track_caller]
pub const fn database_is_built(app: &App) {
    let fault = fault(app, cfg!(feature = "postgres"));
    assert!(fault.is_empty(), "{}", fault.as_str());
}

const fn fault(app: &App, has_postgres: bool) -> Text {
    match app.postgres {
        Some((line, column)) if !has_postgres && !app.is_permissive => {
            Text::EMPTY.place(app.file, line, column).and(&[
                " names a PostgreSQL server, which this program is built without\nhelp: add the feature in Cargo.toml:\n\n    ",
                DEPENDENCY,
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
    }

    #[test]
    fn a_server_needs_its_feature_and_a_folder_needs_none() {
        let server = App::new::<Yaml<3>>([true, false, false], &[]);
        let said = fault(&server, false);
        assert!(said.as_str().starts_with("xcore.yaml:3:20 names a PostgreSQL server"), "{said:?}");
        assert!(said.as_str().ends_with("features = [\"postgres\"] }"), "{said:?}");
        assert!(fault(&server, true).is_empty());
        assert!(fault(&App::new::<Yaml<0>>([true, false, false], &[]), false).is_empty());
        assert!(fault(&App { is_permissive: true, ..server }, false).is_empty());
    }
}
