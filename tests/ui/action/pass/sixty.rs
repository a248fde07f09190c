//! Sixty actions in one plugin.

use xcore::prelude::*;

/// Does much.
#[xcore::plugin]
#[derive(Debug)]
pub struct Large;

#[xcore::plugin]
impl Large {
    /// Number 0.
    #[action(get = "/things/{id}/part{part}/n0", timeout = "5s")]
    async fn action_0(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 1.
    #[action(post = "/things/{id}/part{part}/n0", timeout = "5s")]
    async fn action_1(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 2.
    #[action(put = "/things/{id}/part{part}/n0", timeout = "5s")]
    async fn action_2(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 3.
    #[action(patch = "/things/{id}/part{part}/n0", timeout = "5s")]
    async fn action_3(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 4.
    #[action(delete = "/things/{id}/part{part}/n0", timeout = "5s")]
    async fn action_4(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 5.
    #[action(get = "/things/{id}/part{part}/n1", timeout = "5s")]
    async fn action_5(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 6.
    #[action(post = "/things/{id}/part{part}/n1", timeout = "5s")]
    async fn action_6(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 7.
    #[action(put = "/things/{id}/part{part}/n1", timeout = "5s")]
    async fn action_7(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 8.
    #[action(patch = "/things/{id}/part{part}/n1", timeout = "5s")]
    async fn action_8(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 9.
    #[action(delete = "/things/{id}/part{part}/n1", timeout = "5s")]
    async fn action_9(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 10.
    #[action(get = "/things/{id}/part{part}/n2", timeout = "5s")]
    async fn action_10(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 11.
    #[action(post = "/things/{id}/part{part}/n2", timeout = "5s")]
    async fn action_11(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 12.
    #[action(put = "/things/{id}/part{part}/n2", timeout = "5s")]
    async fn action_12(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 13.
    #[action(patch = "/things/{id}/part{part}/n2", timeout = "5s")]
    async fn action_13(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 14.
    #[action(delete = "/things/{id}/part{part}/n2", timeout = "5s")]
    async fn action_14(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 15.
    #[action(get = "/things/{id}/part{part}/n3", timeout = "5s")]
    async fn action_15(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 16.
    #[action(post = "/things/{id}/part{part}/n3", timeout = "5s")]
    async fn action_16(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 17.
    #[action(put = "/things/{id}/part{part}/n3", timeout = "5s")]
    async fn action_17(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 18.
    #[action(patch = "/things/{id}/part{part}/n3", timeout = "5s")]
    async fn action_18(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 19.
    #[action(delete = "/things/{id}/part{part}/n3", timeout = "5s")]
    async fn action_19(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 20.
    #[action(get = "/things/{id}/part{part}/n4", timeout = "5s")]
    async fn action_20(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 21.
    #[action(post = "/things/{id}/part{part}/n4", timeout = "5s")]
    async fn action_21(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 22.
    #[action(put = "/things/{id}/part{part}/n4", timeout = "5s")]
    async fn action_22(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 23.
    #[action(patch = "/things/{id}/part{part}/n4", timeout = "5s")]
    async fn action_23(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 24.
    #[action(delete = "/things/{id}/part{part}/n4", timeout = "5s")]
    async fn action_24(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 25.
    #[action(get = "/things/{id}/part{part}/n5", timeout = "5s")]
    async fn action_25(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 26.
    #[action(post = "/things/{id}/part{part}/n5", timeout = "5s")]
    async fn action_26(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 27.
    #[action(put = "/things/{id}/part{part}/n5", timeout = "5s")]
    async fn action_27(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 28.
    #[action(patch = "/things/{id}/part{part}/n5", timeout = "5s")]
    async fn action_28(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 29.
    #[action(delete = "/things/{id}/part{part}/n5", timeout = "5s")]
    async fn action_29(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 30.
    #[action(get = "/things/{id}/part{part}/n6", timeout = "5s")]
    async fn action_30(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 31.
    #[action(post = "/things/{id}/part{part}/n6", timeout = "5s")]
    async fn action_31(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 32.
    #[action(put = "/things/{id}/part{part}/n6", timeout = "5s")]
    async fn action_32(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 33.
    #[action(patch = "/things/{id}/part{part}/n6", timeout = "5s")]
    async fn action_33(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 34.
    #[action(delete = "/things/{id}/part{part}/n6", timeout = "5s")]
    async fn action_34(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 35.
    #[action(get = "/things/{id}/part{part}/n7", timeout = "5s")]
    async fn action_35(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 36.
    #[action(post = "/things/{id}/part{part}/n7", timeout = "5s")]
    async fn action_36(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 37.
    #[action(put = "/things/{id}/part{part}/n7", timeout = "5s")]
    async fn action_37(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 38.
    #[action(patch = "/things/{id}/part{part}/n7", timeout = "5s")]
    async fn action_38(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 39.
    #[action(delete = "/things/{id}/part{part}/n7", timeout = "5s")]
    async fn action_39(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 40.
    #[action(get = "/things/{id}/part{part}/n8", timeout = "5s")]
    async fn action_40(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 41.
    #[action(post = "/things/{id}/part{part}/n8", timeout = "5s")]
    async fn action_41(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 42.
    #[action(put = "/things/{id}/part{part}/n8", timeout = "5s")]
    async fn action_42(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 43.
    #[action(patch = "/things/{id}/part{part}/n8", timeout = "5s")]
    async fn action_43(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 44.
    #[action(delete = "/things/{id}/part{part}/n8", timeout = "5s")]
    async fn action_44(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 45.
    #[action(get = "/things/{id}/part{part}/n9", timeout = "5s")]
    async fn action_45(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 46.
    #[action(post = "/things/{id}/part{part}/n9", timeout = "5s")]
    async fn action_46(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 47.
    #[action(put = "/things/{id}/part{part}/n9", timeout = "5s")]
    async fn action_47(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 48.
    #[action(patch = "/things/{id}/part{part}/n9", timeout = "5s")]
    async fn action_48(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 49.
    #[action(delete = "/things/{id}/part{part}/n9", timeout = "5s")]
    async fn action_49(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 50.
    #[action(get = "/things/{id}/part{part}/n10", timeout = "5s")]
    async fn action_50(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 51.
    #[action(post = "/things/{id}/part{part}/n10", timeout = "5s")]
    async fn action_51(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 52.
    #[action(put = "/things/{id}/part{part}/n10", timeout = "5s")]
    async fn action_52(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 53.
    #[action(patch = "/things/{id}/part{part}/n10", timeout = "5s")]
    async fn action_53(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 54.
    #[action(delete = "/things/{id}/part{part}/n10", timeout = "5s")]
    async fn action_54(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 55.
    #[action(get = "/things/{id}/part{part}/n11", timeout = "5s")]
    async fn action_55(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 56.
    #[action(post = "/things/{id}/part{part}/n11", timeout = "5s")]
    async fn action_56(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 57.
    #[action(put = "/things/{id}/part{part}/n11", timeout = "5s")]
    async fn action_57(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 58.
    #[action(patch = "/things/{id}/part{part}/n11", timeout = "5s")]
    async fn action_58(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }

    /// Number 59.
    #[action(delete = "/things/{id}/part{part}/n11", timeout = "5s")]
    async fn action_59(&self, _ctx: &LargeContext, Path((id, part)): Path<(u32, String)>, Json(name): Json<String>) -> Result<Json<String>> {
        Ok(Json(format!("{id} {part} {name}")))
    }
}

xcore::app! { Large }

fn main() -> std::process::ExitCode {
    App::run()
}
