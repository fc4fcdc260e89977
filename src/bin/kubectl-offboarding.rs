//! `kubectl offboarding`, once it is in the PATH.

fn main() -> std::process::ExitCode {
    offboarding::plugin::run(offboarding::cli::clock)
}
