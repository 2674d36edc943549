//! A small web shop that is wired with the Daybreak SDK, and a load generator for it.
//!
//! ```text
//! cargo run --release -p daybreak-sdk --example shop --features actix
//! cargo run --release -p daybreak-sdk --example shop --features actix -- load --duration 10s
//! cargo run --release -p daybreak-sdk --example shop --features actix -- search --count 100000
//! ```
//!
//! With `OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318` its traces go to a collector; with the feature `opentelemetry`,
//! too, they tell of flags and faults.
//!
//! `app.rs` shows how the SDK is wired in, `checkout.rs` how flags are asked for, `payments.rs` how a fault
//! point is passed. The rest is a shop.

mod app;
mod cart;
mod catalogue;
mod checkout;
mod gateway;
mod load;
mod page;
mod payments;
mod queue;
mod searches;
mod strikes;
mod traces;

use std::io::IsTerminal;
use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};
use daybreak_model::Millis;

/// A small web shop that is wired with the Daybreak SDK.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the shop, and the payment gateway that it calls (the default)
    Serve(Serve),
    /// Serve the payment gateway alone: a second service, with the fault point `gateway.charge`
    Gateway(Open),
    /// Shop at a steady rate for a while, and say what it was like
    Load(Load),
    /// Search so many times, as fast as it goes, and count what met an injected fault
    Search(Search),
}

/// Serve the shop, and the payment gateway that it calls.
#[derive(Args, Clone)]
struct Serve {
    /// Where customers come in
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Where the Daybreak server is
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "DAYBREAK_URL")]
    daybreak: String,
    /// Where the payment gateway is; one in this process unless said
    #[arg(long)]
    gateway: Option<String>,
}

/// Serve the payment gateway alone.
#[derive(Args)]
struct Open {
    /// Where the shop comes in
    #[arg(long, default_value = "127.0.0.1:8082")]
    listen: SocketAddr,
    /// Where the Daybreak server is
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "DAYBREAK_URL")]
    daybreak: String,
}

/// Shop at a steady rate for a while, and say what it was like.
#[derive(Args)]
struct Load {
    /// Where the shop is
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    shop: String,
    /// Orders begun per second, whether or not earlier ones are done
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    rate: u32,
    /// For how long, at most 10 minutes
    #[arg(long, default_value = "10s")]
    duration: Millis,
    /// Print a line for each order, too (load.rs tells what it says)
    #[arg(long)]
    log: bool,
}

/// Search so many times, as fast as it goes, and count what met an injected fault.
#[derive(Args)]
struct Search {
    /// Where the shop is
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    shop: String,
    /// Searches in all
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    count: u32,
    /// Customers who search at the same time, each on a connection of its own
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    customers: u32,
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(color).with_writer(std::io::stderr).init();
    // The shop's own HTTP client needs one; another may be there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    match cli.command {
        None => open(&cli.serve).await,
        Some(Command::Serve(serve)) => open(&serve).await,
        Some(Command::Gateway(gateway)) => gateway::serve(gateway.listen, &gateway.daybreak).await,
        Some(Command::Load(load)) => load::run(&load.shop, load.rate, load.duration.to_duration(), load.log).await,
        Some(Command::Search(search)) => searches::run(&search.shop, search.count, search.customers).await,
    }
}

async fn open(serve: &Serve) -> anyhow::Result<()> {
    app::serve(serve.listen, &serve.daybreak, serve.gateway.as_deref()).await
}
