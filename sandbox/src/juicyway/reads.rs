//! The documented reads. Lists are newest first and paged by cursor.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::record::{Customer, Payment, Wallet};
use super::{Juicyway, invalid};
use crate::http::{Answer, Request};

/// What a list is asked for.
struct Page {
    limit: usize,
    after: Option<String>,
    before: Option<String>,
    created_after: Option<Timestamp>,
    created_before: Option<Timestamp>,
}

impl Page {
    fn asked(request: &Request) -> Result<Page, Answer> {
        let limit = match request.query_value("limit") {
            None => 15,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=100).contains(limit))
                .ok_or_else(|| invalid("limit must be 1..100"))?,
        };
        Ok(Page {
            limit,
            after: request.query_value("after"),
            before: request.query_value("before"),
            created_after: date(request, "created_after")?,
            created_before: date(request, "created_before")?,
        })
    }

    fn covers(&self, created_at: Timestamp) -> bool {
        self.created_after.is_none_or(|from| created_at > from)
            && self.created_before.is_none_or(|to| created_at < to)
    }

    /// Cuts one page out of all items, each with the id that serves as cursor.
    fn cut(&self, items: Vec<(String, Value)>) -> Answer {
        let position = |cursor: &String| items.iter().position(|(id, _)| id == cursor);
        let range = match (&self.after, &self.before) {
            (Some(cursor), _) => {
                position(cursor).map(|last| (last + 1, items.len().min(last + 1 + self.limit)))
            }
            (None, Some(cursor)) => position(cursor).map(|first| (first.saturating_sub(self.limit), first)),
            (None, None) => Some((0, items.len().min(self.limit))),
        };
        let Some((start, end)) = range else { return invalid("unknown cursor") };
        let page = &items[start..end];
        let before = page.first().filter(|_| start > 0).map(|(id, _)| id);
        let after = page.last().filter(|_| end < items.len()).map(|(id, _)| id);
        let data: Vec<&Value> = page.iter().map(|(_, item)| item).collect();
        Answer::json(
            200,
            &json!({"data": data, "pagination": {"before": before, "after": after, "limit": self.limit}}),
        )
    }
}

impl Juicyway {
    pub(super) fn list_customers(&self, request: &Request, at: Timestamp) -> Answer {
        let page = match Page::asked(request) {
            Ok(page) => page,
            Err(refusal) => return refusal,
        };
        let email = request.query_value("email");
        let mut found: Vec<(&String, &Customer)> = self
            .seen(at)
            .filter(|(_, customer)| email.as_ref().is_none_or(|email| customer.email == *email))
            .filter(|(_, customer)| page.covers(customer.created_at))
            .collect();
        found.sort_by(|(left, a), (right, b)| b.created_at.cmp(&a.created_at).then(left.cmp(right)));
        if request.query_value("sort").as_deref() == Some("asc") {
            found.reverse();
        }
        page.cut(found.into_iter().map(|(id, customer)| (id.clone(), customer.shown(id))).collect())
    }

    pub(super) fn get_customer(&self, id: &str, request: &Request, at: Timestamp) -> Answer {
        let Some(customer) = self.customers.get(id).and_then(|timeline| self.visible(timeline, at)) else {
            return self.missing();
        };
        let mut data = customer.shown(id);
        keep_fields(&mut data, request.query_value("fields"));
        let include = request.query_value("include").unwrap_or_default();
        if include.split(',').any(|part| part == "transactions") {
            data["transactions"] = customer
                .payments
                .iter()
                .map(|payment| payment.shown(None, false)["payment"].clone())
                .collect();
        }
        if include.split(',').any(|part| part == "payment_methods") {
            data["payment_methods"] = customer.shown_payment_methods(id).into();
        }
        Answer::json(200, &json!({"data": data}))
    }

    pub(super) fn list_payments(&self, request: &Request, at: Timestamp) -> Answer {
        let page = match Page::asked(request) {
            Ok(page) => page,
            Err(refusal) => return refusal,
        };
        let status = request.query_value("status");
        let mut found: Vec<(&Payment, &String, &Customer)> = self.payments(at);
        found.retain(|(payment, ..)| {
            status.as_ref().is_none_or(|status| payment.status == *status) && page.covers(payment.created_at)
        });
        found.sort_by(|(a, ..), (b, ..)| {
            b.created_at.cmp(&a.created_at).then(b.correlation_id.cmp(&a.correlation_id))
        });
        let with_id = self.config.payment_customer_id;
        page.cut(
            found
                .into_iter()
                .map(|(payment, id, owner)| {
                    (payment.correlation_id.clone(), payment.shown(Some((id, owner)), with_id))
                })
                .collect(),
        )
    }

    pub(super) fn list_wallets(&self, request: &Request, at: Timestamp) -> Answer {
        let (customer, currency, status) = (
            request.query_value("customer_id"),
            request.query_value("currency"),
            request.query_value("status"),
        );
        let data: Vec<Value> = self
            .wallets(at)
            .filter(|(owner, _)| customer.as_ref().is_none_or(|wanted| wanted == *owner))
            .filter(|(_, wallet)| currency.as_ref().is_none_or(|wanted| *wanted == wallet.currency))
            .filter(|(_, wallet)| status.as_ref().is_none_or(|wanted| *wanted == wallet.status))
            .map(|(owner, wallet)| wallet.shown(owner))
            .collect();
        Answer::json(200, &json!({"data": data}))
    }

    pub(super) fn get_wallet(&self, id: &str, at: Timestamp) -> Answer {
        let Some((owner, wallet)) = self.wallets(at).find(|(_, wallet)| wallet.id == id) else {
            return self.missing();
        };
        let mut data = wallet.shown(owner);
        data["payment_methods"] = json!([]);
        data["events"] = json!([]);
        Answer::json(200, &json!({"data": data}))
    }

    pub(super) fn list_wallet_transactions(&self, request: &Request, at: Timestamp) -> Answer {
        let (wallet, kind) = (request.query_value("wallet_id"), request.query_value("type"));
        let data: Vec<Value> = self
            .wallets(at)
            .filter(|(_, held)| wallet.as_ref().is_none_or(|wanted| *wanted == held.id))
            .filter_map(|(_, held)| held.transaction())
            .filter(|transaction| kind.as_ref().is_none_or(|wanted| transaction["type"] == **wanted))
            .collect();
        Answer::json(200, &json!({"data": data}))
    }

    pub(super) fn get_wallet_transaction(&self, id: &str, at: Timestamp) -> Answer {
        let found = self
            .wallets(at)
            .filter_map(|(_, wallet)| wallet.transaction())
            .find(|transaction| transaction["id"] == id);
        found.map_or_else(|| self.missing(), |data| Answer::json(200, &json!({"data": data})))
    }

    /// The customers whom reads see at a moment.
    fn seen(&self, at: Timestamp) -> impl Iterator<Item = (&String, &Customer)> {
        self.customers.iter().filter_map(move |(id, timeline)| Some((id, self.visible(timeline, at)?)))
    }

    fn wallets(&self, at: Timestamp) -> impl Iterator<Item = (&String, &Wallet)> {
        self.seen(at).flat_map(|(id, customer)| customer.wallets.iter().map(move |wallet| (id, wallet)))
    }

    /// All payments, also those whose customer is gone.
    fn payments(&self, at: Timestamp) -> Vec<(&Payment, &String, &Customer)> {
        let owner = |timeline| self.visible(timeline, at).or_else(|| timeline.as_of(at));
        let owners = self.customers.iter().filter_map(|(id, timeline)| Some((id, owner(timeline)?)));
        owners
            .flat_map(|(id, owner)| owner.payments.iter().map(move |payment| (payment, id, owner)))
            .collect()
    }
}

/// `fields` narrows the document; the id always stays.
fn keep_fields(data: &mut Value, fields: Option<String>) {
    if let (Some(data), Some(fields)) = (data.as_object_mut(), fields) {
        data.retain(|name, _| name == "id" || fields.split(',').any(|field| field == name));
    }
}

fn date(request: &Request, key: &str) -> Result<Option<Timestamp>, Answer> {
    let parse = |text: String| text.parse().map_err(|_| invalid(&format!("{key} is not a date")));
    request.query_value(key).map(parse).transpose()
}
