//! What the process itself uses, as Linux tells it.

use super::{
    catalogue,
    figure::{Figure, Number},
};

/// The figures that every exporter has; those are left out that this system does not tell.
#[must_use]
pub fn process() -> Vec<Figure> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let page = rustix::param::page_size();
    let ticks = f64::from(u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100));
    let stat = Stat::parse(&read("/proc/self/stat"));
    let files = std::fs::read_dir("/proc/self/fd").map(Iterator::count);
    let figures = [
        stat.map(|stat| Figure::alone(&catalogue::CPU, Number::Real(stat.cpu_ticks / ticks))),
        stat.map(|stat| Figure::alone(&catalogue::MEMORY, stat.pages.saturating_mul(page))),
        // The directory that is read is open, too.
        files.ok().map(|files| Figure::alone(&catalogue::FILES, files.saturating_sub(1))),
        stat.zip(booted(&read("/proc/stat"))).map(|(stat, booted)| {
            Figure::alone(&catalogue::STARTED, Number::Real(booted + stat.started_ticks / ticks))
        }),
    ];
    figures.into_iter().flatten().collect()
}

/// What `/proc/self/stat` says. Source: proc_pid_stat(5).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    /// After the machine was booted.
    started_ticks: f64,
    pages: usize,
}

impl Stat {
    fn parse(text: &str) -> Option<Stat> {
        // The second field is the program's name, in parentheses, and may hold anything.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        Some(Stat {
            cpu_ticks: number(14)? + number(15)?,
            started_ticks: number(22)?,
            pages: fields.get(24 - 3)?.parse().ok()?,
        })
    }
}

/// When the machine was booted, in Unix time. Source: proc_stat(5).
fn booted(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read_whatever_the_program_is_called() {
        let text = "7 (a ) 1 2) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 4 0 12345 1000 321 18446744073709551615 1";
        let stat = Stat { cpu_ticks: 200.0, started_ticks: 12345.0, pages: 321 };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(Stat::parse(""), None);
        assert_eq!(booted("cpu 1 2\nbtime 1790000000\nprocesses 3\n"), Some(1_790_000_000.0));
        assert_eq!(process().len(), 4);
    }
}
