use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::core::Status;

use super::*;

fn object(namespace: &str, name: &str, uid: &str) -> ConfigMap {
    let metadata = ObjectMeta {
        namespace: Some(namespace.into()),
        name: Some(name.into()),
        uid: Some(uid.into()),
        ..ObjectMeta::default()
    };
    ConfigMap { metadata, ..ConfigMap::default() }
}

fn failed(code: u16) -> watcher::Error {
    watcher::Error::WatchError(Box::new(Status { code, ..Status::default() }))
}

/// An event in a word: `list`, `=1` for what is in it, `listed`; `+1` and `-1` for changes; the number is the uid.
fn word(event: &Event<ConfigMap>) -> String {
    let uid = |object: &ConfigMap| object.metadata.uid.clone().unwrap();
    match event {
        Event::Init => "list".to_owned(),
        Event::InitApply(object) => format!("={}", uid(object)),
        Event::InitDone => "listed".to_owned(),
        Event::Apply(object) => format!("+{}", uid(object)),
        Event::Delete(object) => format!("-{}", uid(object)),
    }
}

struct Play(Together<ConfigMap>);

impl Play {
    fn of(count: usize) -> Self {
        Self(Together::of(count))
    }

    fn tells(&mut self, part: usize, event: Event<ConfigMap>) -> Vec<String> {
        self.0.take(part, Ok(event)).iter().map(word).collect()
    }

    /// A list of a namespace, event by event; what is told, sorted but for its ends.
    fn lists(&mut self, part: usize, objects: &[ConfigMap]) -> Vec<String> {
        let listed = objects.iter().cloned().map(Event::InitApply);
        let events = [vec![Event::Init], listed.collect(), vec![Event::InitDone]].concat();
        let mut told: Vec<String> = events.into_iter().flat_map(|event| self.tells(part, event)).collect();
        told.sort_by_key(|word| (word == "listed", word != "list", word.starts_with('+'), word.clone()));
        told
    }

    fn fails(&mut self, part: usize, code: u16) -> Vec<String> {
        self.0.take(part, Err(failed(code))).iter().map(word).collect()
    }
}

#[test]
fn nothing_is_told_before_each_namespace_has_shown_what_there_is() {
    let mut play = Play::of(2);
    assert_eq!(play.lists(0, &[object("a", "one", "1"), object("a", "two", "2")]), [""; 0]);
    // What changes meanwhile is in the list.
    assert_eq!(play.tells(0, Event::Delete(object("a", "one", "1"))), [""; 0]);
    assert_eq!(play.tells(0, Event::Apply(object("a", "three", "3"))), [""; 0]);
    assert_eq!(play.lists(1, &[object("b", "two", "4")]), ["list", "=2", "=3", "=4", "listed"]);
    assert_eq!(play.tells(1, Event::Apply(object("b", "five", "5"))), ["+5"]);
    assert_eq!(play.tells(0, Event::Delete(object("a", "two", "2"))), ["-2"]);
}

/// After a watch was cut, say.
#[test]
fn another_list_of_one_namespace_leaves_the_others_alone_and_tells_who_is_gone() {
    let mut play = Play::of(2);
    play.lists(0, &[object("a", "stays", "1"), object("a", "goes", "2"), object("a", "is another", "3")]);
    play.lists(1, &[object("b", "stays", "4")]);
    let now = [object("a", "stays", "1"), object("a", "is another", "5"), object("a", "comes", "6")];
    assert_eq!(play.lists(0, &now), ["-2", "-3", "+1", "+5", "+6"]);
    assert_eq!(play.lists(0, &now), ["+1", "+5", "+6"], "who is gone is told once");
}

/// Its role is gone with it: whoever restarts the operator then must not wait for it for ever.
#[test]
fn a_namespace_that_refuses_holds_up_nobody_else_and_is_told_of_once_it_does_not() {
    let mut play = Play::of(2);
    assert_eq!(play.fails(1, 403), [""; 0]);
    assert_eq!(play.lists(0, &[object("a", "one", "1")]), ["list", "=1", "listed"]);
    assert_eq!(play.lists(1, &[object("b", "two", "2")]), ["+2"]);
    assert_eq!(play.fails(1, 403), [""; 0], "what is known stays known");
    assert_eq!(play.tells(1, Event::Delete(object("b", "two", "2"))), ["-2"]);
}

#[test]
fn without_an_answer_or_with_refusals_alone_nothing_is_told() {
    let mut play = Play::of(2);
    for code in [500, 404, 410, 429] {
        assert_eq!(play.fails(1, code), [""; 0]);
    }
    assert_eq!(play.lists(0, &[]), [""; 0], "the other one may answer");
    let mut play = Play::of(2);
    assert_eq!([play.fails(0, 403), play.fails(1, 403)].concat(), [""; 0], "no rights at all");
    assert_eq!(play.lists(1, &[]), ["list", "listed"]);
}
