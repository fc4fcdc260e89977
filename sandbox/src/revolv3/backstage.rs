//! What the outside world does to the customers, behind the backs of the API's clients.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::config::Config;
use super::record::{Customer, Seed};
use super::{Revolv3, customer_id};
use crate::provider::Backstage;

impl Backstage for Revolv3 {
    fn seed(&mut self, customer: &str, seed: Value, now: Timestamp) -> Result<(), String> {
        let id = customer_id(customer).ok_or("a Revolv3 customer id is an integer of 1 to 1000000000")?;
        let seed: Seed = serde_json::from_value(seed).map_err(|why| why.to_string())?;
        let mut last_id = self.last_id;
        let created = Customer::created(id, self.current(id), seed, &mut last_id, now);
        self.last_id = last_id;
        self.change(id, created, now);
        Ok(())
    }

    fn amend(&mut self, customer: &str, seed: Value, now: Timestamp) -> Result<bool, String> {
        let seed: Seed = serde_json::from_value(seed).map_err(|why| why.to_string())?;
        let Some(id) = customer_id(customer) else { return Ok(false) };
        let Some(mut changed) = self.current(id).cloned() else { return Ok(false) };
        changed.amend(seed, &mut self.last_id, now);
        self.change(id, changed, now);
        Ok(true)
    }

    fn remove(&mut self, customer: &str, purge: bool, now: Timestamp) -> bool {
        let Some(id) = customer_id(customer) else { return false };
        if purge {
            return self.customers.remove(&id).is_some();
        }
        self.delete_customer(id, now).changed.is_some()
    }

    fn truth(&self, customer: &str) -> Value {
        let record = customer_id(customer).and_then(|id| self.current(id));
        json!({
            "exists": record.is_some(), "active": record.is_some_and(|record| record.active),
            "personalDataPresent": record.is_some_and(|record| !record.email.is_empty()),
            "incarnation": record.map(|record| record.incarnation), "customer": record,
        })
    }

    fn customers(&self) -> Vec<String> {
        self.customers.keys().map(u64::to_string).collect()
    }

    fn config(&self) -> Value {
        json!(self.config)
    }

    fn configure(&mut self, config: Value) -> Result<(), String> {
        let config: Config = serde_json::from_value(config).map_err(|why| why.to_string())?;
        self.config = config.checked()?;
        Ok(())
    }
}
