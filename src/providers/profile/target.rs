//! What a request names: the customer's id, once, and where nothing can widen what it names.

use super::Problems;
use crate::{
    api::ConditionalDelete,
    providers::http::{
        request::{BodyTemplate, RequestTemplate},
        template::Text,
    },
};

/// The customer's id occurs once, where nothing can widen what it names.
pub(super) fn inspect_target(request: &RequestTemplate, problems: &mut Problems) {
    let ids = Ids::of(request);
    let path = "delete[0].request.path";
    match (ids.all, ids.whole) {
        (1, 1) => {}
        (0, _) => problems.add(path, "must contain `{customer.id}` exactly once as a whole segment"),
        (1, _) => problems.add(
            "delete[0].request",
            "`{customer.id}` must be a whole segment, query value or body value, or the end of a JSON text",
        ),
        _ => problems.add(path, "the request must contain `{customer.id}` exactly once"),
    }
}

/// A deletion that is declared to be conditional must carry what was seen.
pub(super) fn inspect_condition(
    request: &RequestTemplate,
    promised: ConditionalDelete,
    problems: &mut Problems,
) {
    let has_if_match =
        request.headers.iter().any(|(name, value)| *name == http::header::IF_MATCH && value.has_vars());
    match promised {
        ConditionalDelete::IfMatch if !has_if_match => {
            problems.add(
                "delete[0].request.headers",
                "`conditionalDelete: IfMatch` needs `If-Match: '{vars.NAME}'`",
            );
        }
        ConditionalDelete::Version if !uses_captured(request) => {
            problems.add(
                "delete[0].request",
                "`conditionalDelete: Version` needs a captured value: `{vars.NAME}`",
            );
        }
        ConditionalDelete::None | ConditionalDelete::IfMatch | ConditionalDelete::Version => {}
    }
}

/// How often a request contains the customer's id.
pub(super) struct Ids {
    pub(super) all: usize,
    /// Of these, where it is a whole value, or the end of a JSON text (`gid://shopify/Customer/{customer.id}`).
    whole: usize,
}

impl Ids {
    pub(super) fn of(request: &RequestTemplate) -> Self {
        let mut ids = Self { all: 0, whole: 0 };
        let in_path = request.path.iter().filter(|segment| segment.is_the_customer_id()).count();
        ids.add(in_path, in_path);
        for (_, text) in &request.headers {
            ids.add(text.customer_ids(), 0);
        }
        let form = match &request.body {
            Some(BodyTemplate::Form(fields)) => fields.as_slice(),
            Some(BodyTemplate::Json(_)) | None => &[],
        };
        for (_, text) in request.query.iter().chain(form) {
            ids.add(text.customer_ids(), usize::from(text.is_the_customer_id()));
        }
        if let Some(BodyTemplate::Json(json)) = &request.body {
            json.visit(&mut |text: Option<&Text>| match text {
                None => ids.add(1, 1),
                Some(text) => ids.add(text.customer_ids(), usize::from(text.ends_with_the_customer_id())),
            });
        }
        ids
    }

    fn add(&mut self, all: usize, whole: usize) {
        self.all += all;
        self.whole += whole;
    }
}

fn uses_captured(request: &RequestTemplate) -> bool {
    let mut in_body = false;
    match &request.body {
        Some(BodyTemplate::Json(json)) => json.visit(&mut |text| in_body |= text.is_some_and(Text::has_vars)),
        Some(BodyTemplate::Form(fields)) => in_body = fields.iter().any(|(_, text)| text.has_vars()),
        None => {}
    }
    in_body
        || request.query.iter().any(|(_, text)| text.has_vars())
        || request.headers.iter().any(|(_, text)| text.has_vars())
}
