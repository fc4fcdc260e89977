//! What the command line says of itself: its help, and the tables of docs/configuration.md that are made of it.

mod golden;

use std::{fmt::Write as _, path::Path};

use clap::{Arg, Command};
use offboarding::cli::command;

/// The help of a subcommand; of the program itself where it has no name.
fn help(name: &str) -> String {
    let mut command = command();
    command.build();
    let asked = command.find_subcommand_mut(name);
    asked.map_or_else(|| self::command().render_help().to_string(), |it| it.render_help().to_string())
}

#[test]
fn the_help_reads_as_it_was_read_last() {
    let files = [("check", "check"), ("help", ""), ("operator", "operator")];
    let files = files.map(|(file, name)| (format!("{file}.txt"), help(name)));
    golden::assert_directory_holds("tests/configuration", &files, "txt");
}

#[test]
fn the_help_fits_on_a_screen() {
    for name in ["", "operator", "check"] {
        let help = help(name);
        assert!(help.lines().count() <= 60, "{name}: {} lines", help.lines().count());
        for line in help.lines() {
            assert!(line.chars().count() <= 180, "{name}: {line}");
        }
    }
}

/// The one that every program with OpenTelemetry reads.
const OF_OPENTELEMETRY: (&str, &str) = ("otlp-endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT");

/// Flags that only ask for something to be printed.
const OF_EVERY_PROGRAM: &[&str] = &["help", "version"];

fn flags(command: &Command) -> Vec<&Arg> {
    command.get_arguments().filter(|arg| !OF_EVERY_PROGRAM.contains(&arg.get_id().as_str())).collect()
}

#[test]
fn every_flag_of_the_operator_has_an_environment_variable_of_its_name() {
    let command = command();
    let operator = command.find_subcommand("operator").expect("it is there");
    assert!(flags(operator).len() > 12, "the flags are found");
    for arg in flags(operator) {
        let long = arg.get_long().expect("flags have long names");
        let variable = arg.get_env().and_then(|name| name.to_str()).expect("a variable");
        if (long, variable) != OF_OPENTELEMETRY {
            assert_eq!(variable, long.replace('-', "_").to_uppercase());
        }
        assert!(arg.get_short().is_none() && arg.get_help_heading().is_some(), "{long}");
        assert!(arg.is_hide_env_values_set(), "{long}: the help does not show the environment");
    }
}

/// One table for each heading: what only one subcommand has says so.
fn tables() -> String {
    let command = command();
    let find = |name| command.find_subcommand(name).expect("it is there");
    let (operator, check) = (flags(find("operator")), flags(find("check")));
    let of_both = |arg: &Arg| check.iter().any(|it| it.get_id() == arg.get_id());
    let only_check = check.iter().filter(|arg| !operator.iter().any(|it| it.get_id() == arg.get_id()));
    let mut all: Vec<(&Arg, &str)> = operator
        .iter()
        .map(|arg| (*arg, if of_both(arg) { "both" } else { "operator" }))
        .chain(only_check.map(|arg| (*arg, "check")))
        .collect();
    let mut headings: Vec<&str> = Vec::new();
    for (arg, _) in &all {
        let heading = arg.get_help_heading().expect("a heading");
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    all.sort_by_key(|(arg, _)| headings.iter().position(|it| Some(*it) == arg.get_help_heading()));
    let mut text = String::from("| | flag | environment | default | of | |\n|---|---|---|---|---|---|\n");
    let mut before = "";
    for (arg, of) in all {
        let heading = arg.get_help_heading().expect("a heading");
        let shown = if heading == before { "" } else { heading };
        before = heading;
        let default: Vec<_> =
            arg.get_default_values().iter().map(|it| format!("`{}`", it.display())).collect();
        let variable = arg.get_env().map_or_else(String::new, |it| format!("`{}`", it.display()));
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.trim_end_matches('.').replace('|', "\\|");
        let long = arg.get_long().expect("a long name");
        writeln!(text, "| {shown} | `--{long}` | {variable} | {} | {of} | {help} |", default.join(" "))
            .expect("a text takes everything");
    }
    text
}

#[test]
fn the_manual_lists_every_flag() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = std::fs::read_to_string(&path).expect("it is there");
    let (begin, end) =
        ("<!-- flags: ACCEPT=1 cargo test --test configuration -->\n", "<!-- end of flags -->\n");
    let (head, rest) = page.split_once(begin).expect("the beginning of the tables");
    let (written, tail) = rest.split_once(end).expect("the end of the tables");
    let made = tables();
    if std::env::var_os("ACCEPT").is_some() {
        std::fs::write(&path, format!("{head}{begin}{made}{end}{tail}")).expect("it can be written");
    } else {
        assert!(written == made, "docs/configuration.md does not list the flags as they are; ACCEPT=1");
    }
}
