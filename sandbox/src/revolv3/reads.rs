//! The documented reads: bare arrays, invoices paged by number, everything else unpaged.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::Revolv3;
use super::config::AfterDelete;
use super::record::{Customer, Invoice};
use crate::http::{Answer, Request};

/// A page of invoices and the dates that narrow it.
struct Page {
    number: usize,
    size: usize,
    from: Option<Timestamp>,
    /// Exclusive.
    until: Option<Timestamp>,
}

impl Revolv3 {
    pub(super) fn get_customer(&self, id: u64, at: Timestamp) -> Answer {
        let Some(customer) = self.visible(id, at) else { return self.missing() };
        let mut shown = customer.shown(id);
        if !customer.active && self.config.after_delete == AfterDelete::Flagged {
            shown["isActive"] = json!(false);
        }
        self.text(200, &shown)
    }

    pub(super) fn list_customers(&self, request: &Request, at: Timestamp) -> Answer {
        let asked = |key: &str, value: &str| request.query_value(key).is_none_or(|wanted| wanted == value);
        let found: Vec<Value> = self
            .stored_at(at)
            .filter(|(_, customer)| customer.active || self.config.list_inactive)
            .filter(|(_, customer)| asked("merchantCustomerRefId", &customer.merchant_customer_ref_id))
            .filter(|(_, customer)| {
                asked("firstName", &customer.first_name) && asked("lastName", &customer.last_name)
            })
            .map(|(id, customer)| customer.shown(id))
            .collect();
        self.text(200, &json!(found))
    }

    pub(super) fn list_customer_subscriptions(&self, id: u64, at: Timestamp) -> Answer {
        let Some(customer) = self.visible(id, at) else { return self.missing() };
        self.list(customer.subscriptions.iter().map(|subscription| subscription.shown(id)).collect())
    }

    pub(super) fn list_subscriptions(&self, at: Timestamp) -> Answer {
        let of = |(id, customer): (u64, &Customer)| -> Vec<Value> {
            customer.subscriptions.iter().map(|subscription| subscription.shown(id)).collect()
        };
        self.list(self.stored_at(at).flat_map(of).collect())
    }

    pub(super) fn list_customer_invoices(&self, id: u64, request: &Request, at: Timestamp) -> Answer {
        let Some(customer) = self.visible(id, at) else { return self.missing() };
        let reference = request.query_value("merchantInvoiceRefId");
        let all = customer.invoices.iter().filter(|invoice| {
            reference.as_ref().is_none_or(|wanted| *wanted == invoice.merchant_invoice_ref_id)
        });
        self.invoices(all.map(|invoice| (id, customer, invoice)).collect(), request, ["startDate", "endDate"])
    }

    pub(super) fn list_invoices(&self, request: &Request, at: Timestamp) -> Answer {
        let all = self
            .stored_at(at)
            .flat_map(|(id, customer)| customer.invoices.iter().map(move |invoice| (id, customer, invoice)));
        self.invoices(all.collect(), request, ["billingStartDate", "billingEndDate"])
    }

    /// One page of invoices; past the end it is an empty array, never 204.
    fn invoices(
        &self,
        mut all: Vec<(u64, &Customer, &Invoice)>,
        request: &Request,
        dates: [&str; 2],
    ) -> Answer {
        let page = match Page::asked(request, dates) {
            Ok(page) => page,
            Err(error) => return self.invalid(&error),
        };
        let reference = request.query_value("merchantCustomerRefId");
        all.retain(|(_, customer, _)| {
            reference.as_ref().is_none_or(|wanted| *wanted == customer.merchant_customer_ref_id)
        });
        all.retain(|(.., invoice)| page.covers(invoice.billing_date));
        let start = (page.number - 1).saturating_mul(page.size);
        let shown: Vec<Value> = all
            .into_iter()
            .skip(start)
            .take(page.size)
            .map(|(id, customer, invoice)| invoice.shown(id, customer))
            .collect();
        self.text(200, &json!(shown))
    }

    /// A list that has no paging: how an empty one looks is a setting.
    fn list(&self, items: Vec<Value>) -> Answer {
        if items.is_empty() && self.config.empty_list == 204 {
            Answer::empty(204)
        } else {
            self.text(200, &json!(items))
        }
    }

    fn stored_at(&self, at: Timestamp) -> impl Iterator<Item = (u64, &Customer)> {
        self.customers.iter().filter_map(move |(id, timeline)| Some((*id, timeline.as_of(at)?)))
    }
}

impl Page {
    fn asked(request: &Request, [from, until]: [&str; 2]) -> Result<Page, String> {
        Ok(Page {
            number: number(request, "page", 1, usize::MAX)?,
            size: number(request, "pageSize", 100, 100)?,
            from: date(request, from)?.map(midnight),
            until: date(request, until)?.map(|day| midnight(day.saturating_add(1.day()))),
        })
    }

    fn covers(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until)
    }
}

fn number(request: &Request, key: &str, default: usize, most: usize) -> Result<usize, String> {
    let Some(text) = request.query_value(key) else { return Ok(default) };
    text.parse()
        .ok()
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| format!("The value '{text}' is not valid for {key}."))
}

/// A day, or the day of a moment.
fn date(request: &Request, key: &str) -> Result<Option<Date>, String> {
    let Some(text) = request.query_value(key) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| format!("The value '{text}' is not valid for {key}."))
}

fn midnight(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |moment| moment.timestamp())
}
