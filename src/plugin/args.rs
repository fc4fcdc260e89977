//! What can be typed. The help is the manual: `docs/reference/kubectl-offboarding.md` is made of it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::api::{HoldType, Span};

/// Plans, approvals and holds of customer offboardings, for the people who decide about them.
#[derive(Parser)]
#[command(name = "kubectl-offboarding", bin_name = "kubectl offboarding", version, after_help = super::exit::help())]
pub struct Arguments {
    #[command(flatten)]
    pub cluster: ClusterArguments,
    #[command(subcommand)]
    pub command: Command,
}

/// Which cluster and namespace; as kubectl understands them.
#[derive(Args)]
pub struct ClusterArguments {
    /// Namespace of the requests; the one of the kubeconfig's context by default.
    #[arg(short, long, global = true)]
    pub namespace: Option<String>,
    /// Context of the kubeconfig.
    #[arg(long, global = true)]
    pub context: Option<String>,
    /// Kubeconfig file; KUBECONFIG or ~/.kube/config by default.
    #[arg(long, global = true)]
    pub kubeconfig: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Show what would be done: everything that an approver agrees to.
    Plan {
        /// The CustomerOffboarding.
        name: String,
        /// Print `status.plan` as it is.
        #[arg(short, long)]
        output: Option<Format>,
    },
    /// List what awaits you: plans that you have not agreed to yet, and blockers that you might waive.
    Pending {
        /// In all namespaces.
        #[arg(short = 'A', long)]
        all_namespaces: bool,
    },
    /// Agree to exactly the plan that is shown. Asks to type the account and the request's name.
    Approve {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        consent: Consent,
    },
    /// Refuse: nothing is deleted while the refusal exists. Asks for the same words as `approve`.
    Deny {
        #[command(flatten)]
        which: Which,
        /// Why, in your own words, at most 256 characters. No personal data.
        #[arg(long)]
        reason: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
        /// Print the refusal instead of creating it.
        #[arg(short, long)]
        output: Option<Format>,
    },
    /// Agree that one blocking check is passed over, for exactly the plan that is shown. Agrees to nothing else.
    Waive {
        /// The CustomerOffboarding.
        name: String,
        /// The check, as the plan names it: TARGET/CHECK.
        #[arg(long, value_name = "TARGET/CHECK")]
        check: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Say why a request does not go on, and what would make it.
    Explain {
        /// The CustomerOffboarding.
        name: String,
    },
    /// Show where requests stand; with --watch one line for each change, until it is finished.
    Status {
        /// The CustomerOffboarding.
        name: String,
        /// Until it is finished.
        #[arg(short, long)]
        watch: bool,
    },
    /// Give a request up for good: nothing more is sent for it. Cannot be undone.
    Cancel {
        /// The CustomerOffboarding.
        name: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
    /// Stop a request for now: nothing is sent while it is suspended.
    Suspend {
        /// The CustomerOffboarding.
        name: String,
    },
    /// Let a suspended request go on. Grants nothing: every gate is passed anew.
    Resume {
        /// The CustomerOffboarding.
        name: String,
    },
    /// Have the operator look again now. Grants nothing.
    Retry {
        /// The CustomerOffboarding.
        name: String,
    },
    /// Holds: nothing that they name is deleted while they stand.
    #[command(subcommand)]
    Hold(Hold),
    /// Print a customer's pseudonym, as `hold create --ref` takes it. The id is asked for, or read from standard input: an
    /// argument would stay in the shell's history. For those who may read the installation key.
    Ref {
        /// Namespace of the operator, its records and the installation key.
        #[arg(long, default_value = "customer-offboarding")]
        operator_namespace: String,
    },
    /// Print the completion script of a shell. For `kubectl offboarding <TAB>` see the reference.
    Completion {
        /// bash, zsh, fish, elvish or powershell.
        shell: Shell,
    },
}

/// Which requests.
#[derive(Args)]
pub struct Which {
    /// CustomerOffboardings: 1 to 500, each bound on its own.
    #[arg(required_unless_present = "selector", conflicts_with = "selector")]
    pub names: Vec<String>,
    /// All that are not finished and carry these labels, such as cohort=2026-11. They are listed, and each is bound on its own.
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
}

/// How consent is given.
#[derive(Args)]
pub struct Consent {
    /// Do not ask; for scripts. Needs --plan.
    #[arg(short, long, requires = "plan")]
    pub yes: bool,
    /// The plan's hash that was read, `sha256:` and 64 hex digits; once for each request. Another plan is not agreed to.
    #[arg(long, value_name = "HASH")]
    pub plan: Vec<String>,
    /// How long it holds: at most 336h, and at most what the provider object allows.
    #[arg(long, default_value = "24h")]
    pub expires_in: Span,
    /// Print the approval instead of creating it.
    #[arg(short, long)]
    pub output: Option<Format>,
}

#[derive(Subcommand)]
pub enum Hold {
    /// Hold customers, the customers of a provider object, or everything.
    Create(HoldArguments),
    /// List all holds.
    List,
    /// Let a hold go: requests that waited for it are planned anew and go on. Asks to type its name.
    Release {
        /// The CustomerHold.
        name: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Args)]
pub struct HoldArguments {
    /// Its name; made up by default. No personal data.
    pub name: Option<String>,
    /// Everything, or everything at --provider. Asks to type `hold everything`.
    #[arg(long, required_unless_present = "refs", conflicts_with = "refs")]
    pub all: bool,
    /// A customer's pseudonym, as `status` or `ref` shows it; may be repeated.
    #[arg(long = "ref", value_name = "HMAC")]
    pub refs: Vec<String>,
    /// LegalHold, Dispute, Protected or Freeze.
    #[arg(long = "type", value_name = "TYPE", default_value = "LegalHold", value_parser = hold_type)]
    pub kind: HoldType,
    /// Only there: NAMESPACE/NAME of an OffboardingProvider, or NAME of a ClusterOffboardingProvider; may be repeated.
    #[arg(long = "provider", value_name = "NAMESPACE/NAME")]
    pub providers: Vec<String>,
    /// Your own case number, such as `Case 031/26`. No personal data.
    #[arg(long)]
    pub reference: Option<String>,
    /// How long it stands, such as 720h; for ever by default.
    #[arg(long)]
    pub expires_in: Option<Span>,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
}

fn hold_type(word: &str) -> Result<HoldType, String> {
    word.parse().map_err(|_| "must be LegalHold, Dispute, Protected or Freeze".to_owned())
}

/// How an object is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Json,
    Yaml,
}
