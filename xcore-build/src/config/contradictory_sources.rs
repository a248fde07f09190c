//! Keys of `tenancy` that contradict each other about how a request names its tenant.

use super::contradictions::{Tree, push};
use super::{Algorithm, Directory, Source};
use crate::problem::Problems;
use crate::settings::{BaseDomain, Cidr, Flag, HeaderName, List, OneOf, Prefix, RequestHeader, TenantPath};

/// The keys of `tenancy.jwt` that give what tokens are checked with.
const KEYS: [&str; 4] = ["secret", "public_key", "jwks_file", "jwks_url"];

impl Tree<'_> {
    /// As [`Config::sources`](super::Config::sources); `None` while something of it is not known or wrong.
    pub(super) fn sources(&self) -> Option<Vec<Source>> {
        if self.has("tenancy.sources") {
            return self.value::<List<OneOf<Source>>>("tenancy.sources");
        }
        let configured = [
            (Source::Header, self.value::<HeaderName>("tenancy.header")?.is_some()),
            (Source::Subdomain, self.value::<Flag>("tenancy.subdomain")?),
            (Source::Path, self.has("tenancy.path")),
            (Source::Jwt, self.has("tenancy.jwt")),
            (Source::ApiKey, self.has("tenancy.api_key")),
        ];
        Some(configured.into_iter().filter_map(|(source, is_used)| is_used.then_some(source)).collect())
    }

    /// `tenancy.base_domain` and `tenancy.base_domains`; `None` while one is not known or wrong.
    pub(super) fn base_domains(&self) -> Option<Vec<String>> {
        let mut bases = self.value::<List<BaseDomain>>("tenancy.base_domains")?;
        if self.has("tenancy.base_domain") {
            bases.push(self.value::<BaseDomain>("tenancy.base_domain")?);
        }
        Some(bases)
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.0.find(path).is_some_and(|node| !node.is_null())
    }

    /// A source that is asked and has nothing to ask with.
    pub(super) fn sources_without_their_keys(&self, problems: &mut Problems) {
        if !self.has("tenancy.sources") {
            return;
        }
        for source in self.sources().unwrap_or_default() {
            let (is_missing, key, example) = match source {
                Source::Header => {
                    let is_off = self.value::<HeaderName>("tenancy.header") == Some(None);
                    (is_off, "header", "header: X-Tenant-ID")
                }
                Source::Path => (!self.has("tenancy.path"), "path", "path: /t"),
                Source::Jwt => {
                    (!self.has("tenancy.jwt"), "jwt", "jwt: { jwks_url: \"https://..\", audience: \"..\" }")
                }
                Source::ApiKey => (!self.has("tenancy.api_key"), "api_key", "api_key: { header: X-Api-Key }"),
                Source::Subdomain | Source::Domain | Source::Custom => continue,
            };
            if is_missing {
                let message = format!("`tenancy.sources` names `{source}`, and `tenancy.{key}` is not set");
                let help = format!("add `{example}` to `tenancy`, or remove `{source}` from `sources`");
                push(problems, self.problem("tenancy.sources", message), help);
            }
        }
    }

    /// A key that is accepted has an effect.
    pub(super) fn keys_without_their_source(&self, problems: &mut Problems) {
        if !self.has("tenancy.sources") {
            return;
        }
        let Some(sources) = self.sources() else { return };
        let configured = [
            (Source::Subdomain, "subdomain", self.is("tenancy.subdomain", true)),
            (Source::Path, "path", self.has("tenancy.path")),
            (Source::Jwt, "jwt", self.has("tenancy.jwt")),
            (Source::ApiKey, "api_key", self.has("tenancy.api_key")),
        ];
        for (source, key, is_set) in configured {
            if is_set && !sources.contains(&source) {
                let message =
                    format!("`tenancy.{key}` is set, and `tenancy.sources` does not name `{source}`");
                let help = format!("add `{source}` to `sources`, or remove `{key}`");
                push(problems, self.problem(&format!("tenancy.{key}"), message), help);
            }
        }
    }

    /// Every request would be refused.
    pub(super) fn nothing_proves_a_tenant(&self, problems: &mut Problems) {
        if !self.is("tenancy.require_verified", true) {
            return;
        }
        let path = "tenancy.require_verified";
        if self.is("tenancy.enabled", false) {
            let message = "`tenancy.require_verified` is true, and with `tenancy.enabled: false` no tenant is ever named";
            push(problems, self.problem(path, message), "remove one of the two".to_owned());
            return;
        }
        let proves = |source: &Source| matches!(source, Source::Jwt | Source::ApiKey | Source::Custom);
        if self.sources().is_some_and(|sources| !sources.iter().any(proves)) {
            let message =
                "`tenancy.require_verified` is true, and nothing that is configured proves a tenant";
            let help =
                "add `jwt`, `api_key` or, for a source of your own, `sources: [.., custom]` to `tenancy`";
            push(problems, self.problem(path, message), help.to_owned());
        }
    }

    /// Proxies are trusted with hosts and the header only.
    pub(super) fn proxies_of_no_source(&self, problems: &mut Problems) {
        let path = "tenancy.trusted_proxies";
        let has_proxies = self.value::<List<Cidr>>(path).is_some_and(|proxies| !proxies.is_empty());
        let asks = |source: &Source| matches!(source, Source::Header | Source::Subdomain | Source::Domain);
        if has_proxies && self.sources().is_some_and(|sources| !sources.iter().any(asks)) {
            let message =
                "`tenancy.trusted_proxies` has no effect: neither a header nor a host names the tenant";
            push(problems, self.problem(path, message), "remove it".to_owned());
        }
    }

    /// The app's own routes would be read as tenants.
    pub(super) fn path_of_the_app(&self, problems: &mut Problems) {
        let path = self.value::<TenantPath>("tenancy.path");
        let prefix = self.value::<Prefix>("app.prefix");
        if let (Some(path), Some(prefix)) = (path, prefix)
            && (prefix == path || prefix.starts_with(&format!("{path}/")))
        {
            let message = format!(
                "the routes of the app begin with `{prefix}` (`app.prefix`), so what follows `{path}` in them would be read as a tenant"
            );
            push(
                problems,
                self.problem("tenancy.path", message),
                "use another path, such as `/t`".to_owned(),
            );
        }
    }

    /// One value cannot be a name and a key.
    pub(super) fn two_sources_in_one_header(&self, problems: &mut Problems) {
        let Some(sources) = self.sources() else { return };
        let name = self.value::<HeaderName>("tenancy.header").flatten();
        let Some(name) = name.filter(|_| sources.contains(&Source::Header)) else { return };
        let key = self.value::<RequestHeader>("tenancy.api_key.header");
        let key = key.filter(|_| sources.contains(&Source::ApiKey));
        let token = sources.contains(&Source::Jwt).then(|| "Authorization".to_owned());
        for (other, what) in [(key, "API keys"), (token, "tokens")] {
            if other.is_some_and(|other| other.eq_ignore_ascii_case(&name)) {
                let message = format!("`tenancy.header` is `{name}`, which carries {what} already");
                push(problems, self.problem("tenancy.header", message), "use another header".to_owned());
            }
        }
    }

    /// Keys and domains are kept in the directory's database.
    pub(super) fn directory_of_keys(&self, problems: &mut Problems) {
        let Some(sources) = self.sources() else { return };
        for (source, what) in [(Source::ApiKey, "API keys"), (Source::Domain, "domains of tenants")] {
            if !sources.contains(&source) {
                continue;
            }
            let is_open = self.value::<OneOf<Directory>>("tenancy.directory") == Some(Directory::Open);
            let (message, help) = if !self.has("services.database") {
                (format!("{what} are kept in the database, and there is none"), "add `services.database`")
            } else if is_open {
                let message = format!("{what} are kept in the directory, and `directory: open` keeps none");
                (message, "use `directory: managed`")
            } else {
                continue;
            };
            let path = match source {
                Source::ApiKey => "tenancy.api_key",
                _ => "tenancy.sources",
            };
            push(problems, self.problem(path, message), format!("{help}, or remove `{source}`"));
        }
    }

    /// What tokens are checked with, and how.
    pub(super) fn key_of_tokens(&self, problems: &mut Problems) {
        if self.0.find("tenancy.jwt").and_then(crate::yaml::Node::map).is_none() {
            return;
        }
        let given: Vec<&str> =
            KEYS.into_iter().filter(|key| self.has(&format!("tenancy.jwt.{key}"))).collect();
        let [key] = given.as_slice() else {
            let message = if given.is_empty() {
                "`tenancy.jwt` has nothing to check tokens with".to_owned()
            } else {
                format!("`tenancy.jwt` has `{}`, and one of them must be enough", given.join("` and `"))
            };
            let help = "give exactly one of `secret`, `public_key`, `jwks_file` and `jwks_url`".to_owned();
            push(problems, self.problem("tenancy.jwt", message), help);
            return;
        };
        let path = "tenancy.jwt.algorithms";
        for algorithm in self.value::<List<OneOf<Algorithm>>>(path).unwrap_or_default() {
            // A public key taken for a secret is known to everybody.
            if (algorithm == Algorithm::Hs256) != (*key == "secret") {
                let message = format!("`{path}` has `{algorithm}`, which does not go with `{key}`");
                let help = "HS256 is for a `secret`; RS256, ES256 and EdDSA are for public keys".to_owned();
                push(problems, self.problem(path, message), help);
            }
        }
        if self.value::<List<OneOf<Algorithm>>>(path).is_some_and(|listed| listed.is_empty()) {
            let help = "remove the line to have the usual ones".to_owned();
            push(problems, self.problem(path, format!("`{path}` is empty, so every token is refused")), help);
        }
        if *key != "secret" && self.0.find("tenancy.jwt.audience").is_none() {
            let message =
                "`tenancy.jwt.audience` is missing: who signs tokens for this app signs them for others too";
            let help = "name the audience of this app, or write `audience: null` to take tokens for anybody"
                .to_owned();
            push(problems, self.problem("tenancy.jwt", message), help);
        }
    }
}
