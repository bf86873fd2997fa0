//! Writes `cfn/recording/`: the activity of the demo's three instances over four days, as CloudTrail would have recorded it.
//!
//! Run it from the repository's root: `cargo run --example record_demo`. It takes no input and always writes the same bytes,
//! so `git status` stays clean. `tests/recording.rs` holds the committed files to it.

mod recording;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = Path::new("cfn/recording");
    let files = recording::files()?;
    let logs = root.join("AWSLogs");
    if logs.exists() {
        std::fs::remove_dir_all(&logs)?;
    }
    for (name, bytes) in files {
        let path = root.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, bytes)?;
    }
    Ok(())
}
