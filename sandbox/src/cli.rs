//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Parser;
use serde_json::Value;

/// Juicyway and Revolv3 to try offboarding on: strict, scripted, and with a ledger of all they received.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// Port of the Juicyway listener; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub juicyway_port: u16,
    /// Port of the Revolv3 listener.
    #[arg(long, default_value_t = 0)]
    pub revolv3_port: u16,
    /// Port of the scripted listener.
    #[arg(long, default_value_t = 0)]
    pub scripted_port: u16,
    /// Port of the admin listener (plain HTTP).
    #[arg(long, default_value_t = 0)]
    pub admin_port: u16,
    /// DNS name or address of the certificate besides the address to listen on; may be repeated.
    #[arg(long = "name")]
    pub names: Vec<String>,
    /// File that keeps ledger, customers and clock over a restart.
    #[arg(long)]
    pub state: Option<PathBuf>,
    /// Settings of the Juicyway side, as JSON.
    #[arg(long, default_value = "{}", value_parser = json)]
    pub juicyway: Value,
    /// Settings of the Revolv3 side, as JSON.
    #[arg(long, default_value = "{}", value_parser = json)]
    pub revolv3: Value,
    /// End when standard input is closed.
    #[arg(long)]
    pub exit_with_parent: bool,
}

impl Cli {
    /// All names the good certificate is issued to.
    pub fn certificate_names(&self) -> Vec<String> {
        let mut names = vec!["127.0.0.1".to_owned()];
        let bound = self.bind.to_string();
        if !self.bind.is_unspecified() && !names.contains(&bound) {
            names.push(bound);
        }
        names.extend(self.names.iter().cloned());
        names
    }
}

fn json(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text)
}
