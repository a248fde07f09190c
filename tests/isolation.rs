//! What one tenant sees of another: nothing. Each test has a sibling that turns the isolation off and sees the mixing.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::join_all;
use sea_orm::sea_query::Expr;
use sea_orm::{DbErr, QueryOrder, Statement, TransactionError};
use serde_json::{Value, json};
use xcore::prelude::*;
use xcore_tests::Rig;
use xcore_tests::plugins::desk::notice;
use xcore_tests::plugins::notes::{NotesContext, NotesJobs, note, tag};

async fn write(ctx: &NotesContext, text: &str) -> note::Model {
    note::ActiveModel { text: Set(text.to_owned()), ..Default::default() }.insert(&ctx.db).await.unwrap()
}

async fn texts(ctx: &NotesContext) -> Vec<String> {
    let notes = note::Entity::find().order_by_asc(note::Column::Text).all(&ctx.db).await.unwrap();
    notes.into_iter().map(|note| note.text).collect()
}

/// Polls until the job has run.
async fn tally_of(ctx: &NotesContext) -> Value {
    let run = async {
        loop {
            if let Some(tally) = ctx.cache.get("tally").await.unwrap() {
                return tally;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), run).await.unwrap()
}

/// Works through SeaORM's whole surface as one tenant and checks at each step that it meets only its own rows.
async fn use_everything(ctx: NotesContext) {
    let own = ctx.tenant.to_string();
    let mine = |note: &note::Model| note.text.starts_with(&own);
    for round in 0..5 {
        let one = write(&ctx, &format!("{own} one {round}")).await;
        let tags = ["a", "b"].map(|name| tag::ActiveModel {
            note_id: Set(one.id),
            name: Set(format!("{own} {name}")),
            ..Default::default()
        });
        tag::Entity::insert_many(tags).exec(&ctx.db).await.unwrap();

        let (text, id) = (format!("{own} two {round}"), one.id);
        let kept: Result<(), TransactionError<DbErr>> = ctx
            .db
            .transaction(|transaction| {
                Box::pin(async move {
                    note::ActiveModel { text: Set(text), ..Default::default() }.insert(transaction).await?;
                    note::Entity::find_by_id(id).one(transaction).await?.ok_or(DbErr::RecordNotUpdated)?;
                    Ok(())
                })
            })
            .await;
        kept.unwrap();

        let abandoned = ctx.db.begin().await.unwrap();
        note::ActiveModel { text: Set(format!("{own} lost {round}")), ..Default::default() }
            .insert(&abandoned)
            .await
            .unwrap();
        drop(abandoned);

        let nested = ctx.db.begin().await.unwrap();
        let inner = nested.begin().await.unwrap();
        note::Entity::delete_many().exec(&inner).await.unwrap();
        inner.rollback().await.unwrap();
        nested.commit().await.unwrap();

        let all = note::Entity::find().all(&ctx.db).await.unwrap();
        assert_eq!(all.len(), 2 * (round + 1));
        assert!(all.iter().all(mine), "{own} sees {all:?}");

        let mut rows = note::Entity::find().stream(&ctx.db).await.unwrap();
        while let Some(row) = rows.try_next().await.unwrap() {
            assert!(mine(&row), "{own} streams {row:?}");
        }
        drop(rows);

        let with_tags =
            note::Entity::find_by_id(one.id).find_with_related(tag::Entity).all(&ctx.db).await.unwrap();
        assert!(with_tags[0].1.len() == 2 && with_tags[0].1.iter().all(|tag| tag.name.starts_with(&own)));

        let raw = Statement::from_string(ctx.db.get_database_backend(), "SELECT text FROM notes");
        for row in ctx.db.query_all_raw(raw).await.unwrap() {
            let text: String = row.try_get("", "text").unwrap();
            assert!(text.starts_with(&own), "{own} reads {text}");
        }

        let page = note::Entity::find().order_by_asc(note::Column::Id).paginate(&ctx.db, 1);
        assert_eq!(page.num_items().await.unwrap(), 2 * (round as u64 + 1));
        assert!(page.fetch_page(0).await.unwrap().iter().all(mine));

        let updated = note::Entity::update_many()
            .col_expr(note::Column::Text, Expr::cust("text || ''"))
            .exec(&ctx.db)
            .await
            .unwrap();
        assert_eq!(updated.rows_affected, 2 * (round as u64 + 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sea_orm_through_many_tenants_at_once_meets_only_own_rows() {
    let rig = Rig::set(&[("services.database.max_open", "3"), ("services.database.connections", "2")]).await;
    let tenants = ["acme", "globex", "initech", "umbrella", "hooli"];
    rig.ensure(&tenants).await;
    let mut contexts = Vec::new();
    for tenant in tenants {
        contexts.push(rig.notes(tenant).await);
    }
    let tasks = contexts.into_iter().map(|ctx| tokio::spawn(use_everything(ctx)));
    for ended in join_all(tasks).await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn rows_of_one_tenant_are_not_the_others() {
    let rig = Rig::start().await;
    let (acme, globex) = (rig.notes("acme").await, rig.notes("globex").await);
    let note = write(&acme, "mine").await;
    assert_eq!(texts(&globex).await, Vec::<String>::new());
    assert_eq!(note::Entity::find_by_id(note.id).one(&globex.db).await.unwrap(), None);
    let deleted = note::Entity::delete_many().exec(&globex.db).await.unwrap();
    assert_eq!((deleted.rows_affected, texts(&acme).await.len()), (0, 1));
    // The same unique text is free for the other.
    assert_eq!(write(&globex, "mine").await.id, note.id);
}

#[tokio::test]
async fn rows_mix_when_the_isolation_of_the_database_is_off() {
    let rig = Rig::set(&[("tenancy.isolate_db", "false")]).await;
    let (acme, globex) = (rig.notes("acme").await, rig.notes("globex").await);
    write(&acme, "mine").await;
    assert_eq!(texts(&globex).await, ["mine"]);
}

#[tokio::test]
async fn a_tenant_reaches_no_other_file_by_raw_sql() {
    let rig = Rig::start().await;
    let (acme, globex) = (rig.notes("acme").await, rig.notes("globex").await);
    write(&globex, "secret").await;
    let other = rig.app().folder().join("tenants/globex.db");
    let other = other.display();
    for sql in [
        format!("ATTACH DATABASE '{other}' AS other"),
        format!("/* x */ aTTaCH '{other}' AS other; SELECT * FROM other.notes"),
        "SELECT * FROM globex.notes".to_owned(),
        "SELECT * FROM \"../globex\".notes".to_owned(),
        format!("VACUUM INTO '{other}'"),
        "DETACH DATABASE shared".to_owned(),
    ] {
        assert!(acme.db.execute_unprepared(&sql).await.is_err(), "{sql}");
        let raw = Statement::from_string(acme.db.get_database_backend(), sql.clone());
        assert!(acme.db.query_all_raw(raw).await.is_err(), "{sql}");
        let open = acme.db.begin().await.unwrap();
        assert!(open.execute_unprepared(&sql).await.is_err(), "{sql}");
    }
    write(&acme, "still works").await;
    assert_eq!(texts(&acme).await, ["still works"]);
    assert_eq!(texts(&globex).await, ["secret"]);
}

#[tokio::test]
async fn what_a_session_was_told_ends_with_it() {
    let rig = Rig::set(&[("services.database.connections", "1")]).await;
    let ctx = rig.notes("acme").await;
    for sql in [
        "PRAGMA foreign_keys = OFF",
        "CREATE TEMP TABLE notes (id INTEGER, text TEXT)",
        "PRAGMA query_only = ON",
    ] {
        // Each of them runs: it is undone afterwards, not refused.
        ctx.db.execute_unprepared(sql).await.unwrap();
        let orphan = tag::ActiveModel { note_id: Set(999), name: Set("x".to_owned()), ..Default::default() };
        assert!(orphan.insert(&ctx.db).await.is_err(), "foreign keys are off after {sql}");
        write(&ctx, sql).await;
        assert!(texts(&ctx).await.contains(&sql.to_owned()), "{sql}");
    }
}

#[tokio::test]
async fn one_key_holds_a_value_for_each_tenant() {
    let rig = Rig::start().await;
    let (acme, globex) = (rig.notes("acme").await, rig.notes("globex").await);
    acme.cache.set("last", &1).await.unwrap();
    globex.cache.set("last", &2).await.unwrap();
    // Names that would meet the other's if a key were only glued together.
    for odd in ["globex:last", ":last", "../globex:last", "acme:last", "globex\0last", "*"] {
        assert_eq!(acme.cache.get::<i32>(odd).await.unwrap(), None, "{odd:?}");
        assert!(!acme.cache.delete(odd).await.unwrap());
    }
    assert_eq!(acme.cache.get::<i32>("last").await.unwrap(), Some(1));
    assert_eq!(acme.cache.keys("*").await.unwrap(), ["last"]);
    for pattern in ["globex*", "*globex*", "?*:*", "[^a]*:last"] {
        assert_eq!(acme.cache.keys(pattern).await.unwrap(), Vec::<String>::new(), "{pattern}");
    }
    assert_eq!(acme.cache.clear("*").await.unwrap(), 1);
    assert_eq!(globex.cache.get::<i32>("last").await.unwrap(), Some(2));
    // The keys of nobody are nobody's.
    let central = rig.desk("acme").await.central.cache.unwrap();
    assert_eq!(central.keys("*").await.unwrap(), Vec::<String>::new());
    assert_eq!(central.get::<i32>("globex:last").await.unwrap(), None);
    central.clear("*").await.unwrap();
    assert_eq!(globex.cache.get::<i32>("last").await.unwrap(), Some(2));
}

#[tokio::test]
async fn keys_mix_when_the_isolation_of_the_cache_is_off() {
    let rig = Rig::set(&[("tenancy.isolate_cache", "false")]).await;
    let (acme, globex) = (rig.notes("acme").await, rig.notes("globex").await);
    acme.cache.set("last", &1).await.unwrap();
    assert_eq!(globex.cache.get::<i32>("last").await.unwrap(), Some(1));
}

#[tokio::test]
async fn one_job_id_is_a_job_of_each_tenant() {
    let rig = Rig::start().await;
    let (acme, globex) = (rig.notes("acme").await, rig.notes("globex").await);
    write(&acme, "one").await;
    for ctx in [&acme, &globex] {
        ctx.scheduler.cron("nightly", "0 0 3 * * *", NotesJobs::tally()).await.unwrap();
        let ids: Vec<String> = ctx.scheduler.list().await.unwrap().into_iter().map(|job| job.id).collect();
        assert_eq!(ids, ["nightly", "notes.sweep"]);
    }
    globex.scheduler.pause("nightly").await.unwrap();
    assert!(!acme.scheduler.get("nightly").await.unwrap().unwrap().paused);
    assert!(acme.scheduler.get("globex:nightly").await.unwrap().is_none());
    assert!(globex.scheduler.remove("nightly").await.unwrap());

    acme.scheduler.run_now("nightly").await.unwrap();
    assert_eq!(tally_of(&acme).await, json!({ "tenant": "acme", "notes": 1 }));
    globex.scheduler.after("once", Duration::ZERO, NotesJobs::tally()).await.unwrap();
    assert_eq!(tally_of(&globex).await, json!({ "tenant": "globex", "notes": 0 }));
}

#[tokio::test]
async fn job_ids_mix_when_the_isolation_of_the_scheduler_is_off() {
    let rig = Rig::set(&[("tenancy.isolate_scheduler", "false")]).await;
    let (acme, globex) = (rig.notes("acme").await, rig.notes("globex").await);
    acme.scheduler.cron("nightly", "0 0 3 * * *", NotesJobs::tally()).await.unwrap();
    assert!(globex.scheduler.get("nightly").await.unwrap().is_some());
    // And a job runs as the default tenant.
    globex.scheduler.run_now("nightly").await.unwrap();
    let public = rig.notes("public").await;
    assert_eq!(tally_of(&public).await["tenant"], "public");
}

#[tokio::test]
async fn a_job_that_panics_ends_alone() {
    let rig = Rig::start().await;
    let ctx = rig.notes("acme").await;
    ctx.scheduler.after("trip", Duration::ZERO, NotesJobs::stumble()).await.unwrap();
    ctx.scheduler.after("walk", Duration::ZERO, NotesJobs::tally()).await.unwrap();
    assert_eq!(tally_of(&ctx).await["tenant"], "acme");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_that_moves_into_a_task_keeps_its_tenant() {
    let rig = Rig::start().await;
    for tenant in ["acme", "globex"] {
        assert_eq!(rig.get(tenant, "/v1/echo/spawned").await.json()["tenant"], tenant);
        let ctx = rig.notes(tenant).await;
        // Not even a request of another tenant, in flight on the same thread, changes it.
        let task = tokio::spawn(async move {
            write(&ctx, "from a task").await;
            ctx.cache.set("who", &ctx.tenant.to_string()).await.unwrap();
        });
        let (ended, _) = tokio::join!(task, rig.get("public", "/v1/notes"));
        ended.unwrap();
    }
    for tenant in ["acme", "globex"] {
        let ctx = rig.notes(tenant).await;
        assert_eq!(texts(&ctx).await, ["from a task"]);
        assert_eq!(ctx.cache.get::<String>("who").await.unwrap().as_deref(), Some(tenant));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_of_many_tenants_never_meet() {
    const TENANTS: usize = 12;
    const REQUESTS: usize = 20;
    let rig = Rig::set(&[("services.database.max_open", "4")]).await;
    for tenant in 0..TENANTS {
        rig.app().tenant(&format!("t{tenant}")).await.unwrap();
    }
    let all = (0..TENANTS * REQUESTS).map(|number| {
        let (router, tenant) = (rig.router(), format!("t{}", number % TENANTS));
        tokio::spawn(async move {
            let body = json!({ "text": format!("{tenant} {number}") }).to_string();
            let request = xcore::axum::extract::Request::post("/v1/notes")
                .header("x-tenant-id", &tenant)
                .header("content-type", "application/json")
                .body(body.into());
            let answer = Rig::through(router, request.unwrap()).await;
            assert_eq!(answer.status, 201, "{}", answer.text());
        })
    });
    for ended in join_all(all.collect::<Vec<_>>()).await {
        ended.unwrap();
    }
    for tenant in 0..TENANTS {
        let tenant = format!("t{tenant}");
        let notes = texts(&rig.notes(&tenant).await).await;
        assert_eq!(notes.len(), REQUESTS);
        assert!(notes.iter().all(|text| text.starts_with(&format!("{tenant} "))), "{tenant}: {notes:?}");
    }
}

#[tokio::test]
async fn only_who_was_granted_central_writes_what_all_read() {
    let rig = Rig::start().await;
    let posted = rig.post("acme", "/v1/desk/notices", json!({ "text": "closed on monday" })).await;
    assert_eq!(posted.status, 201, "{}", posted.text());
    assert_eq!(rig.get("globex", "/v1/desk/notices").await.json()[0]["text"], "closed on monday");

    let ctx = rig.notes("globex").await;
    let forged = notice::ActiveModel { text: Set("forged".to_owned()), ..Default::default() };
    assert!(forged.clone().insert(&ctx.db).await.is_err(), "a tenant's handle writes no shared table");
    for sql in
        ["DELETE FROM notices", "DROP TABLE shared.notices", "UPDATE xcore_tenants SET state = 'deleting'"]
    {
        assert!(ctx.db.execute_unprepared(sql).await.is_err(), "{sql}");
    }
    assert!(forged.insert(&rig.desk("globex").await.central.db).await.is_ok());
    assert_eq!(rig.get("acme", "/v1/echo").await.status, 200);
}

#[tokio::test]
async fn the_context_of_a_plugin_that_was_granted_more_is_no_argument() {
    let rig = Rig::start().await;
    let refused = rig.get("acme", "/v1/echo/grab").await;
    assert_eq!((refused.status, refused.problem().as_str()), (500, "internal"));
    // Nothing was written into what all tenants share.
    let central = rig.desk("acme").await.central.db;
    assert!(central.execute_unprepared("SELECT * FROM grabbed").await.is_err());
}

#[tokio::test]
async fn central_is_refused_where_it_is_not_granted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("xcore.yaml");
    let yaml = include_str!("xcore.yaml").replace("grants: [central], ", "");
    std::fs::write(&file, yaml).unwrap();
    let refused = xcore_tests::App::builder().config_file(&file).build().await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("desk") && text.contains("central"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_come_and_go_while_others_work() {
    let rig = Rig::set(&[("services.database.max_open", "2")]).await;
    let acme = rig.notes("acme").await;
    let busy = tokio::spawn(async move {
        for number in 0..60 {
            write(&acme, &format!("note {number}")).await;
        }
        texts(&acme).await.len()
    });
    for round in 0..4 {
        let id = rig.app().tenant("fleeting").await.unwrap();
        let ctx = rig.notes("fleeting").await;
        assert_eq!(texts(&ctx).await, Vec::<String>::new(), "round {round} sees what was deleted before");
        assert_eq!(ctx.cache.get::<i32>("seen").await.unwrap(), None);
        write(&ctx, "mine").await;
        ctx.cache.set("seen", &round).await.unwrap();
        ctx.scheduler.cron("mine", "0 0 3 * * *", NotesJobs::tally()).await.unwrap();
        rig.app().instance().tenants().purge(&id).await.unwrap();
        assert_eq!(rig.get("fleeting", "/v1/echo").await.problem(), "unknown-tenant");
        assert!(note::Entity::find().all(&ctx.db).await.is_err(), "a context outlives its tenant");
        assert!(!rig.app().folder().join("tenants/fleeting.db").exists());
    }
    assert_eq!(busy.await.unwrap(), 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creating_and_deleting_one_tenant_at_once_leaves_it_whole_or_gone() {
    let rig = Rig::start().await;
    let tenants = || rig.app().instance().tenants();
    for round in 0..10 {
        let id = xcore::TenantId::parse(&format!("race{round}")).unwrap();
        let (created, again, deleted) =
            tokio::join!(tenants().create(&id), tenants().create(&id), tenants().purge(&id));
        assert!(created.is_ok() || again.is_ok() || deleted.is_ok(), "{created:?} {again:?} {deleted:?}");
        let known: BTreeSet<String> =
            tenants().list().await.unwrap().iter().map(|record| record.id.to_string()).collect();
        let has_file = rig.app().folder().join(format!("tenants/{id}.db")).exists();
        assert_eq!(known.contains(id.as_str()), has_file, "{created:?} {again:?} {deleted:?}");
    }
}
