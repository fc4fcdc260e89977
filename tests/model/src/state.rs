//! One state of everything: requests, record, provider object, customer, requests in flight, two processes. Small and hashable.
//!
//! Numbers stand for things: customers 1 and 2 are two incarnations under one id, requests 1 and 2 are two objects, an attempt
//! is its number, a record is its place on the [`Shelf`](super::shelf::Shelf).

/// A request's controls, as people left them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Asked {
    Never,
    Standing,
    Suspended,
    Cancelled,
    Deleted,
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Request {
    pub asked: Asked,
    /// Its status says that it is finished.
    pub finished: bool,
}

/// A record on the shelf; 0 where there is none.
pub type Rec = u16;

/// The provider object and its Secret, as the platform team left them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Its base URL is another one, where this customer was never known.
    pub moved: bool,
    /// 0 as at first, 1 another one of the same account, 2 one of another account.
    pub credential: u8,
    pub suspended: bool,
    /// The control request is not answered as it should be.
    pub control_broken: bool,
}

impl Place {
    /// Whether requests reach the account that the customer is at.
    pub fn is_original(self) -> bool {
        !self.moved && self.credential != 2
    }
}

/// The customer's truth. `Inactive` is the first one after a soft deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Customer {
    Absent,
    First,
    Second,
    Inactive,
}

/// An answer to the destructive request, as the profile reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    NotSent,
    Unknown,
    AlreadyGone,
    Refused(Refusal),
    Accepted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    Auth,
    RateLimited,
    Conflict,
}

/// What a look, a check and a permit were about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Order {
    pub request: u8,
    /// 1 or 2: which customer was seen.
    pub customer: u8,
    pub moved: bool,
    pub credential: u8,
}

/// How far a process is with the one thing that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    Idle,
    /// Decided to end a request without a record that says so; the record is read once more.
    Ending {
        request: u8,
        seen: Request,
        rec: Rec,
        ending: u8,
    },
    /// Decided to delete; the intent is not written yet.
    Ordered {
        order: Order,
        rec: Rec,
    },
    /// The intent's write was not answered.
    Unsure {
        order: Order,
        n: u8,
        committed: bool,
        late: bool,
    },
    /// The intent stands.
    Intended {
        order: Order,
        n: u8,
        late: bool,
    },
    /// The customer was looked at again, everything else was read again, and nothing changed.
    Reread {
        order: Order,
        n: u8,
        late: bool,
    },
    /// Sent, and not answered.
    Sent {
        n: u8,
    },
}

/// What a process remembers, as `domain::Memory`. Ages: 0 just now, 1 the lag ago, 2 the settle window ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mem {
    pub attempt: u8,
    pub attempt_age: u8,
    pub present: u8,
    pub present_age: u8,
    pub long_ago: bool,
    pub gone: u8,
    pub gone_age: u8,
}

/// One process. Both are alike, and both always act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    pub step: Step,
    /// An outcome that is not written down yet.
    pub kept: Option<(u8, Answer)>,
    pub mem: Mem,
}

impl Process {
    pub const NEW: Self = Self {
        step: Step::Idle,
        kept: None,
        mem: Mem {
            attempt: 0,
            attempt_age: 0,
            present: 0,
            present_age: 0,
            long_ago: false,
            gone: 0,
            gone_age: 0,
        },
    };
}

/// A destructive request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flight {
    pub n: u8,
    pub order: Order,
}

/// What nobody in the story knows, for the properties alone. Sets of attempts are bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Truth {
    /// Attempt n is about customer `about[n]`.
    pub about: [u8; MOST + 1],
    pub sent: u8,
    /// Sent where the customer is, and done.
    pub executed: u8,
    /// The window of these is over everywhere.
    pub settled: u8,
    /// Stopped, withdrawn or finished before the intent.
    pub stopped: u8,
    /// The customer of the attempt was really gone since its intent.
    pub gone_since: u8,
    pub ever_absent: bool,
    pub ever_second: bool,
    pub ever_elsewhere: bool,
    pub restored: bool,
    /// Ending of each request as its status says; 0 none.
    pub told: [u8; 2],
    /// Broken promises, as bits of `promises::Promise`.
    pub broken: u16,
}

/// Intents that any run may write.
pub const MOST: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub requests: [Request; 2],
    pub old_requests: [Request; 2],
    pub rec: Rec,
    pub old_rec: Rec,
    pub place: Place,
    pub customer: Customer,
    /// What a lagging read shows.
    pub replica: Customer,
    /// First and second customer are older than the lag.
    pub aged: [bool; 2],
    pub flights: [Option<Flight>; 3],
    pub processes: [Process; 2],
    /// How many troubles may still happen.
    pub troubles: u8,
    pub truth: Truth,
}

impl State {
    pub fn new(replica: Customer, troubles: u8, requests: u8) -> Self {
        let first = Request { asked: Asked::Standing, finished: false };
        let none = Request { asked: Asked::Never, finished: false };
        Self {
            requests: [first, if requests == 2 { first } else { none }],
            old_requests: [first, if requests == 2 { first } else { none }],
            rec: 0,
            old_rec: 0,
            place: Place { moved: false, credential: 0, suspended: false, control_broken: false },
            customer: Customer::First,
            replica,
            aged: [replica == Customer::First, false],
            flights: [None; 3],
            processes: [Process::NEW; 2],
            troubles,
            truth: Truth::default(),
        }
    }

    pub fn request(&self, request: u8) -> Request {
        self.requests[usize::from(request) - 1]
    }

    pub fn change_request(&mut self, request: u8, to: Request) {
        let slot = usize::from(request) - 1;
        self.old_requests[slot] = self.requests[slot];
        self.requests[slot] = to;
    }

    pub fn in_flight(&self) -> impl Iterator<Item = (usize, Flight)> + '_ {
        self.flights.iter().enumerate().filter_map(|(slot, flight)| flight.map(|flight| (slot, flight)))
    }
}

/// The bit of an attempt.
pub const fn bit(n: u8) -> u8 {
    1 << n
}

impl Customer {
    /// Which customer a look would identify; 0 where there is none.
    pub fn identity(self) -> u8 {
        match self {
            Customer::Absent => 0,
            Customer::First | Customer::Inactive => 1,
            Customer::Second => 2,
        }
    }

    /// Whether the customer with this identity is there, and not deleted in any sense.
    pub fn is_untouched(self, identity: u8) -> bool {
        self.identity() == identity && self != Customer::Inactive
    }
}
