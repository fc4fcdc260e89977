//! Running the operators' code: plain futures, one thread, and the world's own clock instead of any runtime.

use std::{
    cell::{RefCell, RefMut},
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use crate::{
    operator::{Handle, Key, pass},
    scenario::Ms,
    world::{Event, World},
};

/// The world, as the operators' code holds it between two effects.
#[derive(Clone)]
pub struct Sim(Rc<RefCell<World>>);

impl Sim {
    pub fn new(world: World) -> Self {
        Self(Rc::new(RefCell::new(world)))
    }

    pub fn world(&self) -> RefMut<'_, World> {
        self.0.borrow_mut()
    }
}

/// Ready at a time. Whatever else happens meanwhile, happens.
pub struct Pause {
    sim: Sim,
    until: Ms,
    is_set: bool,
}

impl Pause {
    pub fn new(sim: Sim, until: Ms) -> Self {
        Self { sim, until, is_set: false }
    }
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.is_set {
            return Poll::Ready(());
        }
        self.is_set = true;
        let mut world = self.sim.world();
        let task = world.current;
        world.schedule(self.until, Event::Poll(task));
        drop(world);
        Poll::Pending
    }
}

struct Task {
    operator: usize,
    epoch: u32,
    code: Pin<Box<dyn Future<Output = ()>>>,
}

/// Runs every operator's code, one step at a time.
#[derive(Default)]
pub struct Tasks {
    tasks: BTreeMap<u64, Task>,
    last: u64,
}

impl Tasks {
    /// Begins the passes that are due, and lets a task go on.
    pub fn run(&mut self, sim: &Sim, event: Event) {
        match event {
            Event::Poll(number) => self.poll(sim, number),
            other => sim.world().handle(other),
        }
        let to_begin = std::mem::take(&mut sim.world().to_begin);
        for (operator, key) in to_begin {
            self.begin(sim, operator, key);
        }
    }

    fn begin(&mut self, sim: &Sim, operator: usize, key: Key) {
        let epoch = sim.world().operators[operator].epoch;
        let handle = Handle::new(sim.clone(), operator, epoch);
        self.last += 1;
        let number = self.last;
        self.tasks.insert(number, Task { operator, epoch, code: Box::pin(pass(handle, key)) });
        let now = sim.world().now;
        sim.world().schedule(now, Event::Poll(number));
    }

    fn poll(&mut self, sim: &Sim, number: u64) {
        let Some(task) = self.tasks.get_mut(&number) else { return };
        {
            let mut world = sim.world();
            let operator = &world.operators[task.operator];
            if !operator.is_alive || operator.epoch != task.epoch {
                drop(world);
                self.tasks.remove(&number);
                return;
            }
            let thaws_at = operator.frozen_until;
            if world.now < thaws_at {
                world.schedule(thaws_at, Event::Poll(number));
                return;
            }
            world.current = number;
        }
        let mut context = Context::from_waker(Waker::noop());
        if task.code.as_mut().poll(&mut context).is_ready() {
            self.tasks.remove(&number);
        }
    }
}
