//! The stage: an API server with a release of the chart, and the process of its pod.

use std::time::Duration;

use harness::{ControlPlane, Failure, Options, Process, Scratch};
use serde_json::json;

pub use crate::release::root;
use crate::{
    release::{self, NAMESPACE},
    story::Story,
};

/// How long a story may take to get where it should: generous, because nothing waits for it to pass.
pub const SOON: Duration = Duration::from_secs(60);

pub struct Stage {
    pub plane: ControlPlane,
    pub scratch: Scratch,
}

impl Stage {
    /// An API server on which nothing is installed.
    pub async fn bare() -> Result<Stage, Failure> {
        let options = Options::default().with_controller_manager().with_audit_log();
        Ok(Stage { plane: ControlPlane::start(options).await?, scratch: Scratch::new("release")? })
    }

    /// Starts the pod's process as the release stands now, with further variables, and waits until it leads. Whoever led before ended.
    pub async fn runs(&self, env: &[(&str, &str)]) -> Result<Process, Failure> {
        let mut operator = self.starts(env).await?;
        says(&mut operator, &["\"message\":\"leading\""]).await?;
        Ok(operator)
    }

    /// The same without waiting for anything.
    pub async fn starts(&self, env: &[(&str, &str)]) -> Result<Process, Failure> {
        let mut launch = release::pod(&self.plane, &self.scratch).await?;
        for (name, value) in env {
            launch = launch.env(name, value);
        }
        launch.start(self.scratch.path())
    }

    /// Gives the lease back in the name of an operator that could not.
    pub async fn free_the_lease(&self) -> Result<(), Failure> {
        let nobody = json!({"spec": {"holderIdentity": null}}).to_string();
        let lease = self.plane.kubectl("admin").args(["-n", NAMESPACE, "patch", "lease"]);
        lease.args(["customer-offboarding-operator", "--type=merge", "-p", &nobody]).run().await.map(drop)
    }

    /// A namespace and a sandbox for one story.
    pub async fn story(&self, name: &str) -> Story<'_> {
        Story::begin(self, name).await
    }
}

/// Waits for the next line of the operator's log that has all of these words.
pub async fn says(operator: &mut Process, words: &[&str]) -> Result<String, Failure> {
    operator.wait_for_line(|line| words.iter().all(|word| line.contains(word)), SOON).await
}
