//! `ClusterOffboardingProvider`: an account that the platform team shares with the namespaces that it names.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{OffboardingProviderSpec, ProviderStatus, rules};

/// An OffboardingProvider without a namespace: everything that one says, and who may use it.
#[expect(clippy::duplicated_attributes, reason = "one line for each column")]
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "offboarding.dev",
    version = "v1alpha1",
    kind = "ClusterOffboardingProvider",
    shortname = "ccobp",
    category = "offboarding",
    doc = "One account at one provider, for the namespaces that it names: an OffboardingProvider of the cluster. Its Secrets are in the operator's namespace.",
    status = "ProviderStatus",
    derive = "PartialEq",
    printcolumn(name = "Profile", type_ = "string", json_path = ".spec.profile"),
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.account"),
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterOffboardingProviderSpec {
    /// What an OffboardingProvider says; each of its Secrets is in the operator's namespace.
    #[serde(flatten)]
    pub provider: OffboardingProviderSpec,
    /// The namespaces whose requests may use it, by name, at most 256; none by default. To all others it is not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Set)]
    #[x_kube(validation = Rule::new(format!("self.all(name, name.matches('{}'))", rules::DNS_LABEL))
        .message("must be names of namespaces: lower-case letters, digits and `-`, from a letter or digit to a letter or digit"))]
    pub allowed_namespaces: Vec<String>,
}
