//! What a seed draws: who asks for what, under which constants, and everything that goes wrong or that people do meanwhile.

use crate::rng::Rng;

/// Milliseconds of virtual time since the story began.
pub type Ms = u64;

pub const SECOND: Ms = 1_000;
pub const MINUTE: Ms = 60 * SECOND;
pub const HOUR: Ms = 60 * MINUTE;

/// Every constant that matters; shrunk and grown at random, so that rare orders are common.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub send_deadline: Ms,
    pub request_deadline: Ms,
    /// `maxRequestLifetime`
    pub lifetime: Ms,
    /// `consistencyLag`
    pub lag: Ms,
    /// How late a watch may be.
    pub watch_lag: Ms,
    /// How long a call takes, at most.
    pub call: Ms,
    pub lease: Ms,
    pub recheck: Ms,
    pub verify_interval: Ms,
    pub verify_deadline: Ms,
    pub confirmations: u32,
}

impl Timing {
    /// Send deadline + request deadline + `maxRequestLifetime` + `consistencyLag`.
    pub fn window(self) -> Ms {
        self.send_deadline + self.request_deadline + self.lifetime + self.lag
    }
}

/// What a deletion does at a provider, and what is seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Deletes for good.
    Hard,
    /// Deactivates, and shows it.
    Soft,
    /// Deactivates, and shows nothing of it.
    Unobservable,
}

/// A provider object as the platform team first writes it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub kind: Kind,
    pub required: u32,
    pub per_hour: Option<u32>,
    /// It says when a customer was created.
    pub shows_creation: bool,
}

/// A request as somebody first writes it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub customer: usize,
    pub targets: usize,
    pub at: Ms,
    pub author_is_known: bool,
    pub accept_absent: bool,
    /// The second target comes after the first.
    pub in_order: bool,
}

/// Places in the code at which something may happen: before the next effect, and after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    PassBegins,
    Looked,
    Ordered,
    IntentWrite,
    Intended,
    LookedAgain,
    ReadAgain,
    Permitted,
    Sent,
    Answered,
    OutcomeWrite,
    OutcomeWritten,
    CloseWrite,
    Closed,
    StatusWrite,
    StatusWritten,
}

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    At(Ms),
    /// When any process comes to this place for the n-th time; to that process, where it is about one.
    Upon(Point, u32),
}

/// What a provider does with a deletion, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Accepted,
    /// The connection could not be made.
    NoConnection,
    /// No answer; executed as late as it may be.
    ExecutedLate,
    /// The connection broke after it was executed.
    ExecutedUnanswered,
    /// No answer, never executed.
    Lost,
    /// A 2xx, and nothing was done.
    NothingDone,
    ServerError,
    ServerErrorExecuted,
    TooMany,
    Unauthorized,
    Conflict,
    Forbidden,
}

/// How a provider answers whoever looks, for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Fair,
    ServerErrors,
    /// 401 to everybody.
    Unauthorized,
    RateLimited,
    /// Something that no profile knows.
    Garbage,
    /// 404 for everything: the wrong prefix.
    LyingAbsence,
}

/// Everything that may happen. Numbers are places in the scenario: of a request, a provider, an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    // a process
    Crash { operator: usize, for_: Ms },
    Freeze { operator: usize, for_: Ms },
    BothLead { operator: usize, for_: Ms },
    RestartsFromAnOldList { operator: usize, old: Ms },
    // the API server
    LosesARequest { operator: usize },
    LosesAnAnswer { operator: usize },
    IsUnavailable { for_: Ms },
    WatchGap { operator: usize, for_: Ms },
    // the provider
    Answers { provider: usize, answer: Answer },
    Changes { provider: usize, weather: Weather, for_: Ms },
    OutsiderDeletes { provider: usize, customer: usize },
    OutsiderRecreates { provider: usize, customer: usize },
    Blocks { provider: usize, customer: usize },
    Unblocks { provider: usize, customer: usize },
    CannotAnswerACheck { provider: usize, for_: Ms },
    // people who agree, or not
    Approve { request: usize },
    ApproveBriefly { request: usize },
    Deny { request: usize },
    TakeTheDenialBack { request: usize },
    Withdraw { request: usize },
    LosePolicies,
    MendPolicies,
    // people who stop
    Hold { customer: usize },
    HoldBriefly { customer: usize },
    HoldAll,
    Release,
    Suspend { request: usize },
    Resume { request: usize },
    SuspendProvider { provider: usize },
    ResumeProvider { provider: usize },
    Cancel { request: usize },
    Delete { request: usize },
    // people who change things
    AskAgain { request: usize },
    ReCreate { request: usize },
    Edit { provider: usize },
    Raise { provider: usize },
    RemoveProvider { provider: usize },
    RotateCredential { provider: usize },
}

#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    pub when: When,
    pub what: What,
}

/// One history's beginning and everything that will be done to it.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub timing: Timing,
    pub operators: usize,
    pub customers: usize,
    pub places: Vec<Place>,
    pub requests: Vec<Asked>,
    pub troubles: Vec<Trouble>,
    /// When the troubles stop.
    pub calm_at: Ms,
    /// People agree where it waits for them once it is calm, and lift what stops it.
    pub consents: bool,
    /// People agree of their own accord before that, to one of so many plans at a time.
    pub eagerness: u64,
}

const POINTS: &[Point] = &[
    Point::PassBegins,
    Point::Looked,
    Point::Ordered,
    Point::IntentWrite,
    Point::Intended,
    Point::LookedAgain,
    Point::ReadAgain,
    Point::Permitted,
    Point::Sent,
    Point::Answered,
    Point::OutcomeWrite,
    Point::OutcomeWritten,
    Point::CloseWrite,
    Point::Closed,
    Point::StatusWrite,
    Point::StatusWritten,
];

const ANSWERS: &[Answer] = &[
    Answer::NoConnection,
    Answer::ExecutedLate,
    Answer::ExecutedUnanswered,
    Answer::Lost,
    Answer::Lost,
    Answer::NothingDone,
    Answer::ServerError,
    Answer::ServerErrorExecuted,
    Answer::TooMany,
    Answer::Unauthorized,
    Answer::Conflict,
    Answer::Forbidden,
];

const WEATHERS: &[Weather] = &[
    Weather::ServerErrors,
    Weather::Unauthorized,
    Weather::RateLimited,
    Weather::Garbage,
    Weather::LyingAbsence,
];

impl Scenario {
    /// Everything that a seed says.
    pub fn draw(seed: u64) -> Self {
        let rng = &mut Rng::new(seed);
        let timing = timing(rng);
        let requests = usize::try_from(rng.between(1, 6)).unwrap_or(1);
        let most = if rng.one_in(2) { requests.min(3) } else { requests };
        let requests = rng.between(1, u64::try_from(most).unwrap_or(1)) as usize;
        let customers = if rng.one_in(3) { requests.div_ceil(2) } else { requests };
        let calm_at = rng.pick(&[20 * SECOND, MINUTE, 5 * MINUTE, 20 * MINUTE]);
        let operators = rng.pick(&[1, 1, 2, 2, 3]);
        let places: Vec<Place> = (0..3).map(|_| place(rng)).collect();
        let asked = (0..requests)
            .map(|number| Asked {
                customer: number % customers,
                targets: rng.pick(&[1, 1, 1, 2, 3]),
                at: rng.below(calm_at / 4),
                author_is_known: !rng.one_in(5),
                accept_absent: rng.one_in(3),
                in_order: rng.one_in(3),
            })
            .collect();
        let mut scenario = Self {
            seed,
            timing,
            operators,
            customers,
            places,
            requests: asked,
            troubles: Vec::new(),
            calm_at,
            consents: !rng.one_in(4),
            eagerness: rng.pick(&[1, 1, 2, 6]),
        };
        let most = rng.pick(&[8, 15, 30, 60]);
        let count = rng.between(5, most);
        scenario.troubles = (0..count).map(|_| scenario.trouble(rng)).collect();
        if rng.one_in(6) {
            let what = What::Blocks { provider: rng.index(3), customer: rng.index(customers) };
            scenario.troubles.push(Trouble { when: When::At(0), what });
        }
        scenario
    }

    fn trouble(&self, rng: &mut Rng) -> Trouble {
        let when = if rng.one_in(3) {
            When::At(rng.below(self.calm_at))
        } else {
            When::Upon(rng.pick(POINTS), u32::try_from(rng.between(1, 6)).unwrap_or(1))
        };
        Trouble { when, what: self.what(rng) }
    }

    fn what(&self, rng: &mut Rng) -> What {
        let operator = rng.index(self.operators);
        let request = rng.index(self.requests.len());
        let customer = rng.index(self.customers);
        let provider = rng.index(self.requests[request].targets);
        let for_ = self.a_while(rng);
        match rng.below(46) {
            0..=2 => What::Crash { operator, for_: rng.pick(&[500, 5 * SECOND, MINUTE]) },
            3..=5 => What::Freeze { operator, for_ },
            6 => What::BothLead { operator, for_ },
            7 => What::RestartsFromAnOldList { operator, old: for_ },
            8 => What::LosesARequest { operator },
            9 => What::LosesAnAnswer { operator },
            10 => What::IsUnavailable { for_ },
            11 => What::WatchGap { operator, for_ },
            12..=17 => What::Answers { provider, answer: rng.pick(ANSWERS) },
            18..=19 => What::Changes { provider, weather: rng.pick(WEATHERS), for_ },
            20 => What::OutsiderDeletes { provider, customer },
            21..=22 => What::OutsiderRecreates { provider, customer },
            23 => What::Blocks { provider, customer },
            24 => What::Unblocks { provider, customer },
            25 => What::CannotAnswerACheck { provider, for_ },
            26 => What::Approve { request },
            27 => What::ApproveBriefly { request },
            28 => What::Deny { request },
            29 => What::TakeTheDenialBack { request },
            30 => What::Withdraw { request },
            31 => rng.pick(&[What::LosePolicies, What::MendPolicies]),
            32 => What::Hold { customer },
            33 => rng.pick(&[What::HoldBriefly { customer }, What::HoldAll]),
            34 => What::Release,
            35 => What::Suspend { request },
            36 => What::Resume { request },
            37 => What::SuspendProvider { provider },
            38 => What::ResumeProvider { provider },
            39 => What::Cancel { request },
            40 => What::Delete { request },
            41 => What::AskAgain { request },
            42 => What::ReCreate { request },
            43 => What::Edit { provider },
            44 => rng.pick(&[What::Raise { provider }, What::RemoveProvider { provider }]),
            _ => What::RotateCredential { provider },
        }
    }

    /// Short, about as long as what matters, or long.
    fn a_while(&self, rng: &mut Rng) -> Ms {
        let Timing { send_deadline, lease, .. } = self.timing;
        rng.pick(&[
            200,
            2 * SECOND,
            send_deadline + 100,
            lease + lease / 2,
            self.timing.window() + SECOND,
            2 * self.timing.window() + SECOND,
        ])
    }
}

fn timing(rng: &mut Rng) -> Timing {
    Timing {
        send_deadline: rng.pick(&[SECOND, 3 * SECOND, 10 * SECOND, 30 * SECOND]),
        request_deadline: rng.pick(&[500, 5 * SECOND, 35 * SECOND]),
        lifetime: rng.pick(&[0, 500, 10 * SECOND, 60 * SECOND]),
        lag: rng.pick(&[0, 500, 10 * SECOND, 60 * SECOND]),
        watch_lag: rng.pick(&[10, 500, 5 * SECOND, 30 * SECOND]),
        call: rng.pick(&[5, 20, 60, 300]),
        lease: rng.pick(&[4 * SECOND, 15 * SECOND]),
        recheck: rng.pick(&[10 * SECOND, MINUTE, 15 * MINUTE]),
        verify_interval: rng.pick(&[SECOND, 10 * SECOND]),
        verify_deadline: rng.pick(&[10 * SECOND, MINUTE, 3 * MINUTE]),
        confirmations: rng.pick(&[1, 1, 2, 3]),
    }
}

fn place(rng: &mut Rng) -> Place {
    Place {
        kind: rng.pick(&[Kind::Hard, Kind::Hard, Kind::Soft, Kind::Unobservable]),
        required: rng.pick(&[0, 0, 1, 1, 2]),
        per_hour: rng.pick(&[None, None, Some(1), Some(2)]),
        shows_creation: rng.one_in(2),
    }
}

impl What {
    /// The request that it is about.
    pub fn request(self) -> Option<usize> {
        match self {
            What::Approve { request }
            | What::ApproveBriefly { request }
            | What::Deny { request }
            | What::TakeTheDenialBack { request }
            | What::Withdraw { request }
            | What::Suspend { request }
            | What::Resume { request }
            | What::Cancel { request }
            | What::Delete { request }
            | What::AskAgain { request }
            | What::ReCreate { request } => Some(request),
            _ => None,
        }
    }

    /// The process that it is about.
    pub fn operator(self) -> Option<usize> {
        match self {
            What::Crash { operator, .. }
            | What::Freeze { operator, .. }
            | What::BothLead { operator, .. }
            | What::RestartsFromAnOldList { operator, .. }
            | What::LosesARequest { operator }
            | What::LosesAnAnswer { operator }
            | What::WatchGap { operator, .. } => Some(operator),
            _ => None,
        }
    }
}
