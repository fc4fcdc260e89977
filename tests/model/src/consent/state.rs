//! One state of a request with its people: approvals, holds, provider objects, records, two processes. Small and hashable.
//!
//! Numbers stand for things: a plan, an order, a record and an ending are places in what was met so far; an approval is
//! its slot and generation. Of the customers only their truth is here: what reads can show of it is the first model's matter.

pub use crate::state::{Asked, Rec};

/// Targets that a request may have here.
pub const TARGETS: usize = 2;

/// Approvals that may be there at once: of the author, of Bob, of Bob again, of Carol.
pub const SLOTS: usize = 4;

/// How often an approval can be given anew.
pub const GENERATIONS: u8 = 4;

/// How an approval stands to time and policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Age {
    /// It holds, and people may still think better of it.
    Young,
    Valid,
    /// It holds, but not for as long as a send may take.
    Ending,
    Over,
    /// It was made before the policies were what they are: nobody knows by whom.
    Unproved,
    /// It is deleted; its place keeps the number of the next one.
    Withdrawn,
}

/// What somebody said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Approval {
    /// The plan that it names; 0 is a plan of another request that had the same name.
    pub plan: u8,
    pub generation: u8,
    pub age: Age,
}

/// The admission policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policies {
    InForce,
    Missing,
}

/// A provider object and the customer's checks there, as people left them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub suspended: bool,
    /// Its profile is another one.
    pub edited: bool,
    /// It demands one more approval.
    pub raised: bool,
    /// A check finds something in the way.
    pub blocked: bool,
}

/// What people left, apart from records and status: what caches show late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct People {
    pub asked: Asked,
    pub approvals: [Option<Approval>; SLOTS],
    pub denied: bool,
    pub policies: Policies,
    /// Targets that a hold is about, as bits.
    pub held: u8,
    pub places: [Place; TARGETS],
}

/// Which customer is there: 0 none, 1 the first, 2 another one under the same id.
pub type Customer = u8;

/// An answer to the destructive request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    NotSent,
    Unknown,
    Refused,
    Accepted,
}

/// The request as a process read it: its status is written over exactly that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seen {
    pub asked: Asked,
    pub told: u8,
    pub finished: bool,
}

/// How far a process is with the one thing that it does. `order` is a place in the orders that were ever given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    Idle,
    /// Decided to end the request; records that do not say so are read once more.
    Ending {
        recs: [Rec; TARGETS],
        ending: u8,
        seen: Seen,
    },
    /// They were, and only the status is left to be written.
    Telling {
        ending: u8,
        seen: Seen,
    },
    Ordered {
        order: u16,
        rec: Rec,
    },
    /// The intent's write was not answered.
    Unsure {
        order: u16,
        n: u8,
        committed: bool,
        late: bool,
    },
    Intended {
        order: u16,
        n: u8,
        late: bool,
    },
    /// Everything was read again, and nothing changed. `broken` are promises that a send would break.
    Reread {
        order: u16,
        n: u8,
        late: bool,
        broken: u16,
    },
    Sent {
        target: u8,
        n: u8,
    },
}

/// What a process remembers of a target: the last attempt, and whether its settle window is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mem {
    pub attempt: u8,
    pub settled: bool,
}

/// An outcome that is not written down yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kept {
    pub target: u8,
    pub n: u8,
    pub answer: Answer,
}

/// One process. Both are alike, and both always act: no lease is relied upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    pub step: Step,
    pub kept: Option<Kept>,
    pub mem: [Mem; TARGETS],
}

impl Process {
    pub const NEW: Self =
        Self { step: Step::Idle, kept: None, mem: [Mem { attempt: 0, settled: false }; TARGETS] };
}

/// What nobody in the story knows, for the promises alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Truth {
    /// Attempts that were sent, as bits by target.
    pub sent: [u8; TARGETS],
    /// How many were sent in this hour.
    pub sent_in_the_hour: u8,
    /// Targets at which a deletion was done, as bits.
    pub executed: u8,
    /// Targets whose customer was really gone once, as bits.
    pub gone: u8,
    /// Targets at which another customer got the id once, as bits.
    pub second: u8,
    /// The ending that the status tells; 0 none.
    pub told: u8,
    /// Broken promises.
    pub broken: u16,
    /// What was waited for in this history; only where a run remembers.
    pub lived: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub people: People,
    /// What caches may still show.
    pub before: People,
    /// Its status says that it is finished.
    pub finished: bool,
    /// The plan that the status tells; 0 none.
    pub told: u8,
    pub recs: [Rec; TARGETS],
    pub customers: [Customer; TARGETS],
    /// Attempts that were made more than an hour ago, as bits by target.
    pub hour_ago: [u8; TARGETS],
    /// The destructive request on its way, by target: its attempt and the customer that it is about.
    pub flights: [Option<(u8, Customer)>; TARGETS],
    pub processes: [Process; 2],
    pub troubles: u8,
    pub truth: Truth,
}

impl State {
    pub fn new(targets: usize, troubles: u8) -> Self {
        let people = People {
            asked: Asked::Standing,
            approvals: [None; SLOTS],
            denied: false,
            policies: Policies::InForce,
            held: 0,
            places: [Place::default(); TARGETS],
        };
        let mut customers = [1; TARGETS];
        customers[targets..].fill(0);
        Self {
            people,
            before: people,
            finished: false,
            told: 0,
            recs: [0; TARGETS],
            customers,
            hour_ago: [0; TARGETS],
            flights: [None; TARGETS],
            processes: [Process::NEW; 2],
            troubles,
            truth: Truth::default(),
        }
    }

    pub fn seen(&self) -> Seen {
        Seen { asked: self.people.asked, told: self.told, finished: self.finished }
    }

    /// Nothing more is wanted of the request: its open records are finished without it.
    pub fn is_over(&self) -> bool {
        self.finished || self.people.asked == Asked::Deleted
    }
}

impl Step {
    /// The same, after the send deadline.
    pub fn too_late(self) -> Self {
        match self {
            Step::Unsure { order, n, committed, .. } => Step::Unsure { order, n, committed, late: true },
            Step::Intended { order, n, .. } => Step::Intended { order, n, late: true },
            Step::Reread { order, n, broken, .. } => Step::Reread { order, n, broken, late: true },
            other => other,
        }
    }
}

/// The bit of a target or an attempt.
pub const fn bit(n: u8) -> u8 {
    1 << n
}
