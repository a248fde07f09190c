//! What the command line may say.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Runs the app and operates its tenants.
#[derive(Debug, Parser)]
#[command(after_help = "\
Without a command the app is served.

Exit codes:
  0  done
  1  failed; the message says why
  2  the command line cannot be understood
  3  xcore.yaml or an override of it is wrong
  4  there is no such tenant, plugin or action
  5  the tenant, or the file of an export, exists already
  6  something is left to do (`check`, `migrate --dry-run`, `migrate status`)")]
pub(super) struct Arguments {
    /// Read this file [default: $XCORE_CONFIG, then xcore.yaml here or beside the binary]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Lay xcore.NAME.yaml over it [default: $XCORE_ENV]
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) env: Option<String>,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the app until SIGTERM or Ctrl-C (this is the default)
    Serve,
    /// Create, list, suspend, resume, change, rename, copy, delete and restore tenants
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Bring the shared database and all tenants up to date
    Migrate(MigrateArguments),
    /// List the routes and jobs of all plugins
    Routes,
    /// Check the configuration, the grants and the data of all tenants
    Check(CheckArguments),
    /// Call an action by name and print its answer
    Call(CallArguments),
    /// Print the JSON Schema of xcore.yaml, for editors
    Schema,
}

#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Create tenants: their data, all migrations, the hooks of the plugins
    Create {
        /// Their names: a-z, 0-9, `_` and `-`, at most 63
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Place them on this one of `services.database.servers` [default: the one with the least tenants]
        #[arg(long, value_name = "NAME")]
        server: Option<String>,
    },
    /// List all tenants: state, server, plan, why one is suspended or failed, and until when one can be restored
    List,
    /// Print all that is known of a tenant, as JSON
    Show {
        /// Its name
        name: String,
    },
    /// Refuse a tenant with 403 and let its jobs rest, until it is resumed; its data stays
    Suspend {
        /// Its name
        name: String,
        /// Why; clients see it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Serve a suspended tenant again; try the creation of a failed one again
    Resume {
        /// Its name
        name: String,
    },
    /// Change the plan, the metadata and the settings of a tenant
    #[command(after_help = "\
  plan=pro               its plan
  settings.max_lines=5   a setting, over `tenancy.settings` of xcore.yaml
  region=eu              anything else is metadata; so is metadata.plan=..

A value that is JSON is taken as such, anything else as a text. Nothing after the `=` removes it.")]
    Set {
        /// Its name
        name: String,
        /// What to change
        #[arg(required = true, value_name = "KEY=VALUE")]
        changes: Vec<String>,
    },
    /// Write all that a tenant has into a file, while it is served; API keys and domains are not in it
    Export {
        /// Its name
        name: String,
        /// The file; there must be none
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Make a tenant from a file that `export` has written, perhaps in another app with the same plugins
    Import {
        /// The file
        file: PathBuf,
        /// Its name [default: the one that it had]
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Place it on this one of `services.database.servers` [default: the one with the least tenants]
        #[arg(long, value_name = "NAME")]
        server: Option<String>,
    },
    /// Make a tenant with all that another one has, but for API keys and domains
    Clone {
        /// The one that is copied; it is served meanwhile
        from: String,
        /// The new one
        to: String,
        /// Place it on this one of `services.database.servers` [default: the one with the least tenants]
        #[arg(long, value_name = "NAME")]
        server: Option<String>,
    },
    /// Give a tenant another name: its data, domains, keys and jobs go with it, and the old name is free
    Rename {
        /// Its name
        name: String,
        /// The new one
        to: String,
    },
    /// Delete a tenant; it can be restored until `tenancy.delete_after` is over, then all that belongs to it is dropped
    Delete {
        /// Its name
        name: String,
        /// Drop all that belongs to it now, for good; as `purge`
        #[arg(long)]
        now: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Bring a deleted tenant back to what it was
    Restore {
        /// Its name
        name: String,
    },
    /// Drop a tenant and everything that belongs to it now, for good, whether it was deleted before or not
    Purge {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Domains of a tenant's own
    #[command(subcommand)]
    Domain(DomainCommand),
    /// API keys, which prove a tenant
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum DomainCommand {
    /// Give a tenant a domain: a server takes requests for it within a second
    Add {
        /// The tenant
        tenant: String,
        /// The domain, such as shop.example.com; other scripts are kept as punycode
        domain: String,
    },
    /// Take a domain from the tenant that has it
    Remove {
        /// The domain
        domain: String,
    },
    /// List the domains of all tenants, or of one
    List {
        /// The tenant
        tenant: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key for a tenant and print it: this is the only time that it is shown
    Create {
        /// The tenant
        tenant: String,
        /// What it is for
        #[arg(long, default_value = "", value_name = "TEXT")]
        label: String,
    },
    /// List the keys of a tenant, without what is secret of them
    List {
        /// The tenant
        tenant: String,
    },
    /// Revoke a key: a server refuses it within a second
    Revoke {
        /// Its id, as `list` shows it
        id: String,
    },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct MigrateArguments {
    #[command(subcommand)]
    pub(super) command: Option<MigrateCommand>,
    /// Only this tenant (may be given again)
    #[arg(long = "tenant", value_name = "NAME")]
    pub(super) tenants: Vec<String>,
    /// Say what would be applied, and apply nothing; exit code 6 when there is something
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Migrate so many tenants at once, as far as `services.database.connections` goes
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) parallel: u16,
    /// Migrate so many tenants first, and leave the others as they are when one of these fails
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "dry_run")]
    pub(super) canary: usize,
}

#[derive(Debug, Subcommand)]
pub(super) enum MigrateCommand {
    /// Say of each tenant whether it is up to date, behind this program, or ahead of it; exit code 6 when one is not up to date
    Status,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// Print the configuration in effect, secrets left out
    #[arg(long)]
    pub(super) print_config: bool,
}

#[derive(Debug, Args)]
pub(super) struct CallArguments {
    /// The plugin
    pub(super) plugin: String,
    /// The action
    pub(super) action: String,
    /// Its arguments as JSON
    #[arg(default_value = "null", value_name = "JSON")]
    pub(super) arguments: String,
    /// The tenant to act for [default: the default tenant; nobody for an action with scope `central` or `any`]
    #[arg(long, value_name = "NAME")]
    pub(super) tenant: Option<String>,
}
