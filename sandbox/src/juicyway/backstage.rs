//! What the outside world does to the customers, behind the backs of the API's clients.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Juicyway;
use super::record::{Customer, Seed};
use crate::provider::Backstage;
use crate::timeline::Timeline;

impl Backstage for Juicyway {
    fn seed(&mut self, customer: &str, seed: Value, now: Timestamp) -> Result<(), String> {
        let seed: Seed = serde_json::from_value(seed).map_err(|why| why.to_string())?;
        let timeline = self.customers.entry(customer.to_owned()).or_default();
        timeline.change(now, Customer::created(customer, timeline.current(), seed, now));
        Ok(())
    }

    fn amend(&mut self, customer: &str, seed: Value, now: Timestamp) -> Result<bool, String> {
        let seed: Seed = serde_json::from_value(seed).map_err(|why| why.to_string())?;
        let Some(mut changed) = self.living(customer).cloned() else { return Ok(false) };
        changed.updated_at = now;
        changed.amend(customer, seed, now);
        self.customers.entry(customer.to_owned()).or_default().change(now, changed);
        Ok(true)
    }

    fn remove(&mut self, customer: &str, purge: bool, now: Timestamp) -> bool {
        let tombstone = self.living(customer).map(|customer| customer.removed(now));
        let known = tombstone.is_some() || (purge && self.customers.contains_key(customer));
        if purge {
            self.customers.remove(customer);
        } else if let Some(tombstone) = tombstone {
            self.customers.entry(customer.to_owned()).or_default().change(now, tombstone);
        }
        known
    }

    fn truth(&self, customer: &str) -> Value {
        let record = self.customers.get(customer).and_then(Timeline::current);
        let present = record.is_some_and(|record| record.present);
        json!({
            "exists": present, "active": present,
            "personalDataPresent": record.is_some_and(|record| !record.email.is_empty()),
            "incarnation": record.map(|record| record.incarnation), "customer": record,
        })
    }

    fn customers(&self) -> Vec<String> {
        self.customers.keys().cloned().collect()
    }

    fn config(&self) -> Value {
        json!(self.config)
    }

    fn configure(&mut self, config: Value) -> Result<(), String> {
        self.config = serde_json::from_value(config).map_err(|why| why.to_string())?;
        Ok(())
    }
}
