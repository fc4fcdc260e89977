//! Which states are the same: what can no longer matter is forgotten, so that it does not tell two states apart.

use super::{
    brain::Kind,
    state::{Asked, Mem, Process, Request, State, Step, bit},
    world::World,
};

impl State {
    /// The one state that stands for all that differ from it in nothing that matters.
    pub fn in_order(mut self, world: &World) -> Self {
        self.forget_troubles();
        self.forget_attempts(world);
        let over = !world.shelf.is_open(self.rec) && self.requests.iter().all(|request| is_over(*request));
        let last = if world.shelf.is_open(self.rec) { world.shelf.last_n(self.rec) } else { 0 };
        let rec = self.rec;
        for process in &mut self.processes {
            process.forget(world, rec, last, over);
        }
        if world.brain.kind != Kind::Hard {
            self.aged = [false; 2]; // only this kind says when a customer was created
        }
        self.processes[..usize::from(world.bounds.processes)].sort_unstable();
        self.flights.sort_unstable_by_key(|flight| (flight.is_none(), *flight));
        self
    }

    /// Old copies are read, and ids given again, only as a trouble.
    fn forget_troubles(&mut self) {
        if self.troubles == 0 {
            (self.old_rec, self.old_requests) = (self.rec, self.requests);
            self.truth.settled = 0;
        }
    }

    /// A stop matters until the attempt is sent; what became of its customer, while it is the last one.
    fn forget_attempts(&mut self, world: &World) {
        let last = bit(world.shelf.last_n(self.rec));
        let held = self.processes.iter().filter_map(|process| process.step.holds());
        let held = held.fold(0, |held, (n, _)| held | bit(n));
        let flying = self.in_flight().fold(0, |flying, (_, flight)| flying | bit(flight.n));
        self.truth.stopped &= held;
        self.truth.gone_since &= last | held | flying;
        for n in 1..self.truth.about.len() {
            let one = 1 << n;
            let settled = self.truth.settled & one != 0 || self.troubles == 0;
            if settled && (last | held | flying) & one == 0 {
                self.truth.about[n] = 0;
                self.truth.settled &= !one;
            }
        }
    }
}

impl Process {
    fn forget(&mut self, world: &World, rec: u16, last: u8, over: bool) {
        // An outcome that cannot be written any more.
        if self.kept.is_some_and(|(n, answer)| world.shelf.outcome(rec, n, answer).is_none()) {
            self.kept = None;
        }
        // An attempt that is over: the next one has another number.
        if self.mem.attempt != last {
            (self.mem.attempt, self.mem.attempt_age) = (0, 0);
        }
        if over && self.step == Step::Idle {
            self.mem = Mem::default();
        }
    }
}

fn is_over(request: Request) -> bool {
    request.finished || matches!(request.asked, Asked::Never | Asked::Deleted)
}

impl Step {
    /// The attempt that a process may still send, or has sent, and its request.
    pub fn holds(self) -> Option<(u8, u8)> {
        match self {
            Step::Unsure { n, order, .. }
            | Step::Intended { n, order, .. }
            | Step::Reread { n, order, .. } => Some((n, order.request)),
            Step::Idle | Step::Ending { .. } | Step::Ordered { .. } | Step::Sent { .. } => None,
        }
    }
}
