//! Active models saved, and with what belongs to them.

use sea_orm::{
    ActiveHasMany, ActiveModelTrait, EntityLoaderTrait, IntoActiveModel, NotSet, Set, TryIntoModel, Unchanged,
};

use crate::rows;
use crate::stage::Handle;
use crate::tables::{author, comment, post, post_tag, profile, setting, tag};
use crate::trace::Trace;

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("save");
    alone(db, trace).await;
    nested(db, trace).await;
    trace.step("authors", rows::all::<author::Entity, _>(db).await);
    trace.step("profiles", rows::all::<profile::Entity, _>(db).await);
    trace.step("posts", rows::all::<post::Entity, _>(db).await);
    trace.step("comments", rows::all::<comment::Entity, _>(db).await);
    trace.step("tags", rows::all::<tag::Entity, _>(db).await);
    trace.step("junction", rows::all::<post_tag::Entity, _>(db).await);
}

async fn alone<C: Handle>(db: &C, trace: &mut Trace) {
    let new = tag::ActiveModel { id: NotSet, label: Set("saved".to_owned()) };
    if let Some(mut saved) = trace.step("insert", new.save(db).await) {
        saved.label = Set("saved again".to_owned());
        if let Some(saved) = trace.step("update", saved.save(db).await) {
            trace.step("try_into_model", saved.clone().try_into_model());
            trace.step("unchanged", saved.save(db).await);
        }
    }
    let missing = tag::ActiveModel { id: Unchanged(99), label: Set("nobody".to_owned()) };
    trace.step("no such row", missing.save(db).await);
    let text = setting::ActiveModel { key: Set("text key".to_owned()), value: Set("v".to_owned()) };
    trace.step("a chosen key is an update", text.save(db).await);
}

async fn nested<C: Handle>(db: &C, trace: &mut Trace) {
    let new = author::ActiveModel::builder()
        .set_name("Nested")
        .set_email("nested@ours")
        .set_profile(profile::ActiveModel::builder().set_picture("n.png"))
        .add_post(post::ActiveModel::builder().set_title("n1"))
        .add_post(
            post::ActiveModel::builder().set_title("n2").add_tag(tag::ActiveModel::builder().set_label("n")),
        );
    let Some(mut saved) = trace.step("nested insert", new.save(db).await) else { return };
    saved.posts.push(post::ActiveModel::builder().set_title("n3"));
    saved.posts[0].title = Set("n1 changed".to_owned());
    let Some(mut saved) = trace.step("nested update", saved.save(db).await) else { return };
    if let Some(profile) = saved.profile.as_mut() {
        profile.picture = Set("other.png".to_owned());
    }
    let mut replacing = post::ActiveModel::builder().set_title("only").set_views(4);
    replacing.comments = ActiveHasMany::Append(vec![comment::ActiveModel::builder().set_text("deep")]);
    saved.posts.replace_all([replacing]);
    // The junction's rows of the posts that go must go first.
    trace.step("nested replace", saved.clone().save(db).await.map(|_| ()));
    let loaded = author::Entity::load().filter_by_id(5).with(profile::Entity);
    let loaded = loaded.with((post::Entity, comment::Entity)).one(db).await;
    if let Some(Some(loaded)) = trace.step("loaded", loaded) {
        let mut again = loaded.into_active_model();
        again.name = Set("Nested again".to_owned());
        trace.step("save what was loaded", again.save(db).await);
    }

    let existing = tag::Model { id: 1, label: "drink".to_owned() };
    let tagged = post::ActiveModel::builder()
        .set_title("tagged")
        .set_author(author::ActiveModel::builder().set_name("By the way").set_email("way@ours"))
        .add_tag(existing.into_active_model())
        .add_tag(tag::ActiveModel::builder().set_label("fresh"));
    if let Some(mut tagged) = trace.step("belongs to and a junction", tagged.save(db).await) {
        tagged.tags.replace_all([tag::Model { id: 2, label: "water".to_owned() }.into_active_model().into()]);
        trace.step("junction replaced", tagged.save(db).await);
    }
    let clash = author::ActiveModel::builder()
        .set_name("Clash")
        .set_email("clash@ours")
        .add_post(post::ActiveModel::builder().set_title("goes with it"))
        .set_profile(profile::ActiveModel { id: Set(1), picture: Set("x".to_owned()), author_id: NotSet });
    trace.step("nested failure", clash.insert(db).await.map(|_| ()));
    let found = author::Entity::find_by_email("clash@ours").one(db).await;
    trace.step("nothing of it is kept", found);
    if let Some(Some(post)) = trace.step("to delete", post::Entity::load().filter_by_id(1).one(db).await) {
        trace.step("delete with what belongs to it", post.delete(db).await);
    }
}
