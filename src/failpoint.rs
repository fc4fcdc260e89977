//! Named markers at which a campaign stops, pauses or fails the process. Bare in the code, and nothing at all in a build
//! without the feature `failpoints`.
//!
//! `FAILPOINTS="send.done=kill;relook.before=pause(500)@2"`: an action at a marker, at its second hit.

/// Marks a point. Awaits only under the feature `failpoints`.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::reached($name).await;
    };
}

#[cfg(feature = "failpoints")]
pub use on::{NAMES, reached};

#[cfg(feature = "failpoints")]
mod on {
    use std::{
        collections::HashMap,
        sync::{LazyLock, Mutex, PoisonError},
        time::Duration,
    };

    use rustix::process::{Signal, getpid, kill_process};

    /// Every marker in the code, in the order in which an offboarding reaches them.
    pub const NAMES: &[&str] = &[
        "reconcile.start",
        "plan.look.before",
        "plan.look.after",
        "plan.check.after",
        "intent.create.before",
        "intent.put.before",
        "intent.after",
        "relook.before",
        "relook.after",
        "reread.after",
        "permit.granted",
        "send.done",
        "outcome.put.before",
        "outcome.put.after",
        "close.put.before",
        "close.put.after",
        "status.put.before",
        "status.put.after",
        "reconcile.done",
    ];

    struct Action {
        name: String,
        does: String,
        at: u32,
    }

    static ACTIONS: LazyLock<Vec<Action>> = LazyLock::new(|| {
        let setting = std::env::var("FAILPOINTS").unwrap_or_default();
        setting.split(';').filter_map(parse).collect()
    });
    static HITS: LazyLock<Mutex<HashMap<&'static str, u32>>> = LazyLock::new(Mutex::default);

    fn parse(entry: &str) -> Option<Action> {
        let (name, action) = entry.trim().split_once('=')?;
        let (does, at) =
            action.split_once('@').map_or((action, 1), |(does, at)| (does, at.parse().unwrap_or(1)));
        Some(Action { name: name.to_owned(), does: does.to_owned(), at })
    }

    /// Counts a hit of a marker and does what `FAILPOINTS` says for it.
    pub async fn reached(name: &'static str) {
        let hit = {
            let mut hits = HITS.lock().unwrap_or_else(PoisonError::into_inner);
            let count = hits.entry(name).or_default();
            *count += 1;
            *count
        };
        for action in ACTIONS.iter().filter(|action| action.name == name && action.at == hit) {
            match action.does.as_str() {
                "kill" => {
                    let _dead = kill_process(getpid(), Signal::KILL);
                }
                "exit" => std::process::exit(3),
                #[expect(clippy::panic, reason = "the action that the campaign asked for")]
                "panic" => panic!("failpoint"),
                pause => {
                    let millis =
                        pause.trim_start_matches("pause(").trim_end_matches(')').parse().unwrap_or(0);
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                }
            }
        }
    }
}
