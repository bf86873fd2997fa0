//! The policyc binary: calls the command line and nothing else.

fn main() -> std::process::ExitCode {
    policyc::cli::run()
}
