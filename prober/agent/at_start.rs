//! What of the project file holds until the process ends.
//!
//! A reload takes everything else. Whoever changes one of these must be told so, or believes that it is in force.

use std::time::Duration;

use scenario::project::Project;

/// The settings that are read at the start alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AtStart {
    listen: Option<String>,
    bytes_max: Option<u64>,
    keep: Option<Duration>,
}

impl AtStart {
    /// The settings of `project`.
    pub(crate) fn of(project: &Project) -> Self {
        Self {
            listen: project.listen.as_ref().map(|address| address.value.clone()),
            bytes_max: project.store.bytes_max,
            keep: project.store.keep,
        }
    }

    /// What `new` says otherwise, in a sentence; `None` if nothing.
    pub(crate) fn waits_for_a_restart(&self, new: &Self) -> Option<String> {
        let changed = [
            ("serve.listen", self.listen != new.listen),
            ("store.max_bytes", self.bytes_max != new.bytes_max),
            ("store.keep", self.keep != new.keep),
        ];
        let names: Vec<_> =
            changed.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect();
        (!names.is_empty())
            .then(|| format!("{}: changed in prober.yaml, and in force after a restart", names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_that_changed_is_named() {
        let old = AtStart { listen: None, bytes_max: Some(1), keep: None };
        assert_eq!(old.waits_for_a_restart(&old), None);
        let new = AtStart {
            listen: Some("127.0.0.1:1".to_owned()),
            keep: Some(Duration::from_secs(1)),
            ..old.clone()
        };
        let said = new.waits_for_a_restart(&old).unwrap();
        assert_eq!(said, "serve.listen, store.keep: changed in prober.yaml, and in force after a restart");
    }
}
