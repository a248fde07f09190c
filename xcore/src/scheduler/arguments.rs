//! What a job is given, as it is stored.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::SchedulerError;
use crate::error::Error;

/// Most bytes that the arguments of one job may take, written as JSON.
pub(super) const MOST_BYTES: usize = 64 * 1024;

/// The arguments of a job: a JSON list, so that they can be stored and read by another process, and by a later version of the
/// program whose types still read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobArguments(Written);

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Written {
    #[default]
    None,
    Json(Arc<str>),
    /// Why they could not be written. The maker of a call cannot fail; whoever schedules it can.
    Fault(Arc<str>),
}

/// Arguments that the method does not take.
#[derive(Debug, thiserror::Error)]
#[error("the arguments of the job are stored as `{written}`, which is not what the method takes now")]
struct Unreadable {
    written: String,
    #[source]
    source: serde_json::Error,
}

impl JobArguments {
    pub(super) fn write<T: Serialize>(arguments: &T) -> Self {
        Self(match serde_json::to_string(arguments) {
            Ok(text) => Written::Json(text.into()),
            Err(problem) => Written::Fault(problem.to_string().into()),
        })
    }

    /// As the store has them.
    pub(super) fn from_stored(text: Option<String>) -> Self {
        Self(text.map_or(Written::None, |text| Written::Json(text.into())))
    }

    /// As the store has them.
    pub(super) fn as_stored(&self) -> Option<&str> {
        match &self.0 {
            Written::Json(text) => Some(text),
            Written::None | Written::Fault(_) => None,
        }
    }

    pub(super) fn is_none(&self) -> bool {
        self.0 == Written::None
    }

    /// Whether they can be stored.
    pub(super) fn check(&self, call: &super::JobCall) -> Result<(), SchedulerError> {
        match &self.0 {
            Written::None => Ok(()),
            Written::Json(text) if text.len() <= MOST_BYTES => Ok(()),
            Written::Json(text) => Err(SchedulerError::LongArguments {
                call: call.method(),
                bytes: text.len(),
                most: MOST_BYTES,
            }),
            Written::Fault(reason) => {
                Err(SchedulerError::Arguments { call: call.method(), reason: reason.to_string() })
            }
        }
    }

    /// For generated code: the tuple of them.
    ///
    /// # Errors
    /// When they are not what the method takes.
    #[doc(hidden)]
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Error> {
        let text = self.as_stored().unwrap_or("[]");
        serde_json::from_str(text).map_err(|source| {
            Error::internal(Unreadable { written: text.chars().take(200).collect(), source })
        })
    }
}

impl Serialize for JobArguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_stored().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JobArguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_stored(Option::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::scheduler::JobCall;

    fn call() -> JobCall {
        JobCall::new("mails", "send")
    }

    #[test]
    fn arguments_come_back_as_they_were() {
        let given = ("ä\0\"".to_owned(), vec![1_u64, u64::MAX], None::<bool>);
        let with = call().with_arguments(&given);
        with.arguments.check(&with).unwrap();
        let stored: JobCall = serde_json::from_str(&serde_json::to_string(&with).unwrap()).unwrap();
        assert_eq!(stored, with);
        assert_eq!(stored.arguments.read::<(String, Vec<u64>, Option<bool>)>().unwrap(), given);
        let none = serde_json::to_string(&call()).unwrap();
        assert!(!none.contains("arguments"), "{none}");
        assert_eq!(with.method(), call());
    }

    #[test]
    fn what_cannot_be_stored_is_refused_and_what_cannot_be_read_is_said() {
        let unwritable = call().with_arguments(&(HashMap::from([((1, 2), 3)]),));
        assert!(matches!(unwritable.arguments.check(&unwritable), Err(SchedulerError::Arguments { .. })));
        let long = call().with_arguments(&("x".repeat(MOST_BYTES),));
        assert!(matches!(long.arguments.check(&long), Err(SchedulerError::LongArguments { .. })));
        let other = call().with_arguments(&("text",)).arguments.read::<(u32,)>();
        assert!(other.unwrap_err().chain().contains("which is not what the method takes"));
    }
}
