//! The HTML report in a real browser: it works, runs nothing that a log says, and is accessible in both colour schemes.
//!
//! Needs Chromium (Debian: `apt-get install chromium`, which root need not do by hand; or `CHROMIUM=/path/to/it`). The screenshots
//! lie in `target/tmp/report-*.png`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/node.rs"]
mod node;
#[path = "support/python.rs"]
mod python;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Looked for, and installed, once: packages cannot be installed by two tests at the same time.
static CHROMIUM: LazyLock<String> = LazyLock::new(|| {
    let named = std::env::var("CHROMIUM").ok();
    let places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(str::to_owned);
    let all: Vec<String> = named.into_iter().chain(places).collect();
    let find = || all.iter().find(|p| Path::new(p).exists()).cloned();
    let installed = || {
        // Browsers come from the system's packages only; where we may, we install one.
        let _ = Command::new("apt-get").args(["update", "--quiet"]).output();
        let _ = Command::new("apt-get").args(["install", "--yes", "--quiet", "chromium"]).output();
        find()
    };
    find().or_else(installed).expect("no Chromium: install it (Debian: apt-get install chromium), or name it in CHROMIUM")
});

fn check(name: &str, arguments: &[&str]) {
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let page: PathBuf = pictures.join(format!("{name}.html"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = Command::new(env!("CARGO_BIN_EXE_policyc"))
        .arg("report")
        .args(arguments)
        .args(["--format", "html", "-o"])
        .arg(&page)
        .current_dir(root)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let looked = node::node()
        .arg(root.join("tests/browser/check.mjs"))
        .args([&node::packages("browser"), Path::new(CHROMIUM.as_str()), &page, pictures])
        .arg(name)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(looked.status.success(), "{}", text(&looked.stderr));
    assert_eq!(text(&looked.stdout), "", "{name}");
}

#[test]
fn the_demo_works_and_is_accessible_in_both_schemes() {
    check("report-demo", &["--stack", "demo"]);
}

#[test]
fn what_a_log_says_is_neither_run_nor_made_an_element() {
    let trail = hostile::trail();
    check("hostile", &["--trail", &trail, "--role", hostile::ROLE]);
}
