#!/usr/bin/env bash
# Takes each check away, one at a time, and expects a test to fail.
#
#   tests/mutants.sh            all of them, about half an hour on two cores
#   tests/mutants.sh macros     every error that the macros report: about seven seconds each
#   tests/mutants.sh proofs     every proof in xcore/src/plugin/proof: about a minute each
#   tests/mutants.sh scopes     what keeps tenants and actions of no tenant apart at run time: about a minute each
#   tests/mutants.sh limits     what plans allow: about a minute each
#   tests/mutants.sh cache      what keeps tenants apart and replicas agreed in the cache: about a minute each
#   tests/mutants.sh template   what is refused as a template of tenants: about a minute each, with a PostgreSQL server
#   tests/mutants.sh archive    what keeps archives honest: about two minutes each
#   tests/mutants.sh rename     what keeps a renamed tenant from the next of its name: about a minute each
#   tests/mutants.sh scheduler  what keeps runs to one a tick, within their rules and their tenant: about two minutes each
#   tests/mutants.sh lives      what keeps deletions and restorations whole: about two minutes each
#   tests/mutants.sh outbox     what ties queued work to its transaction and its tenant: about a minute each, with a PostgreSQL server
#
# Works on a copy in target/mutants. A mutant that no test notices is printed and makes the script fail.
set -uo pipefail
cd "$(dirname "$0")/.."

root=$PWD
copy=$root/target/mutants
# Its own: a copy of a workspace and the workspace itself would take each other's artefacts for fresh.
export CARGO_TARGET_DIR=$copy/target
limit=${MUTANT_SECONDS:-600} # for one mutant
what=${1:-all}
survivors=()
count=0

refresh() {
    mkdir -p "$copy"
    for part in Cargo.toml Cargo.lock clippy.toml rust-toolchain.toml xcore xcore-macros xcore-build examples tests; do
        rm -rf "${copy:?}/$part"
        cp -r "$part" "$copy/$part"
    done
}

# try NAME TEST-COMMAND...: runs the tests on the copy as it is now.
try() {
    local name=$1
    shift
    count=$((count + 1))
    local outcome=0
    (cd "$copy" && timeout "$limit" "$@" >"$copy/mutant.log" 2>&1) || outcome=$?
    if [[ $outcome -eq 0 ]]; then
        echo "SURVIVED  $name"
        survivors+=("$name")
    elif [[ $outcome -eq 124 ]]; then
        echo "SLOW      $name"
        survivors+=("$name (not done after $limit seconds)")
    elif grep -q '^error: could not compile `xcore' "$copy/mutant.log"; then
        echo "BROKEN    $name"
        survivors+=("$name (does not compile, so it shows nothing)")
    else
        echo "noticed   $name"
    fi
}

# mutate FILE PATTERN REPLACEMENT: one mutant per match, tried with the test command in `tests`.
mutate() {
    local file=$1 pattern=$2 replacement=$3 prelude=${4:-}
    local matches
    matches=$(perl -0ne "\$body = (split /#\\[cfg\\(test\\)\\]\\s*mod /)[0]; \$n = () = \$body =~ /$pattern/g; print \$n" "$root/$file")
    if [[ $matches -eq 0 ]]; then
        echo "ABSENT    $file, /$pattern/"
        survivors+=("$file, /$pattern/ (is not there, so it shows nothing)")
    fi
    for ((number = 1; number <= matches; number++)); do
        NUMBER=$number REPLACEMENT=$replacement PRELUDE=$prelude perl -0pe \
            "my \$n = 0; s/$pattern/++\$n == \$ENV{NUMBER} ? \$ENV{REPLACEMENT} : \$&/ge; s/\\A((?:\\/\\/!.*\\n)*)/\$1\$ENV{PRELUDE}/" \
            "$root/$file" >"$copy/$file"
        try "$file, match $number of /$pattern/" "${tests[@]}"
        cp "$root/$file" "$copy/$file"
    done
}

refresh

if [[ $what == all || $what == macros ]]; then
    tests=(cargo test -q -p xcore-macros)
    while IFS= read -r file; do
        mutate "$file" 'sink\.error(?:_at)?\(' '(|_, _| ())('
    done < <(grep -rlE 'sink\.error(_at)?\(' xcore-macros/src --include='*.rs' | grep -v 'src/tests/' | sort)
    # Checks that return their error.
    mutate xcore-macros/src/options/mod.rs 'self\.check_known\(&key\)\?;' ''
    mutate xcore-macros/src/options/mod.rs 'check_once\(&key, seen\)\?;' ''
    mutate xcore-macros/src/options/action.rs 'if let Some\(Route \{ key: first, \.\. \}\) = &self\.route' \
        'if let (Some(Route { key: first, .. }), false) = (&self.route, true)'
    mutate xcore-macros/src/options/on.rs 'if found\.is_some\(\)' 'if false'
    mutate xcore-macros/src/check/route.rs 'refuse_other_dialects\(path\)\?;' ''
    mutate xcore-macros/src/check/route.rs 'check_name\(name, inner\)\?;' 'let _ = inner;'
    mutate xcore-macros/src/check/route.rs 'check_literal\(&segment\[\.\.open\]\)\?;' ''
fi

if [[ $what == all || $what == proofs ]]; then
    ignored='macro_rules! ignored { (\$(\$t:tt)*) => {} }'
    ignored=${ignored//\\/}
    tests=(cargo test -q -p xcore-tests --test ui wrong_code)
    export XCORE_UI_ONLY=/fail/
    for file in listed services requires config built; do
        mutate "xcore/src/plugin/proof/$file.rs" 'assert!\(' 'ignored!(' "$ignored"$'\n'
    done
    export XCORE_UI_ONLY=fail/route
    mutate xcore/src/plugin/proof/routes.rs 'assert!\(' 'ignored!(' "$ignored"$'\n'
    # A schema that belongs to another package.
    export XCORE_UI_ONLY=another_package
    mutate xcore-macros/src/environment.rs 'schema\.is_for\(&package\)' 'true'
fi

if [[ $what == all || $what == scopes ]]; then
    tests=(cargo test -q -p xcore-tests --all-features --test scopes)
    mutate xcore/src/tenancy/named.rs 'Err\(TenancyError::Unexpected \{ without: self\.without\.clone\(\)\.into\(\) \}\)' 'Ok(())'
    mutate xcore/src/tenancy/named.rs 'Whom::Nobody => Ok\(None\),' \
        'Whom::Nobody => self.directory.admit(&self.default.unwrap()).await.map(Some),'
    mutate xcore/src/app/sources.rs 'if !tenancy\.enabled' 'if false'
    mutate xcore/src/plugin/context.rs 'match scope \{' 'match Scope::Tenant {'
    mutate xcore/src/app/instance.rs 'if spec\.scope == Scope::' 'if false && spec.scope == Scope::'
fi

if [[ $what == all || $what == limits ]]; then
    tests=(cargo test -q -p xcore --lib --all-features tenancy::)
    mutate xcore/src/tenancy/memory.rs 'self\.is_limited\.store\(self\.tenant\.is_limited\(\), Ordering::Relaxed\);' ''
    tests=(cargo test -q -p xcore-tests --all-features --test limits)
    mutate xcore/src/tenancy/memory.rs ' \|\| found\.is_limited\.load\(Ordering::Relaxed\)' ''
    mutate xcore/src/tenancy/usage.rs 'in_service\.fetch_sub\(1' 'in_service.fetch_sub(0'
    mutate xcore/src/tenancy/usage.rs '\(in_service < limit\)' '(true)'
    mutate xcore/src/tenancy/usage.rs '\(next <= now \+ room\)' '(true)'
    mutate xcore/src/tenancy/profile.rs 'rules\.plans\.check\(plan\)\?;' ''
    mutate xcore/src/plugin/serve.rs 'let is_counted = ' 'let is_counted = true || '
    mutate xcore/src/app/jobs.rs 'let _place = tenant\.take_job_place\(\)\.map_err\(\|most\| JobFailure::Crowded \{ most \}\)\?;' ''
    mutate xcore/src/tenancy/usage.rs 'runs\.fetch_sub\(1' 'runs.fetch_sub(0'
    mutate xcore/src/scheduler/handle.rs 'tenant\.most_jobs\(\)\?' 'tenant.most_jobs().filter(|_| false)?'
    mutate xcore/src/tenancy/tenant.rs 'self\.0\.has_seats\.store\(seats\.is_some\(\), Ordering::Release\);' ''
    mutate xcore/src/tenancy/tenant.rs 'self\.0\.seats\.resize\(seats\);' ''
    mutate xcore/src/plugin/scoped.rs 'tenant\.filter\(\|_\| is_counted\)' 'tenant.filter(|_| false && is_counted)'
    tests=(cargo test -q -p xcore --lib --all-features seats)
    mutate xcore/src/tenancy/tenant.rs 'cache\.limit\(self\.id\(\), plan\.and_then\(\|plan\| plan\.cache_bytes\)\);' ''
    mutate xcore/src/app/settings.rs 'cache\.filter\(\|_\| is_cache_limited\)' 'cache.filter(|_| false && is_cache_limited)'
    tests=(cargo test -q -p xcore --lib --features redis the_cache_is_told)
    mutate xcore/src/tenancy/tenant.rs 'if self\.view\(\)\.is_of\(profile\)' 'if self.view().profile == *profile'
    mutate xcore/src/tenancy/directory.rs ' \|\| self\.lives\.is_held\(name\)' ''
    mutate xcore/src/tenancy/directory.rs 'cache\.retain\([^;]*;' ''
    tests=(cargo test -q -p xcore --lib --features redis a_plan_bounds)
    mutate xcore/src/cache/tiered/near.rs 'self\.memory\.limit\(space, bytes\);' ''
    tests=(cargo test -q -p xcore --lib --features postgres seats)
    mutate xcore/src/tenancy/seats.rs 'room\.seats\.add_permits\(more - staying\);' ''
    mutate xcore/src/tenancy/seats.rs 'if size\.leaving > 0' 'if false'
    mutate xcore/src/db/sqlite/service.rs 'lend_to\(scope\.tenant\(\), ' 'lend_to(None, '
    mutate xcore/src/db/postgres/pool.rs 'held\.seat = seat;' 'drop(seat);'
    mutate xcore/src/db/postgres/service.rs 'lend_for\(scope\.tenant\(\), ' 'lend_for(None, '
    mutate xcore/src/db/postgres/in_full.rs 'lend_for\(scope\.tenant\(\), ' 'lend_for(None, '
    mutate xcore/src/db/postgres/pooler/backend.rs 'begin\(scope\.tenant\(\), ' 'begin(None, '
    tests=(cargo test -q -p xcore --lib scheduler::)
    mutate xcore/src/scheduler/memory.rs 'let fits = has < most' 'let fits = true'
    mutate xcore/src/scheduler/runs/supervise.rs 'line\.uncrowd\(key\.owner\);' ''
    mutate xcore/src/scheduler/runs/line.rs 'self\.crowded\.insert\(owner\);' ''
    tests=(cargo test -q -p xcore --lib --all-features scheduler::)
    mutate xcore/src/scheduler/backend.rs 'if has < most' 'if true'
    mutate xcore/src/scheduler/runs.rs 'line\.uncrowd\(key\.owner\);' ''
    mutate xcore/src/scheduler/runs.rs 'self\.crowded\.insert\(owner\);' ''
fi

if [[ $what == all || $what == template ]]; then
    tests=(cargo test -q -p xcore --lib --all-features replay::)
    mutate xcore/src/db/template.rs 'migration\.use_transaction\(\) == Some\(false\)' 'migration.use_transaction() == Some(false) && false'
    mutate xcore/src/db/postgres/migrate.rs 'stays_inside: true' 'stays_inside: false'
    mutate xcore/src/db/postgres/replay/capture.rs 'if script\.contains\(TEMPLATE\)' 'if false'
    mutate xcore/src/db/postgres/replay/capture.rs 'differences\(&made, &template\)\.first\(\)' 'differences(&made, &template).first().filter(|_| false)'
    mutate xcore/src/db/postgres/replay/capture.rs 'if rows_of\(&again\)\.eq\(rows_of\(&first\)\)' 'if true'
    tests=(cargo test -q -p xcore-tests --all-features --test fleet a_template_of_another)
    mutate xcore/src/db/postgres/replay/template.rs 'if found == mark' 'if found.starts_with(MARK)'
    mutate xcore/src/db/postgres/replay/template.rs 'if !found\.starts_with\(MARK\)' 'if false'
fi

if [[ $what == all || $what == archive ]]; then
    tests=(cargo test -q -p xcore --lib --all-features archive::)
    mutate xcore/src/app/archive/read.rs 'if hex\(hash\) == member\.sha256' 'if true || hex(hash) == member.sha256'
    tests=(cargo test -q -p xcore-tests --all-features --test archive -- damaged)
    mutate xcore/src/app/archive/read.rs 'found\.sha256 != said\.sha256' 'false'
    mutate xcore/src/app/archive/read.rs 'texts\.checksum != hash\.as_bytes\(\)' 'false'
    mutate xcore/src/app/archive/read.rs 'found\.len\(\) != manifest\.members\.len\(\)' 'false'
    mutate xcore/src/app/archive/read.rs '!entry\.header\(\)\.entry_type\(\)\.is_file\(\)' 'false'
    mutate xcore/src/app/archive/read.rs 'Some\(format\) if format == FORMAT\.to_string\(\)' 'Some(_format)'
    mutate xcore/src/app/archive/manifest.rs 'if names\.eq\(expected\)' 'if { let _ = names.eq(expected); true }'
    mutate xcore/src/db/transfer.rs 'if sent == taken' 'if sent == taken || true'
    mutate xcore/src/db/transfer.rs 'if !unknown\.is_empty\(\)' 'if false'
    mutate xcore/src/db/sqlite/transfer/take.rs 'if let Some\(row\) = connection\.fetch_optional\(BROKEN\)\.await\?' \
        'if let (Some(row), true) = (connection.fetch_optional(BROKEN).await?, false)'
    tests=(cargo test -q -p xcore-tests --all-features --test archive -- sqlite postgres)
    mutate xcore/src/db/sqlite/transfer/send.rs 'send_table\(connection, id, table, out\)' \
        '{ run(connection, "COMMIT; BEGIN").await?; send_table(connection, id, table, out) }'
    mutate xcore/src/db/postgres/transfer/send.rs 'ISOLATION LEVEL REPEATABLE READ' 'ISOLATION LEVEL READ COMMITTED'
    mutate xcore/src/db/postgres/transfer/mod.rs '\{role\}SET LOCAL search_path' '{role:.0}SET LOCAL search_path'
    mutate xcore/src/app/archive/export.rs 'self\.refuse_other_tables\(id, database\)\.await\?;' ''
    tests=(cargo test -q -p xcore-tests --all-features --test archive -- killed)
    mutate xcore/src/app/archive/receive.rs 'store\(\)\.insert_importing\(' 'store().insert('
    mutate xcore/src/app/tenants.rs 'self\.get\(id\)\.await\?\.state == State::Importing' 'false'
fi

if [[ $what == all || $what == rename ]]; then
    tests=(cargo test -q -p xcore --lib --all-features directory_rename::)
    mutate xcore/src/app/directory_rename.rs 'move_all\(change, \(&old\.id, old\.life\), \(&new\.id, new\.life\)\)\.await\?;' ''
    tests=(cargo test -q -p xcore-tests --all-features --test rename)
    mutate xcore/src/app/rename.rs 'self\.runtime\.admission\.directory\.end_life\(id, life\);' ''
    mutate xcore/src/app/rename.rs 'self\.give_jobs\(&jobs, &record, &to\)\.await\?;' 'self.leave(id, record.life).await?;'
    mutate xcore/src/app/rename.rs 'self\.forget_cached\(name\)\.await\?;' ''
    # A pool that does not forget: the file goes on being open by its old name.
    mutate xcore/src/db/sqlite/rename.rs 'self\.registry\.evacuate\(id\)\.await\?' '()'
    tests=(cargo test -q -p xcore-tests --all-features --test kills killed_at_any_step_leaves_the_tenant_one_name_and_all_of_its_rows_in_files)
    # What a kill has left half done is not gone on with; what cannot be done is not undone; the directory is told before it is so.
    mutate xcore/src/db/sqlite/rename.rs '\(Found::Nothing, Found::File\) => return[^\n]*' '(Found::Nothing, Found::File) => return Err(DatabaseError::Missing { tenant: *id }),'
    mutate xcore/src/app/rename.rs 'self\.store\(\)\.end_renaming\(id, record\.life, false\)\.await\.unwrap_or\(false\)' 'true'
    mutate xcore/src/app/rename.rs 'reached\(Step::RenameClaimed\);' \
        'self.store().end_renaming(id, begun.life, true).await?; reached(Step::RenameClaimed);'
    tests=(cargo test -q -p xcore-tests --all-features --test kills a_creation_from_a_spare_that_is_killed_at_any_step_is_finished_or_undone_in_files)
    # Taken before the directory knows of it.
    mutate xcore/src/app/tenants.rs 'match self\.store\(\)\.insert\(id, servers\)\.await \{' \
        'if let Some(database) = self.database_of(&TenantRecord::active(*id)).unwrap() { self.take_spare(id, database).await; } match self.store().insert(id, servers).await {'
    tests=(cargo test -q -p xcore --lib --all-features db::postgres::tests::rename)
    mutate xcore/src/db/postgres/rename.rs 'wait_until_unused\(operator\.raw\(\), &id, waited\)\.await\?;' ''
    mutate xcore/src/db/postgres/rename.rs 'if names\(' 'if false && names('
    mutate xcore/src/db/postgres/replay/spares.rs 'spare\.made < looked' 'true'
fi

if [[ $what == all || $what == cache ]]; then
    tests=(cargo test -q -p xcore --lib --all-features cache::redis::names)
    # What the server is asked for is escaped; what it answers is looked at once more, so that this alone would show nothing of others.
    mutate xcore/src/cache/redis/names.rs "if matches!\\(character, '\\*'" "if false && matches!(character, '*'"
    tests=(cargo test -q -p xcore --lib --all-features cache::isolation)
    # An answer that is believed, and a key that is not bound to its tenant.
    mutate xcore/src/cache/redis.rs 'pattern\.matches\(name\)\.then' 'true.then'
    mutate xcore/src/cache/redis/names.rs 'text\.push_str\(space\);' ''
    mutate xcore/src/cache/memory/index.rs 'self\.part\(space\)\.get\(space\)' 'self.part(space).values().next()'
    tests=(cargo test -q -p xcore --lib --all-features cache::memory)
    # Room is made by whoever asks for it, or by nobody in particular; and what is used goes like what is not.
    mutate xcore/src/cache/memory/index.rs 'lock\(&self\.ranks\)\.last\(\)' 'lock(&self.ranks).first()'
    mutate xcore/src/cache/memory/index.rs 'let was_used = slot\.entry\.take_use\(\);' 'let was_used = false;'
    tests=(cargo test -q -p xcore --lib --all-features cache::tiered)
    # A value that changed while it was fetched is kept; the end of a connection is not heard; what is near outlives it.
    mutate xcore/src/cache/tiered/near.rs 'hold\.is_broken\.store\(true, Ordering::Relaxed\);' ''
    mutate xcore/src/cache/tiered/near.rs 'if hold\.is_broken\.load\(Ordering::Relaxed\)' 'if false'
    mutate xcore/src/cache/tiered/near.rs 'self\.forget_all\(\);' ''
    mutate xcore/src/cache/tiered/tracking.rs 'near\.forget\(key\);' ''
    tests=(cargo test -q -p xcore --lib --all-features cache::redis)
    mutate xcore/src/cache/redis/link.rs 'if std::mem::take\(&mut may_repeat\)' 'if false'
    mutate xcore/src/cache/redis/nodes.rs 'if is_at_rest\s' 'if true || is_at_rest '
    mutate xcore/src/cache/load.rs '\*turn = Some\(Outcome::Loaded\(bytes\)\);' ''
fi

if [[ $what == all || $what == scheduler ]]; then
    tests=(cargo test -q -p xcore --lib --all-features scheduler::tests::stored)
    # The number of the claim, the lease, the state of what is claimed, the tick that a job still has.
    mutate xcore/src/scheduler/database/claims.rs 'number = v\.run AND token = v\.claim AND state = 1' 'number = v.run'
    mutate xcore/src/scheduler/database/claims.rs 'WHERE state = 1 AND lease_until < \{now\}' 'WHERE state = 1'
    mutate xcore/src/scheduler/database/claims.rs 'WHERE r\.state = 0 AND r\.run_at <= \{now\}' 'WHERE r.state < 2 AND r.run_at <= {now}'
    mutate xcore/src/scheduler/database/claims.rs 'AND o\.resting = 0' ''
    mutate xcore/src/scheduler/database/claims.rs 'failures = failures \+ v\.failed' 'failures = failures'
    mutate xcore/src/scheduler/database/claims.rs 'CASE WHEN is_last = 1 THEN 2 ELSE v\.becomes END' 'v.becomes'
    mutate xcore/src/scheduler/database/claims.rs 'ORDER BY turn, run_at, number LIMIT' 'ORDER BY run_at, number LIMIT'
    # Whose history it is, and how much of it.
    mutate xcore/src/scheduler/database/history.rs 'WHERE owner = \$1 AND' "WHERE \$1 <> '' AND"
    mutate xcore/src/scheduler/database/history.rs ' AND ended_at >= \{now\} - \$3' ' AND $3 > 0'
    # Jobs that are counted, and then added whoever has added one meanwhile; pauses that stay behind.
    mutate xcore/src/scheduler/database/jobs.rs 'AND additions = \$2 RETURNING' 'AND additions >= 0 * $2 RETURNING'
    mutate xcore/src/scheduler/database/jobs.rs 'paused: entry\.paused\.into\(\),' 'paused: 0,'
    tests=(cargo test -q -p xcore --lib --all-features scheduler)
    # The place in the window, missed ticks, retries.
    mutate xcore/src/scheduler/job.rs '\(owner, id, tick\)\.hash' '(id, tick).hash'
    mutate xcore/src/scheduler/misfire.rs 'ticks\.len\(\) == most' 'false'
    mutate xcore/src/scheduler/retries.rs 'failures < self\.most' 'failures <= self.most'
    mutate xcore/src/scheduler/runner.rs 'Self::Failed \{ \.\. \} \| Self::Panicked \{ \.\. \} \| Self::TimedOut \{ \.\. \}\)' 'Self::Failed { .. })'
    # What goes with its job and its tenant, and what a tenant may reach.
    mutate xcore/src/scheduler/runs/line.rs 'self\.later\.retain\(\|_, run\| ' 'self.later.retain(|_, run| true || '
    mutate xcore/src/scheduler/runs/line.rs 'job\.is_gone \|= is_meant\(key\);' ''
    mutate xcore/src/scheduler/runs/line.rs 'job\.is_orphan = true' 'job.is_orphan = false'
    mutate xcore/src/scheduler/runs/mod.rs 'self\.history\.forget\(owner\);' ''
    mutate xcore/src/scheduler/history.rs '\*run\.job == \*key\.id && ' ''
    mutate xcore/src/scheduler/history.rs 'kept\.by_owner\.get\(&key\.owner\)\.into_iter\(\)\.flatten\(\)' 'kept.by_owner.values().flatten()'
    mutate xcore/src/scheduler/service.rs 'Per::App => Err\(SchedulerError::OfTheApp \{ call: call\.clone\(\) \}\)' 'Per::App => Ok(declared)'
    mutate xcore/src/scheduler/service.rs 'declared\.rules\.per == per' 'true'
fi

if [[ $what == all || $what == lives ]]; then
    tests=(cargo test -q -p xcore-tests --all-features --test kills a_deletion_that_is_killed_at_any_step_is_finished_in_files)
    # The directory forgets a tenant before its data is gone.
    mutate xcore/src/app/lifecycle.rs 'reached\(Step::PurgeClaimed\);' \
        'self.store().remove(id, self.record(id).await?.life).await?; reached(Step::PurgeClaimed);'
    # Its data is dropped before the directory says so.
    mutate xcore/src/app/lifecycle.rs 'self\.check_deletable\(id\)\?;' \
        'if let (Some(database), claim) = (self.database_of(&self.record(id).await?).unwrap(), self.claim(id, true).await?) { database.remove(id, claim.held.as_ref().unwrap().as_ref()).await.unwrap(); } reached(Step::PurgeLifeEnded);'
    tests=(cargo test -q -p xcore-tests --all-features --test cache made)
    mutate xcore/src/app/cached.rs 'tokio::spawn\(empty_later' 'drop(empty_later'
    tests=(cargo test -q -p xcore-tests --all-features --test cache sign_up)
    mutate xcore/src/app/cached.rs 'if !self\.runtime\.cache\.as_ref\(\)\.is_some_and\(is_passed\)' 'if !self.runtime.cache.as_ref().is_some_and(is_passed) || true'
    mutate xcore/src/cache/service.rs 'self\.common\.pass_through && error' 'error'
    mutate xcore/src/app/lifecycle.rs 'self\.forget_cached\(id\)\.await\?;' ''
    tests=(cargo test -q -p xcore --lib --all-features db::postgres::tests::claims)
    mutate xcore/src/db/postgres/service.rs 'claim\.check\(\)\.await\?;' ''
    tests=(cargo test -q -p xcore --lib --all-features db::postgres::tests::dropping)
    mutate xcore/src/db/postgres/dropping.rs 'all > budget' 'false'
    mutate xcore/src/db/postgres/dropping.rs 'if has_no_locks\(&error\) && part' 'if false && part'
    tests=(cargo test -q -p xcore --lib --all-features app::directory_soft)
    mutate xcore/src/app/directory_table.rs ' \|\| from\.is_soft\(to\)' ''
    mutate xcore/src/app/directory_soft.rs '\.filter\(tenant::Column::DeleteAfter[^\n]*' ''
    tests=(cargo test -q -p xcore-tests --all-features --test deletion)
    mutate xcore/src/app/deletion.rs 'self\.runtime\.admission\.directory\.end_life\(id, life\);' ''
    mutate xcore/src/tenancy/directory.rs 'self\.lives\.end_life\(&record\.id, record\.life\);' ''
    mutate xcore/src/app/watch.rs 'State::SoftDeleted => record\.is_overdue\(\),' 'State::SoftDeleted => false,'
    mutate xcore/src/app/lifecycle.rs ' \|\| record\.is_overdue\(\)\)' ')'
    mutate xcore/src/app/deletion.rs 'if self\.window\.is_behind\(gap\) \{\s*self\.migrate_as' 'if false { self.migrate_as'
fi

if [[ $what == all || $what == outbox ]]; then
    tests=(cargo test -q -p xcore --lib --all-features scheduler::tests::stored::outbox db::waiting)
    # The mark is written after the row, or taken back while a transaction is open.
    mutate xcore/src/scheduler/outbox/mark.rs 'queue\.mark\(tenant\.as_str\(\)\)\.await\?;' ''
    mutate xcore/src/scheduler/outbox/mark.rs 'mark\.open\.load\(Ordering::SeqCst\) > 0' 'false'
    # Whose work it is comes from the row, or from any life of the name, or goes with the old name.
    mutate xcore/src/scheduler/outbox/file.rs 'let is_own = self\.isolates_data && !tenant\.id\(\)\.is_public\(\);' 'let is_own = false;'
    mutate xcore/src/scheduler/outbox/server.rs 'life == row\.life\)' 'life >= row.life)'
    mutate xcore/src/scheduler/outbox/mod.rs 'server::hand_over\(database, from, to\)\.await' 'Ok(())'
    # What was brought is not taken out; any transaction will do.
    mutate xcore/src/scheduler/queue/enqueue.rs 'own\.id\(\) != of\.id\(\) \|\| own\.life\(\) != of\.life\(\)' 'false'
    mutate xcore/src/scheduler/queue/enqueue.rs 'transaction\.tenant\(\)\.ok_or\(SchedulerError::OtherTransaction\)\?' \
        'transaction.tenant().or(scheduler.tenant.as_ref()).ok_or(SchedulerError::OtherTransaction)?'
    mutate xcore/src/db/waiting.rs 'one\.level >= level\)\.collect' 'one.level > level).collect'
    tests=(cargo test -q -p xcore --lib --all-features scheduler::tests::stored::queue)
    # Dead letters of everybody; what fails for good is forgotten; the life is not asked; a crowd takes the places of others.
    mutate xcore/src/scheduler/database/queue.rs 'WHERE owner = \$1 AND state = 3 ORDER' "WHERE \$1 <> '' AND state = 3 ORDER"
    mutate xcore/src/scheduler/database/queue.rs 'WHERE owner = \$1 AND job = \$2 AND state = 3' "WHERE \$1 <> '' AND job = \$2 AND state = 3"
    mutate xcore/src/scheduler/database/queue.rs ' AND \(v\.life IS NULL OR o\.life = v\.life\)' ''
    mutate xcore/src/scheduler/database/claims.rs "WHEN v\.becomes = 2 AND queued = 1 AND v\.ending <> 'done' THEN 3" 'WHEN false THEN 3'
    mutate xcore/src/scheduler/claiming.rs 'runs\.crowded\(\)' 'Vec::new()'
    mutate xcore/src/scheduler/runs/supervise.rs 'JobFailure::Crowded \{ \.\. \}\) if planned\.is_queued' 'JobFailure::Crowded { .. }) if false'
    tests=(cargo test -q -p xcore --lib --all-features db::postgres::tests::outbox)
    mutate xcore/src/scheduler/outbox/server.rs 'ALTER TABLE xcore_outbox\.queue ENABLE ROW LEVEL SECURITY;' ''
    mutate xcore/src/scheduler/outbox/server.rs 'n\.nspname = tenant AND ' ''
    tests=(cargo test -q -p xcore-tests --all-features --test outbox killed)
    # The key is not remembered: what is brought twice runs twice.
    mutate xcore/src/scheduler/database/queue.rs 'v\.whose, v\.which, v\.tick' 'v.whose, v.which, {now}'
fi

echo
echo "$count mutants, ${#survivors[@]} not noticed"
printf '  %s\n' "${survivors[@]}"
[[ ${#survivors[@]} -eq 0 ]]
