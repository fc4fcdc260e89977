//! Everybody but the operators: who asks, who agrees, who stops it, and everything that goes wrong.

use std::{collections::BTreeMap, rc::Rc, sync::Arc, sync::LazyLock, time::Duration};

use jiff::{SignedDuration, Timestamp};
use offboarding::{
    api::{
        ConditionalDelete, Customer, CustomerOffboardingSpec, Environment, ErasureScope, Finality, HoldType,
        IdReuse, Mode, OffboardingStatus, ProviderKind, ProviderRef, Target, WhenPresent,
    },
    domain::{BudgetLimits, CustomerId, Declared, Demands, Held, Hold, PolicyState, ProviderFacts},
    evidence::{KEY_BYTES, Keys},
};

use crate::{
    api::{ProviderObject, Request, View, Watched},
    scenario::{HOUR, Kind, Ms, Place, SECOND, Scenario, Timing},
    world::{Event, World, wall},
};

pub use crate::consent::{says_nothing_more, speak};
pub use crate::trouble::happens;

pub static KEYS: LazyLock<Keys> = LazyLock::new(|| match Keys::new(&[1; KEY_BYTES]) {
    Ok(keys) => keys,
    Err(error) => panic!("{error}"),
});

const TARGETS: [&str; 3] = ["billing", "crm", "mail"];

/// The number at the end of a name.
pub fn number_of(name: &str) -> usize {
    name.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

pub fn id_of(customer: usize) -> CustomerId {
    CustomerId::new(format!("customer-{customer}"))
}

pub fn account_of(place: usize) -> String {
    format!("account-{place}")
}

/// What is stored before anybody asks.
pub fn nothing_yet(scenario: &Scenario) -> View {
    let places = scenario.places.iter().enumerate();
    let providers = places.map(|(number, place)| {
        Some(Rc::new(ProviderObject {
            facts: provider(number, *place, scenario.timing),
            credential: format!("hmac:credential-{number}-0"),
        }))
    });
    View {
        requests: BTreeMap::new(),
        records: BTreeMap::new(),
        said: Rc::default(),
        holds: Rc::default(),
        providers: providers.collect(),
        policies: Rc::new(policies_as_shipped()),
    }
}

pub fn policies_as_shipped() -> PolicyState {
    let long_ago = wall(0).saturating_sub(SignedDuration::from_hours(48)).unwrap_or(Timestamp::MIN);
    PolicyState::AsShipped { since: long_ago }
}

fn provider(number: usize, place: Place, timing: Timing) -> ProviderFacts {
    let mode = if place.kind == Kind::Hard { Mode::Hard } else { Mode::Soft };
    ProviderFacts {
        kind: ProviderKind::OffboardingProvider,
        namespace: "team".to_owned(),
        name: format!("provider-{number}"),
        uid: format!("provider-uid-{number}"),
        base_url: format!("https://{number}.example"),
        account: account_of(number),
        environment: Environment::live,
        allowed_modes: vec![mode],
        checks: BTreeMap::new(),
        demands: Demands { required: place.required, separation_of_duties: true, ..Demands::default() },
        budget: BudgetLimits { per_hour: place.per_hour, per_day: None },
        recheck_interval: Duration::from_millis(timing.recheck),
        confirmations: timing.confirmations,
        verify_interval: Duration::from_millis(timing.verify_interval),
        verify_deadline: Duration::from_millis(timing.verify_deadline),
        suspended: false,
        declared: Arc::new(declared(place.kind, timing)),
        settle_window: Duration::from_millis(timing.window()),
    }
}

fn declared(kind: Kind, timing: Timing) -> Declared {
    let is_hard = kind == Kind::Hard;
    Declared {
        profile_hash: "sha256:profile".to_owned(),
        step: "delete".to_owned(),
        operation: "DELETE /customers/{customer.id}".to_owned(),
        supports: if is_hard { Mode::Hard } else { Mode::Soft },
        finality: if is_hard { Finality::HardDelete } else { Finality::SoftDelete },
        effects: Vec::new(),
        retains: Vec::new(),
        erasure: if is_hard { ErasureScope::Full } else { ErasureScope::None },
        backup_retention: None,
        manual_step: None,
        consistency_lag: Duration::from_millis(timing.lag),
        max_request_lifetime: Duration::from_millis(timing.lifetime),
        id_reuse: IdReuse::Unknown,
        conditional_delete: ConditionalDelete::None,
        rejects_429_before_execution: true,
        when_present: if kind == Kind::Unobservable {
            WhenPresent::NotObservable
        } else {
            WhenPresent::StillPresent
        },
    }
}

/// Somebody asks, as the scenario says.
pub fn ask(world: &mut World, number: usize) {
    create(world, number, number);
}

/// Creates a request of this name, as one of the scenario asks.
pub fn create(world: &mut World, name: usize, like: usize) {
    let asked = world.scenario.requests[like];
    if world.api.view().requests.contains_key(&name) {
        return;
    }
    world.last_uid += 1;
    let uid = format!("uid-{}", world.last_uid);
    let target = |number: usize| Target {
        name: TARGETS[number].to_owned(),
        provider_ref: ProviderRef { kind: None, name: format!("provider-{number}") },
        mode: None,
        customer: None,
        depends_on: if asked.in_order && number == 1 { vec![TARGETS[0].to_owned()] } else { Vec::new() },
    };
    let spec = CustomerOffboardingSpec {
        customer: Customer { id: Some(id_of(asked.customer).expose().to_owned()), id_from: None },
        request: None,
        targets: (0..asked.targets).map(target).collect(),
        accept_absent: asked.accept_absent,
        suspend: false,
        cancel: false,
        not_before: None,
        ttl_after_finished: None,
    };
    let request = Request {
        name,
        uid: uid.clone(),
        version: world.api.next_version(),
        generation: 1,
        spec,
        status: OffboardingStatus { observed_generation: -1, ..OffboardingStatus::default() },
        // The API server tells whole seconds.
        created_at: wall(world.now / SECOND * SECOND),
        author: asked.author_is_known.then(|| "alice".to_owned()),
    };
    world.say("somebody asks", &[name], || uid.clone());
    world.truth.is_asked(&request, asked, world.now);
    world.commit(Watched::Requests, |view| {
        view.requests.insert(name, Rc::new(request));
    });
}

/// Changes a request's controls, where it is there.
pub fn control(world: &mut World, name: usize, change: impl FnOnce(&mut CustomerOffboardingSpec)) {
    let Some(stored) = world.api.view().requests.get(&name).cloned() else { return };
    let mut request = Request::clone(&stored);
    change(&mut request.spec);
    if request.spec == stored.spec {
        return;
    }
    request.generation += 1;
    request.version = world.api.next_version();
    world.commit(Watched::Requests, |view| {
        view.requests.insert(name, Rc::new(request));
    });
}

/// Removes a request. Nothing of it stays but what others wrote elsewhere.
pub fn remove(world: &mut World, name: usize) {
    if world.api.view().requests.contains_key(&name) {
        world.commit(Watched::Requests, |view| {
            view.requests.remove(&name);
        });
        world.commit(Watched::Approvals, |_| {});
    }
}

/// Changes a provider object, where it is there.
pub fn edit(world: &mut World, place: usize, change: impl FnOnce(&mut ProviderObject)) {
    let Some(stored) = world.api.view().providers[place].clone() else { return };
    let mut object = ProviderObject::clone(&stored);
    change(&mut object);
    let required = object.facts.demands.required;
    let now = world.now;
    world.truth.demands(place, now, required);
    world.commit(Watched::Providers, |view| view.providers[place] = Some(Rc::new(object)));
}

/// Lays a hold on a customer, or on everybody.
pub fn hold(world: &mut World, customer: Option<usize>, for_: Option<Ms>) {
    let name = format!("hold-{}", world.steps);
    let until = for_.map(|for_| world.now + for_);
    let held = customer.map(|customer| vec![Some(KEYS.customer_ref(&id_of(customer)))]);
    let hold = Hold {
        name,
        kind: HoldType::LegalHold,
        whom: held.map_or(Held::Everybody, Held::Customers),
        providers: Vec::new(),
        expires_at: until.map(wall),
    };
    if let Some(until) = until {
        world.schedule(until, Event::TimePasses);
    }
    world.commit(Watched::Holds, |view| {
        let mut holds = view.holds.as_ref().clone();
        holds.push(hold);
        view.holds = Rc::new(holds);
    });
}

/// How long an approval may hold.
pub fn validity(world: &mut World) -> Ms {
    if world.is_calm {
        return 24 * HOUR;
    }
    let least = world.scenario.timing.request_deadline + 2 * SECOND;
    world.rng.pick(&[least, least + 30 * SECOND, HOUR, 24 * HOUR])
}
