//! Templates: texts, paths and JSON with placeholders. Filled in as data, never pasted into a URL or a body.

use std::fmt;

use crate::{
    domain::{Cause, Class, Failure},
    providers::{Captured, CustomerId},
};

/// What the placeholders of one request stand for. Prints nothing.
#[derive(Clone, Copy)]
pub(crate) struct Filling<'a> {
    /// `{customer.id}`; absent in the control request and the account probe.
    pub(crate) customer: Option<&'a CustomerId>,
    /// `{vars.NAME}`.
    pub(crate) captured: &'a Captured,
}

/// A request that could not be built. Nothing was sent, and nobody but the platform team mends it.
pub(crate) fn template_failed() -> Failure {
    Failure::new(Class::Invalid, Cause::TemplateFailed)
}

/// One part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(String),
    CustomerId,
    Var(String),
}

/// A text with placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) Vec<Piece>);

/// Which placeholders may stand in a template, and whether other braces are literal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed<'a> {
    /// Whether there is a customer.
    pub(crate) customer: bool,
    /// The names in `vars`.
    pub(crate) captured: &'a [String],
}

/// A placeholder as it is written, without its braces.
enum Placeholder<'a> {
    CustomerId,
    CustomerNumber,
    Var(&'a str),
    Item,
    Other,
}

impl<'a> Placeholder<'a> {
    fn of(inner: &'a str) -> Self {
        match inner {
            "customer.id" => Placeholder::CustomerId,
            "customer.id:int" => Placeholder::CustomerNumber,
            _ if inner.starts_with("item.") => Placeholder::Item,
            _ => inner.strip_prefix("vars.").map_or(Placeholder::Other, Placeholder::Var),
        }
    }
}

impl Text {
    /// Reads a text in which every brace belongs to a placeholder.
    ///
    /// # Errors
    /// A brace that is none, an unknown placeholder, or one that is not available here.
    pub(crate) fn parse(source: &str, allowed: Allowed<'_>) -> Result<Self, String> {
        Self::read(source, allowed, false)
    }

    /// Reads a text of a JSON body, in which other braces are literal (GraphQL).
    ///
    /// # Errors
    /// A placeholder that is not available here.
    pub(crate) fn parse_json_text(source: &str, allowed: Allowed<'_>) -> Result<Self, String> {
        Self::read(source, allowed, true)
    }

    fn read(source: &str, allowed: Allowed<'_>, braces_are_literal: bool) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            rest = &rest[at..];
            let inner =
                rest.strip_prefix('{').and_then(|after| after.split_once('}')).map(|(inner, _)| inner);
            let placeholder = inner.map_or(Placeholder::Other, Placeholder::of);
            if let (Placeholder::Other, true) = (&placeholder, braces_are_literal) {
                literal.push_str(&rest[..1]);
                rest = &rest[1..];
                continue;
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(piece(placeholder, allowed)?);
            rest = &rest[inner.map_or(1, |inner| inner.len() + 2)..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// How often the customer's id occurs.
    pub(crate) fn customer_ids(&self) -> usize {
        self.0.iter().filter(|piece| **piece == Piece::CustomerId).count()
    }

    /// Whether a captured value occurs.
    pub(crate) fn has_vars(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Var(_)))
    }

    /// Whether it is the customer's id and nothing else.
    pub(crate) fn is_the_customer_id(&self) -> bool {
        self.0 == [Piece::CustomerId]
    }

    /// Whether the customer's id is its end.
    pub(crate) fn ends_with_the_customer_id(&self) -> bool {
        self.0.last() == Some(&Piece::CustomerId)
    }

    /// The text with its placeholders filled in.
    ///
    /// # Errors
    /// `TemplateFailed`: a value is missing or empty, or could change what the text beside it means.
    pub(crate) fn fill(&self, filling: Filling<'_>) -> Result<String, Failure> {
        let is_whole = self.0.len() == 1;
        let fill = |piece: &Piece| {
            let text = piece.fill(filling)?;
            let fits = is_whole || piece.fits_beside_text(&text);
            if fits { Ok(text) } else { Err(template_failed()) }
        };
        self.0.iter().map(fill).collect()
    }
}

/// A value that the provider wrote: nothing but what addresses, times and ids are made of, a letter or digit at both ends.
fn is_plain(value: &str) -> bool {
    let is_inner = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+' | ':');
    value.starts_with(char::is_alphanumeric)
        && value.ends_with(char::is_alphanumeric)
        && value.chars().all(is_inner)
}

impl Piece {
    fn fill(&self, filling: Filling<'_>) -> Result<String, Failure> {
        match self {
            Piece::Literal(literal) => Some(literal.clone()),
            Piece::CustomerId => {
                filling.customer.map(|id| id.expose().to_owned()).filter(|id| !id.is_empty())
            }
            Piece::Var(name) => filling.captured.as_text(name),
        }
        .ok_or_else(template_failed)
    }

    /// Whether its value may stand beside other text, which may be a query (`email:'{vars.email}'`, GraphQL, a filter): a quote, a
    /// space or an operator would make another query of it. What ids look like, the profile's pattern says.
    fn fits_beside_text(&self, value: &str) -> bool {
        let ends_a_text = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`' | '\\');
        match self {
            Piece::Literal(_) => true,
            Piece::CustomerId => !value.contains(ends_a_text),
            Piece::Var(_) => is_plain(value),
        }
    }
}

fn piece(placeholder: Placeholder<'_>, allowed: Allowed<'_>) -> Result<Piece, String> {
    match placeholder {
        Placeholder::CustomerId if allowed.customer => Ok(Piece::CustomerId),
        Placeholder::CustomerId => {
            Err("must not contain `{customer.id}`: there is no customer here".to_owned())
        }
        Placeholder::CustomerNumber => Err("`{customer.id:int}` may only be a whole JSON value".to_owned()),
        Placeholder::Var(name) if allowed.captured.iter().any(|captured| captured == name) => {
            Ok(Piece::Var(name.to_owned()))
        }
        Placeholder::Var(name) => {
            Err(format!("`{{vars.{name}}}` is not captured by `presence`, or not known here"))
        }
        Placeholder::Item => Err("`{item.…}` belongs to `prepare`, which is not built yet".to_owned()),
        Placeholder::Other => {
            Err("unknown placeholder: there is `{customer.id}` and `{vars.NAME}`; other braces are refused"
                .to_owned())
        }
    }
}

/// One segment of a path: a literal, or a placeholder as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment(Piece);

impl Segment {
    /// Reads a path: `/` and segments, a placeholder being a whole one. A `/` at the end stays.
    ///
    /// # Errors
    /// Anything that could leave its segment, or is written as it would not be sent.
    pub(crate) fn parse_path(path: &str, allowed: Allowed<'_>) -> Result<Vec<Self>, String> {
        let inner = path.strip_prefix('/').ok_or("must start with `/`")?;
        if let Some(refused) =
            path.chars().find(|c| matches!(c, '?' | '#' | '%' | '\\') || !c.is_ascii_graphic())
        {
            return Err(format!("must not contain {refused:?}: values are encoded when they are filled in"));
        }
        let texts: Vec<&str> = inner.split('/').collect();
        let (last, others) = texts.split_last().ok_or("must start with `/`")?;
        if others.iter().any(|text| text.is_empty()) || path == "//" {
            return Err("must not contain `//`".to_owned());
        }
        others.iter().chain([last]).map(|text| Self::parse(text, allowed)).collect()
    }

    fn parse(text: &str, allowed: Allowed<'_>) -> Result<Self, String> {
        if text == "." || text.contains("..") {
            return Err("must not contain `.` as a segment, nor `..`".to_owned());
        }
        let mut pieces = Text::parse(text, allowed)?.0;
        match (pieces.pop(), pieces.is_empty()) {
            (None, _) => Ok(Self(Piece::Literal(String::new()))),
            (Some(piece), true) => Ok(Self(piece)),
            (Some(_), false) => Err("a placeholder must be a whole segment".to_owned()),
        }
    }

    pub(crate) fn is_the_customer_id(&self) -> bool {
        self.0 == Piece::CustomerId
    }

    /// The segment, not yet encoded.
    ///
    /// # Errors
    /// `TemplateFailed`: a value is missing, empty, or one that URLs read as a step (`.`, `..`).
    pub(crate) fn fill(&self, filling: Filling<'_>) -> Result<String, Failure> {
        let segment = self.0.fill(filling)?;
        let is_step = matches!(segment.as_str(), "." | "..");
        let is_odd = segment.chars().any(|c| c == '/' || c == '\\' || c.is_control());
        if !matches!(self.0, Piece::Literal(_)) && (is_step || is_odd) {
            return Err(template_failed());
        }
        Ok(segment)
    }
}

/// A JSON body with placeholders in its text values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum JsonTemplate {
    Plain(serde_json::Value),
    Text(Text),
    /// The customer's id as a number.
    CustomerNumber,
    Array(Vec<JsonTemplate>),
    Object(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    /// Reads a body. `numbers` says whether ids are whole numbers here.
    ///
    /// # Errors
    /// A placeholder that is not available here, or stands in a key.
    pub(crate) fn parse(
        value: &serde_json::Value,
        allowed: Allowed<'_>,
        ids_are_numbers: bool,
    ) -> Result<Self, String> {
        Ok(match value {
            serde_json::Value::String(text) if text == "{customer.id:int}" => {
                if !(ids_are_numbers && allowed.customer) {
                    return Err("`{customer.id:int}` needs `customerId.integer`, and a customer".to_owned());
                }
                JsonTemplate::CustomerNumber
            }
            serde_json::Value::String(text) => JsonTemplate::Text(Text::parse_json_text(text, allowed)?),
            serde_json::Value::Array(items) => JsonTemplate::Array(
                items
                    .iter()
                    .map(|item| Self::parse(item, allowed, ids_are_numbers))
                    .collect::<Result<_, _>>()?,
            ),
            serde_json::Value::Object(entries) => JsonTemplate::Object(
                entries
                    .iter()
                    .map(|(key, item)| {
                        let without = Allowed { customer: false, captured: &[] };
                        Text::parse_json_text(key, without)
                            .map_err(|_| "keys are never templates".to_owned())?;
                        Ok((key.clone(), Self::parse(item, allowed, ids_are_numbers)?))
                    })
                    .collect::<Result<_, String>>()?,
            ),
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
                JsonTemplate::Plain(value.clone())
            }
        })
    }

    /// Every text with placeholders in it, and how many ids stand as numbers.
    pub(crate) fn visit<'a>(&'a self, see: &mut impl FnMut(Option<&'a Text>)) {
        match self {
            JsonTemplate::Plain(_) => {}
            JsonTemplate::Text(text) => see(Some(text)),
            JsonTemplate::CustomerNumber => see(None),
            JsonTemplate::Array(items) => items.iter().for_each(|item| item.visit(see)),
            JsonTemplate::Object(entries) => entries.iter().for_each(|(_, item)| item.visit(see)),
        }
    }

    /// The body with its placeholders filled in.
    ///
    /// # Errors
    /// `TemplateFailed`: a value is missing or empty, or an id is no number.
    pub(crate) fn fill(&self, filling: Filling<'_>) -> Result<serde_json::Value, Failure> {
        Ok(match self {
            JsonTemplate::Plain(value) => value.clone(),
            JsonTemplate::Text(text) => text.fill(filling)?.into(),
            JsonTemplate::CustomerNumber => {
                let number = filling.customer.and_then(|id| id.expose().parse::<i64>().ok());
                number.ok_or_else(template_failed)?.into()
            }
            JsonTemplate::Array(items) => {
                items.iter().map(|item| item.fill(filling)).collect::<Result<Vec<_>, _>>()?.into()
            }
            JsonTemplate::Object(entries) => entries
                .iter()
                .map(|(key, item)| Ok((key.clone(), item.fill(filling)?)))
                .collect::<Result<serde_json::Map<_, _>, Failure>>()?
                .into(),
        })
    }
}

impl fmt::Debug for Filling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filling")
    }
}
