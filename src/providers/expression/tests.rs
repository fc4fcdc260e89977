use serde_json::json as body;

use super::*;
use crate::{
    domain::LookWord,
    providers::fixtures::{LOGIN_PAGE, id, json, noon, page},
};

const EVERYTHING: Known<'static> = Known {
    variables: &[
        Variable::Response,
        Variable::Customer,
        Variable::Items,
        Variable::Vars,
        Variable::Prior,
        Variable::Now,
    ],
    captured: &[],
};

fn compiled(source: &str) -> Expression {
    Expression::compile(source, EVERYTHING).unwrap_or_else(|problems| panic!("{source}: {problems:?}"))
}

fn truth(source: &str, response: &Response) -> Result<bool, ExpressionFailed> {
    compiled(source).evaluate_bool(&Scope::of_response(response, noon()).with_customer(&id("90017")))
}

fn is_true(source: &str) -> bool {
    truth(source, &json(200, body!({}))) == Ok(true)
}

#[test]
fn a_field_of_something_that_is_no_object_is_an_error_and_never_false() {
    let answers =
        [page(200, LOGIN_PAGE), json(200, body!(null)), json(200, body!("text")), json(200, body!([1]))];
    for answer in answers {
        for source in [
            "response.json.active",
            "!response.json.active",
            "response.json.active == false",
            "response.json.active != true",
            "has(response.json.error)",
            "!has(response.json.error)",
        ] {
            assert!(truth(source, &answer).is_err(), "{source} on {}", answer.text);
        }
    }
}

#[test]
fn numbers_compare_by_value() {
    let answer = json(200, body!({"n": 5, "f": 5.0, "big": 90017, "exact": 9_007_199_254_740_993_i64}));
    for source in [
        "response.status == 200",
        "response.status in [200, 204]",
        "response.json.f == 5",
        "response.json.f in [5, 6]",
        "response.json.n * 2 == 10",
        "response.json.n + 1 == 6",
        "string(response.json.big) == '90017'",
        "string(response.json.f) == '5'",
        "string(response.json.exact) == '9007199254740993'",
        "response.json.n < now",
        "!!true",
        "size('é') == 1",
    ] {
        assert_eq!(truth(source, &answer), Ok(true), "{source}");
    }
}

#[test]
fn whole_numbers_that_no_int_holds_stay_exact_as_texts() {
    let answer = json(200, body!({"id": 18_446_744_073_709_551_615_u64}));
    assert_eq!(truth("response.json.id == '18446744073709551615'", &answer), Ok(true));
    assert_eq!(truth("response.json.id == 0", &answer), Ok(false));
    assert!(truth("response.json.id > 0", &answer).is_err());
}

#[test]
fn an_error_is_swallowed_only_where_it_cannot_matter() {
    let answer = json(200, body!({"items": [{"open": true}, {}], "closed": [{"open": false}, {}]}));
    for (source, expected) in [
        ("true || response.json.none", Ok(true)),
        ("response.json.none || true", Ok(true)),
        ("false && response.json.none", Ok(false)),
        ("response.json.none && false", Ok(false)),
        ("response.json.items.exists(i, i.open)", Ok(true)),
        ("response.json.closed.exists(i, i.open)", Err(ExpressionFailed::KeyMissing)),
        ("response.json.none == 1", Err(ExpressionFailed::KeyMissing)),
        ("response.json.none", Err(ExpressionFailed::LastKeyMissing)),
        ("response.json.none.none2", Err(ExpressionFailed::KeyMissing)),
    ] {
        assert_eq!(truth(source, &answer), expected, "{source}");
    }
}

#[test]
fn a_value_that_is_no_boolean_is_no_verdict() {
    for source in ["1", "'true'", "null", "[true]", "response.status", "{'a': true}"] {
        assert_eq!(truth(source, &json(200, body!({}))), Err(ExpressionFailed::WrongType), "{source}");
    }
}

#[test]
fn texts_have_three_functions_of_ours() {
    for source in [
        "'TacoCat Ä'.lowerAscii() == 'tacocat Ä'",
        "'gid://shopify/Customer/7'.replace('gid://shopify/Customer/', '') == '7'",
        "'a,b,'.split(',') == ['a', 'b', '']",
        "'Pending Cancellation'.lowerAscii().replace(' ', '').matches('^pendingcancellation$')",
    ] {
        assert!(is_true(source), "{source}");
    }
    assert!(truth("1.lowerAscii() == ''", &json(200, body!({}))).is_err());
}

#[test]
fn a_pattern_is_matched_against_texts_only() {
    assert!(is_true("'PAID'.matches('(?i)^(paid|void)$') && matches('void', '^(paid|void)$')"));
    assert!(is_true("!'unpaid'.matches('^(paid|void)$')"));
    for source in ["1.matches('^1$')", "null.matches('^$')", "response.json.matches('^$')"] {
        assert!(truth(source, &json(200, body!({}))).is_err(), "{source}");
    }
}

#[test]
fn a_text_cannot_be_blown_up() {
    let answer = page(200, &"a".repeat(60_000));
    let long = "b".repeat(500);
    let source = format!("size(response.text.replace('a', '{long}')) > 0");
    assert_eq!(truth(&source, &answer), Err(ExpressionFailed::Failed));
    assert_eq!(truth("size(response.text.split('')) > 0", &answer), Err(ExpressionFailed::Failed));
    assert_eq!(truth("response.text.replace('a', 'b').startsWith('bbb')", &answer), Ok(true));
    assert!(is_true("size('a,b'.replace(',', 'longer than before')) == 20"));
}

#[test]
fn headers_text_captured_values_and_prior_are_there() {
    let response = page(404, "gone").with_header("x-a", "1, 2");
    let vars = [("mail".to_owned(), Scalar::Text("a@b".to_owned()))].into();
    let captured = Captured::of_look(vars, LookWord::Present, 200);
    let scope = Scope::of_response(&response, noon())
        .with_customer(&id("90017"))
        .with_captured(&captured)
        .with_items(vec![Value::Int(1)]);
    let known = Known { captured: &["mail".to_owned(), "other".to_owned()], ..EVERYTHING };
    let truth = |source: &str| Expression::compile(source, known).unwrap().evaluate_bool(&scope);
    for source in [
        "response.headers['x-a'] == '1, 2'",
        "response.text == 'gone' && response.json == null",
        "vars.mail == 'a@b' && !has(vars.other)",
        "prior.state == 'Present' && prior.status == 200",
        "items == [1] && size(items) == 1",
        "customer.id == '90017'",
        "now == 1772452800",
    ] {
        assert_eq!(truth(source), Ok(true), "{source}");
    }
    assert!(truth("vars.other == 'x'").is_err(), "what was not captured cannot be compared");
}

#[test]
fn a_captured_number_or_truth_value_stays_one() {
    let vars = [("n".to_owned(), Scalar::Whole(7)), ("closed".to_owned(), Scalar::Truth(true))].into();
    let captured = Captured::of_look(vars, LookWord::Present, 200);
    let scope = Scope::of_response(&json(200, body!({"n": 7})), noon()).with_captured(&captured);
    let known = Known { captured: &["n".to_owned(), "closed".to_owned()], ..EVERYTHING };
    let truth = |source: &str| Expression::compile(source, known).unwrap().evaluate_bool(&scope);
    for source in ["vars.n == 7 && vars.n + 1 == 8", "vars.n == response.json.n", "vars.closed"] {
        assert_eq!(truth(source), Ok(true), "{source}");
    }
    assert_eq!(truth("!vars.closed"), Ok(false));
    assert_ne!(truth("vars.n == '7'"), Ok(true), "it is no text");
}

#[test]
fn an_expression_may_name_only_what_is_there() {
    for (source, message) in [
        ("respnse.status == 200", "`respnse` is unknown"),
        ("response.stat == 200", "unknown `response.stat`"),
        ("response.body == ''", "unknown `response.body`"),
        ("response['status'] == 200", "`response` is used by its fields"),
        ("size(response) == 4", "`response` is used by its fields"),
        ("customer == '1'", "`customer` is used by its fields"),
        ("customer.name == '1'", "unknown `customer.name`"),
        ("now.year == 1", "`now` has no fields"),
        ("vars.x == 1", "`vars` is empty"),
        ("prior.verdict == ''", "unknown `prior.verdict`"),
        ("items.exists(i, j.x)", "`j` is unknown"),
        ("items.exists(i, true) && i.x", "`i` is unknown"),
        (".response.status == 200", "is unknown"),
        ("type(1) == int", "unknown function `type`"),
        ("optional.of(1).hasValue()", "`optional` is unknown"),
        ("items.exists(i)", "unknown function `exists`"),
        ("'a'.matches('^a$', 'i')", "unknown function `matches`"),
        ("'a'.upperAscii() == 'A'", "unknown function `upperAscii`"),
        ("timestamp('2026-01-01T00:00:00Z') < now", "unknown function `timestamp`"),
        ("duration('5s') == duration('5s')", "unknown function `duration`"),
        ("uint(1) == 1u", "unknown function `uint`"),
        ("google.Type{a: 1}", "message types"),
        ("items.exists(items, true)", "a loop variable must not be called `items`"),
        ("items.exists(response, response.status == 1)", "a loop variable must not be called `response`"),
    ] {
        let problems = Expression::compile(source, EVERYTHING).expect_err(source);
        assert!(problems.iter().any(|problem| problem.message.contains(message)), "{source}: {problems:?}");
    }
}

#[test]
fn what_is_not_known_in_one_place_is_refused_there() {
    let known = Known { variables: &[Variable::Response, Variable::Now], captured: &[] };
    for source in ["items == []", "customer.id == '1'", "vars.x == 1", "prior.status == 200"] {
        let problems = Expression::compile(source, known).expect_err(source);
        assert!(problems[0].message.ends_with("is not known here: there is response, now"), "{problems:?}");
    }
}

#[test]
fn optional_values_do_not_exist() {
    for source in ["response.?json", "response.json[?'a'] == 1", "[?response.json]"] {
        assert!(Expression::compile(source, EVERYTHING).is_err(), "{source}");
    }
}

#[test]
fn patterns_are_literal_and_match_whole_texts() {
    for (source, good) in [
        ("response.text.matches('^a$')", true),
        ("response.text.matches('(?i)^cancell?ed$')", true),
        ("matches(response.text, '^a$')", true),
        ("response.text.@matches('^a$')", false),
        ("response.text.matches('paid')", false),
        ("response.text.matches('^paid|void$')", false),
        ("response.text.matches('^(a$')", false),
        ("response.text.matches(response.headers['x'])", false), // the provider must not write our patterns
        ("response.text.matches('^' + 'a$')", false),
    ] {
        assert_eq!(Expression::compile(source, EVERYTHING).is_ok(), good, "{source}");
    }
}

#[test]
fn a_loop_goes_through_the_answer_once() {
    for (source, good) in [
        ("items.exists(a, a.lines.exists(b, b.open))", true),
        ("items.exists(a, a.lines.filter(b, b.open).exists(c, c.x == a.x))", true),
        ("items.filter(a, a.open).exists(a, a.x == 1)", true),
        ("items.map(a, a.x).exists(x, x in [1, 2])", true),
        ("items.exists(a, a.id in a.ids && a.id == response.json.id && a.id == vars.id)", true),
        ("items.exists(a, a.tags.split(',').exists(t, t == 'x'))", true),
        ("items.exists(a, a.mail.lowerAscii() == vars.id.lowerAscii())", true),
        ("items.exists_one(a, a.x) && items.exists_one(b, b.x) && items.exists_one(c, c.x || c.y)", true),
        ("items.exists(a, response.status == 200 && has(response.json.x) && response.json.x)", true),
        ("size(items) == size(response.json.data) && response.json.a == response.json.b", true),
        ("items.exists(a, a.id in response.json.ids)", false),
        ("items.exists(a, items.exists(b, a.x == b.x))", false),
        ("items.exists(a, items.filter(b, b.x).exists(c, c.y))", false),
        ("items.exists(a, response.json.data.exists(b, b.x == a.x))", false),
        ("items.exists(a, response.text.split(',').exists(b, b == a.x))", false),
        ("items.exists(a, a.x.exists(b, b.y.exists(c, c.z)))", false),
        // Other names for the same long list.
        ("items.exists(a, [items][0].exists(b, true))", false),
        ("items.exists(a, {'all': items}.all.exists(b, true))", false),
        ("items.exists(a, (true ? items : []).exists(b, true))", false),
        ("[items].exists(l, l.exists(a, a.id in l))", false),
        ("[items].exists(l, l.exists(a, l.exists(b, b == a)))", false),
        ("[1].map(x, items).exists(l, l.exists(a, true))", false),
        ("items.exists(a, a.lines.exists(b, b.x in a.lines))", false),
        ("items.exists(a, a.lines.exists(b, a.lines == a.other))", false),
        ("items.map(a, response.json).exists(x, x.exists(y, y == 1))", false),
        // What takes as long as its argument.
        ("items.exists(a, response.json.data == response.json.other)", false),
        ("items.exists(a, response.text.contains(a.x))", false),
        ("items.exists(a, response.text.matches('^a$'))", false),
        ("items.exists(a, size(response.json.text) > 9)", false),
        ("items.exists(a, string(response.json.text) == a.x)", false),
        ("items.exists(a, response.text.lowerAscii() == a.x)", false),
        ("items.exists(a, [response.json] == [])", false),
        ("items.exists(a, {'x': response.json} == {})", false),
        ("items.exists(a, (a.x + response.text).size() > 9)", false),
        ("items.exists(a, vars.id.split('').exists(b, b == a.x))", false),
        ("items.exists(a, a.x in vars.id.split(''))", false),
    ] {
        let known = Known { captured: &["id".to_owned()], ..EVERYTHING };
        assert_eq!(Expression::compile(source, known).is_ok(), good, "{source}");
    }
}

/// At most three times the answer, whatever the way there.
#[test]
fn what_an_expression_makes_stays_small() {
    let doubled = |times: usize| format!("['x']{} == []", ".map(a, a + a)".repeat(times));
    let twice = |times: usize| format!("[1]{} == []", ".map(a, [a, a])".repeat(times));
    let sum = |times: usize| format!("response.text{} == ''", " + response.text".repeat(times));
    let list = |times: usize, after: &str| format!("[{}]{after} == []", vec!["items"; times].join(", "));
    let nested = |open: &str, close: &str, times: usize| {
        format!("{}{}{} > 0", open.repeat(times), "1", close.repeat(times))
    };
    let captured = |times: usize| vec!["vars.e"; times].join(" + ");
    let cases = [
        ("items.map(a, a.x + a.y).exists(x, x == '')".to_owned(), true),
        ("items.map(a, a.x + ':' + a.y + ':' + a.z).exists(x, x == vars.e)".to_owned(), true),
        ("items.map(a, [a.x, a.y]).exists(x, x[0] == x[1])".to_owned(), true),
        (
            "items.filter(a, a.x).map(a, a.y.lowerAscii()).filter(a, a != '').exists(a, a == vars.e)"
                .to_owned(),
            true,
        ),
        ("items.map(a, a.x.replace(' ', '')).exists(x, x == vars.e)".to_owned(), true),
        ("items.exists(a, a.x + vars.e + vars.e == vars.e)".to_owned(), true), // made and dropped in each round
        ("items.map(a, size(a.x + vars.e) + 1).exists(x, x == 1)".to_owned(), true),
        ("vars.e.split(',').map(a, a + vars.e).exists(x, x == '')".to_owned(), true),
        ("response.text.split(',').filter(a, a != '').exists(a, a == vars.e)".to_owned(), true),
        ("(response.json.a + '/' + response.json.b) == 'a/b'".to_owned(), true),
        ("[response.json.a, response.json.b].all(x, x == 0)".to_owned(), true),
        (vec!["size(items.filter(a, a.x)) > 0"; 20].join(" || "), true), // one after the other
        (["[items, items]"; 2].join(" == "), false),                     // at the same time
        (doubled(10), true),
        (doubled(20), false),
        (doubled(60), false), // more than any memory
        (twice(8), true),
        (twice(20), false),
        (sum(2), true),
        (sum(3), false),
        ("(items.map(a, a + a)).map(a, a + a) == []".to_owned(), false),
        (list(3, ""), true),
        (list(4, ""), false),
        (list(3, ".map(l, l.map(i, i))"), false),
        (list(16, &format!(".map(l, l.map(i, {}))", captured(3))), false),
        // What is short is long once each value of the answer has it.
        (format!("items.map(i, {}) == []", captured(1)), false),
        (format!("items.map(i, {}) == []", captured(4)), false),
        (format!("items.map(i, i.x.map(j, {})) == []", captured(1)), false),
        (format!("items.map(i, i.x.exists(j, j) ? {} : '') == []", captured(1)), false),
        (format!("items.map(i, i.open, {}) == []", captured(2)), false),
        (format!("items.map(i, '{}') == []", "x".repeat(500)), false),
        (format!("items.exists(i, i.x.map(j, {}) == [])", captured(1)), false), // one item may be the whole answer
        // Fields of one value are together no more than it.
        (
            "[response.json.a, response.json.b, response.json.c, response.json.d].exists(x, x > 0)"
                .to_owned(),
            true,
        ),
        ("response.json.a + response.json.b + response.json.c + response.json.d == 'abcd'".to_owned(), true),
        ("items.map(o, [o.id, o.status, o.amount]).exists(x, x[0] == x[1])".to_owned(), true),
        ("[response.json.a, response.json, response.json.a.b, response.json.a] == []".to_owned(), false),
        // What came before is held while the next is made.
        (nested("size([items, items, ", "])", 2), false),
        (nested("size([items, items, items, ", "])", 38), false),
        (nested("size((items + items) + [", "])", 30), false),
        (nested("size((items) + [", "])", 30), false),
        ("items.map(a, string(1e308)) == []".to_owned(), false),
        ("items.map(a, string(a.id)).exists(x, x == '1')".to_owned(), true),
        ("items.map(a, {'a': a.x}) == []".to_owned(), false),
        ("items.map(a, a.x.replace('', 'xxx')) == []".to_owned(), false),
        ("items.map(a, a.x.replace(a.y, a.z)) == []".to_owned(), false),
        ("items.map(a, response.text + response.text).exists(x, x == '')".to_owned(), false),
        ("items.map(a, a.x.split('')).exists(x, x == [])".to_owned(), false),
        ("items.map(a, a.x.split(',').map(t, t)).exists(x, x == [])".to_owned(), false),
        ("items.filter(a, a.x.split(',').exists(t, t == 'x')).exists(a, a.y)".to_owned(), true),
    ];
    let known = Known { captured: &["e".to_owned()], ..EVERYTHING };
    let is_wrong = |(source, good): &(String, bool)| Expression::compile(source, known).is_ok() != *good;
    assert_eq!(cases.into_iter().filter(is_wrong).collect::<Vec<_>>(), []);
}

#[test]
fn a_problem_names_its_column() {
    let at = |source: &str| Expression::compile(source, EVERYTHING).expect_err(source)[0].column;
    assert_eq!(at("true && respnse.status == 200"), Some(9));
    assert_eq!(at("true && && false"), Some(9));
    assert_eq!(at(&format!("'{}' == ''", "a".repeat(MAX_BYTES))), None);
}

/// The parser recurses: what is too deep must end in an error, on the small stack of a worker thread.
#[test]
fn hostile_texts_neither_crash_nor_hang() {
    let deep = |open: &str, middle: &str, close: &str, times: usize| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    let mut hostile = vec![
        String::new(),
        " ".repeat(1_000),
        "\0".to_owned(),
        "\u{feff}true".to_owned(),
        "'".to_owned(),
        "\"\\x\"".to_owned(),
        "b'a' == b'a'".to_owned(),
        "99999999999999999999999".to_owned(),
        "a".repeat(1_024),
        "has(1)".to_owned(),
        "[].exists(1, true)".to_owned(),
        "{1: 2, 1: 3} == {}".to_owned(),
        "1/0 == 1".to_owned(),
        "-9223372036854775808 - 1 == 0".to_owned(),
        "response.json[99999999999] == 1".to_owned(),
        "[1][-1] == 1".to_owned(),
    ];
    for times in [10, 90, 200, 340, 500] {
        hostile.push(deep("(", "true", ")", times));
        hostile.push(deep("[", "1", "]", times));
        hostile.push(deep("!", "true", "", times));
        hostile.push(deep("-", "1", "", times));
        hostile.push(deep("a.", "b", "", times));
        hostile.push(deep("1+", "1", "", times));
        hostile.push(deep("true?", "true", ":true", times / 2));
        hostile.push(deep("{1:", "1", "}", times / 2));
        hostile.push(deep("true||", "true", "", times / 3));
    }
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        for source in hostile {
            if let Ok(expression) = Expression::compile(&source, EVERYTHING) {
                let scope = Scope::of_response(&json(200, body!([1])), noon());
                let _any_result_will_do = expression.evaluate_bool(&scope);
            }
        }
    });
    thread.unwrap().join().expect("no panic, no overflow");
}

#[tokio::test]
async fn what_takes_too_long_or_panics_gives_nothing() {
    let quick = off_thread(|| 7).await;
    assert_eq!(quick, Ok(7));
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let slow = off_thread_within(Duration::from_millis(20), move || wait.recv()).await;
    assert!(slow.is_err());
    drop(release);
    let panicked = off_thread(|| if true { panic!("as cel might") } else { 7 }).await;
    assert_eq!(panicked, Err(ExpressionFailed::Failed));
}
