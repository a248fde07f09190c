//! What a plugin's source file needs: `use xcore::prelude::*`.

pub use crate::error::{Error, Result};
pub use crate::plugin::{AnyContext, AppContext};
pub use crate::tenancy::Tenant;
pub use crate::{action, job, on};

pub use axum::Json;
pub use axum::extract::{Path, Query};
pub use axum::http::StatusCode;
pub use axum::response::IntoResponse;
pub use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, ModelTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set, TransactionTrait,
};
pub use sea_orm_migration::MigratorTrait;
pub use serde::{Deserialize, Serialize};
