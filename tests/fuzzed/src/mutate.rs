//! Changes an input at random, the same way for the same seed.

/// Longer inputs say nothing more.
const LONGEST: usize = 256 << 10;

/// What parsers stumble over.
const WORDS: &[&str] = &[
    "\u{feff}",
    "\0",
    "\r\n",
    "\n\n",
    "%2e%2e",
    "..",
    "/",
    "\\",
    "?",
    "#",
    "{",
    "}",
    "{customer.id}",
    "{vars.value}",
    "{customer.id:int}",
    "[",
    "]",
    "\"",
    "null",
    "true",
    "false",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-0",
    "0",
    "-1",
    "1e-7",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "\\u0000",
    "\\ud800",
    "\\u202e",
    "\u{202e}",
    "\u{200b}",
    "404",
    "200",
    "204",
    "429",
    "500",
    "error",
    "message",
    "Retry-After: 1",
    "Delete",
    "Waive:a/b",
    "Deny",
    "Approve",
    "system:",
    "alice",
    "2026-03-03T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "-009999-01-01T00:00:00Z",
    "&a *a",
    "<<: *a",
    "!!binary",
    "response.json",
    "has(",
    "items.all(x, ",
    "matches(\"",
    "'' + ",
    " || true",
    " ? : ",
];

/// A source of chance that is the same for the same seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Begins at a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(mixed % end).unwrap_or(0)
    }

    /// Where a part begins and ends.
    fn part(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length + 1);
        let most = (length - from).min(64);
        (from, from + self.below(most + 1))
    }
}

/// One of the inputs, changed in a few places.
#[must_use]
pub fn changed(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut input = corpus.get(chance.below(corpus.len())).cloned().unwrap_or_default();
    for _ in 0..=chance.below(4) {
        change(&mut input, corpus, chance);
    }
    input.truncate(LONGEST);
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], chance: &mut Chance) {
    let (from, to) = chance.part(input.len());
    match chance.below(9) {
        0 => {
            if let Some(byte) = input.get_mut(from) {
                *byte ^= 1 << chance.below(8);
            }
        }
        1 => drop(input.drain(from..to)),
        2 => {
            let part = input[from..to].to_vec();
            drop(input.splice(from..from, part));
        }
        3 => {
            let word = WORDS[chance.below(WORDS.len())].bytes();
            drop(input.splice(from..from, word));
        }
        4 => {
            let word = WORDS[chance.below(WORDS.len())].bytes();
            drop(input.splice(from..to, word));
        }
        5 => {
            let other = corpus.get(chance.below(corpus.len())).map(Vec::as_slice).unwrap_or_default();
            let (start, end) = (chance.below(other.len() + 1), other.len());
            drop(input.splice(from..to, other[start..end.min(start + 256)].iter().copied()));
        }
        6 => input.truncate(from),
        7 => {
            let deep = [b'[', b'{', b'(', b'!', b'a'][chance.below(5)];
            let times = 1 << chance.below(12);
            drop(input.splice(from..to, std::iter::repeat_n(deep, times)));
        }
        _ => number(input, from, chance),
    }
}

/// Puts another number in the place of the next one.
fn number(input: &mut Vec<u8>, from: usize, chance: &mut Chance) {
    let Some(start) = input[from..].iter().position(u8::is_ascii_digit).map(|at| from + at) else { return };
    let length = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let others = ["0", "1", "2", "403", "404", "4294967296", "9223372036854775807", "99999999999999999999"];
    let other = others[chance.below(others.len())].bytes();
    drop(input.splice(start..start + length, other));
}
