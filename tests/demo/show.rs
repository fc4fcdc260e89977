//! How things are shown: headings, commands as they are run, tables.

use std::path::Path;

use harness::{ControlPlane, Failure, workspace_binary};

pub const OPERATOR: &str = "customer-offboarding-operator";

pub fn heading(text: &str) {
    println!("\n━━ {text} {}", "━".repeat(100_usize.saturating_sub(text.chars().count() + 4)));
}

pub fn remark(text: &str) {
    println!("# {text}");
}

/// Shows a kubectl command, runs it as admin, shows what it said, and gives it.
pub async fn kubectl(plane: &ControlPlane, args: &[&str]) -> Result<String, Failure> {
    typed("admin", args);
    let said = plane.kubectl("admin").args(args).succeed().await?;
    print!("{said}");
    Ok(said)
}

/// The same as one of the people, with `kubectl offboarding` in the PATH. Of what is said besides the result the last part is
/// shown: a plan that is agreed to was shown before.
pub async fn kubectl_of(plane: &ControlPlane, user: &str, args: &[&str]) -> Result<String, Failure> {
    typed(user, args);
    let plugin = workspace_binary(OPERATOR, "kubectl-offboarding")?;
    let directory = plugin.parent().unwrap_or(Path::new("/")).display().to_string();
    let path = format!("{directory}:{}", std::env::var("PATH").unwrap_or_default());
    let output = plane.kubectl(user).args(args).env("PATH", path).run().await?;
    let besides = output.stderr.trim_end().rsplit("\n\n").next().unwrap_or_default().trim_start();
    print!("{}", output.stdout);
    if !besides.is_empty() {
        println!("{besides}");
    }
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(Failure::new(format!("run kubectl {} as {user}", args.join(" ")), output.status))
    }
}

fn typed(user: &str, args: &[&str]) {
    let command = args.iter().map(|arg| quoted(arg)).collect::<Vec<_>>().join(" ");
    let prompt = if user == "admin" { "$".to_owned() } else { format!("{user}$") };
    println!("{prompt} kubectl {command}");
}

/// As a shell wants it.
fn quoted(arg: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,".contains(&byte);
    if !arg.is_empty() && arg.bytes().all(is_plain) { arg.to_owned() } else { format!("'{arg}'") }
}

/// Rows in columns as wide as their widest cell, the last one as it is.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}
