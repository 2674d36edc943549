//! What may be written after `daybreak`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use daybreak_control::PrometheusUrl;
use daybreak_model::limits::{LEASE_DEFAULT, LEASE_MAX, LEASE_MIN, RUN_DURATION_MAX, RUN_DURATION_MAX_DEFAULT};
use daybreak_model::{Millis, Percentage};
use daybreak_server::Origin;
use daybreak_server::limits::{RATE_ADDRESS, RATE_TOKEN, STREAMS_PER_TOKEN};
use daybreak_store::Retention;
use jiff::Timestamp;

use crate::backup::{Backup, Restore};
use crate::events::Events;
use crate::remote::Secret;
use crate::style::Format;
use crate::token::Token;

/// Feature flags whose flags can also break things on purpose.
#[derive(Debug, Parser)]
#[command(
    name = "daybreak",
    version,
    about,
    propagate_version = true,
    after_help = "Without a command, `daybreak` serves."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve flags and faults to applications and operators.
    Serve(Box<Serve>),
    /// Check documents, and name every fault with its place.
    Check(Check),
    /// Print the JSON Schema of documents, for editors.
    Schema,
    /// Evaluate a flag here, with the engine that the server and the SDKs use.
    Eval(Eval),
    /// Take a backup of everything, from a server that runs or is stopped.
    Backup(Backup),
    /// Bring a backup back.
    Restore(Restore),
    /// Tell which clients have which revision, and how fast changes come to them.
    Clients(crate::clients::Clients),
    /// Tell the life of a flag: since when it is, how often each variant was served, whether it can go.
    Flag(crate::flag::Flag),
    /// List flags that can be removed, and flags that are asked for and are not there.
    Stale(crate::stale::Stale),
    /// Print who changed what, when and why; with `--follow` as it happens.
    Events(Events),
    /// Make, list and revoke tokens.
    Token(Token),
    /// Start a fault, show how its run goes, and say in the end what it showed; the exit status is the verdict.
    Run(crate::run::Run),
    /// Stop what a fault does, or one run: at once.
    Stop(crate::stop::Stop),
    /// Stop every run at once, and let none start until it is lifted.
    Halt(crate::stop::Halt),
    /// Tell what would happen, and what stands against it.
    Explain(crate::explain::Explain),
    /// Tell whether a calendar is open, and when it closes and opens.
    Hours(Hours),
    /// Tell what is left of error budgets and how fast they burn; import and export OpenSLO.
    Slo(crate::slo::Slo),
    /// Tell how often people were paged, and what a further page would do.
    OnCall(crate::on_call::OnCall),
    /// Have a server serve what files say: as one revision, all or nothing.
    Apply(crate::apply::Apply),
    /// Print or write everything that a server serves.
    Export(crate::export::Export),
    /// Compare two of folders, files and servers.
    Diff(crate::diff::Diff),
    /// Carry resources from one server to another.
    Promote(crate::promote::Promote),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    /// The folder of documents; they are watched and applied as they change.
    #[arg(long, env = "DAYBREAK_FLAGS", value_name = "DIR", default_value = "flags")]
    pub(crate) flags: PathBuf,
    /// The folder for what must survive a restart: all changes, runs, events and the halt.
    #[arg(long, env = "DAYBREAK_DATA", value_name = "DIR", default_value = "data")]
    pub(crate) data: PathBuf,
    /// How many events are kept at most; the oldest are dropped.
    #[arg(long, env = "DAYBREAK_EVENTS_MAX", value_name = "NUMBER", default_value_t = Retention::default().events)]
    pub(crate) events_max: usize,
    /// How long events are kept at most, counted back from the latest.
    #[arg(long, env = "DAYBREAK_EVENTS_AGE", value_name = "DURATION", value_parser = events_age,
          default_value_t = Retention::default().age)]
    pub(crate) events_age: Millis,
    /// Where to listen; without tokens only loopback is possible.
    #[arg(long, env = "DAYBREAK_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// The file of the webhooks that are told of what happens; it is read again when it changes.
    #[arg(long, env = "DAYBREAK_WEBHOOKS", value_name = "FILE")]
    pub(crate) webhooks: Option<PathBuf>,
    /// The Prometheus that SLOs with `sli.prometheus` are counted by: `http://prometheus:9090`.
    #[arg(long, env = "DAYBREAK_PROMETHEUS", value_name = "URL", hide_env_values = true)]
    pub(crate) prometheus: Option<PrometheusUrl>,
    /// The file of the secrets by which PagerDuty signs its webhook, one a line; without it nothing is taken from
    /// PagerDuty.
    #[arg(long, env = "DAYBREAK_PAGERDUTY_SECRET_FILE", value_name = "FILE")]
    pub(crate) pagerduty_secret_file: Option<PathBuf>,
    /// The server's certificate as PEM, followed by those that lead from it to a root; with it the server speaks TLS
    /// only. It is read again when it changes.
    #[arg(long, env = "DAYBREAK_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key as PEM.
    #[arg(long, env = "DAYBREAK_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// The authorities of clients' certificates as PEM; with it a client without a certificate of theirs does not get
    /// in. It has to show its token all the same.
    #[arg(long, env = "DAYBREAK_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_client_ca: Option<PathBuf>,
    /// An origin whose pages may evaluate flags by OFREP, as browsers write it: `https://app.example`. Give it once for
    /// each; without it no page of another origin gets anywhere.
    #[arg(long, env = "DAYBREAK_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub(crate) cors_origin: Vec<Origin>,
    /// The environment: nothing done here reaches the clients of another.
    #[arg(long, env = "DAYBREAK_ENVIRONMENT", value_name = "NAME", default_value = "development")]
    pub(crate) environment: String,
    /// The largest share of one service's requests of one operation that runs may strike together.
    #[arg(long, env = "DAYBREAK_MAX_BLAST_RADIUS", value_name = "PERCENTAGE", default_value = "5%")]
    pub(crate) max_blast_radius: Percentage,
    /// The longest run that a start may ask for, up to 4h.
    #[arg(long, env = "DAYBREAK_MAX_RUN", value_name = "DURATION", value_parser = max_run,
          default_value_t = RUN_DURATION_MAX_DEFAULT)]
    pub(crate) max_run: Millis,
    /// How long clients may go on injecting without hearing from the server, from 3s to 30s.
    #[arg(long, env = "DAYBREAK_LEASE", value_name = "DURATION", value_parser = lease, default_value_t = LEASE_DEFAULT)]
    pub(crate) lease: Millis,
    /// How long clients may be without the server before their answers say STALE, from 10s; for ever unless said. A client's
    /// own setting goes first.
    #[arg(long, env = "DAYBREAK_STALE_AFTER", value_name = "DURATION", value_parser = stale_after)]
    pub(crate) stale_after: Option<Millis>,
    /// Requests a second with one token, with bursts of twice as many; 0 for any number. Halts, stops and reports always
    /// come through.
    #[arg(long, env = "DAYBREAK_RATE_LIMIT", value_name = "NUMBER", default_value_t = RATE_TOKEN)]
    pub(crate) rate_limit: u32,
    /// Requests a second from one address without a token, where tokens are asked for; 0 for any number.
    #[arg(long, env = "DAYBREAK_RATE_LIMIT_ADDRESS", value_name = "NUMBER", default_value_t = RATE_ADDRESS)]
    pub(crate) rate_limit_address: u32,
    /// Streams open at once with one token.
    #[arg(long, env = "DAYBREAK_STREAMS_PER_TOKEN", value_name = "NUMBER", default_value_t = STREAMS_PER_TOKEN)]
    pub(crate) streams_per_token: usize,
    /// What to log: `error`, `warn`, `info`, `debug`, or by module.
    #[arg(long, env = "DAYBREAK_LOG", value_name = "FILTER", default_value = "info,actix_server=warn")]
    pub(crate) log: String,
    /// How to log.
    #[arg(long, env = "DAYBREAK_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Check {
    /// Folders, searched through, and files: together they are one document.
    #[arg(value_name = "PATH", default_value = "flags")]
    pub(crate) paths: Vec<PathBuf>,
    /// How to print what was found: as a compiler does, with the lines in question, or as one JSON document.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Eval {
    /// The flag.
    pub(crate) key: String,
    /// The evaluation context, as JSON.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) context: String,
    /// The folder of documents.
    #[arg(long, env = "DAYBREAK_FLAGS", value_name = "DIR", default_value = "flags")]
    pub(crate) flags: PathBuf,
    /// Also tell, rule by rule, why it matched or why not.
    #[arg(long)]
    pub(crate) explain: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Hours {
    /// The calendar.
    pub(crate) key: String,
    /// The folder of documents.
    #[arg(long, env = "DAYBREAK_FLAGS", value_name = "DIR", default_value = "flags")]
    pub(crate) flags: PathBuf,
    /// Ask a server instead of a folder; it tells of now, so not together with `--at`.
    #[arg(long, env = "DAYBREAK_URL", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The token to ask it with.
    #[arg(long, env = "DAYBREAK_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: Option<Secret>,
    /// At this moment instead of now, by the folder.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
}

fn within(text: &str, min: Millis, max: Millis) -> Result<Millis, String> {
    let duration: Millis = text.parse().map_err(|error| format!("{error}"))?;
    if (min..=max).contains(&duration) { Ok(duration) } else { Err(format!("{duration} is not within {min} to {max}")) }
}

fn lease(text: &str) -> Result<Millis, String> {
    within(text, LEASE_MIN, LEASE_MAX)
}

fn max_run(text: &str) -> Result<Millis, String> {
    within(text, Millis::from_secs(1), RUN_DURATION_MAX)
}

fn stale_after(text: &str) -> Result<Millis, String> {
    // The stream speaks every 5 s: what is shorter than two of these would be stale now and then for nothing.
    within(text, Millis::from_secs(10), Millis::from_secs(7 * 24 * 60 * 60))
}

fn events_age(text: &str) -> Result<Millis, String> {
    match text.parse().map_err(|error| format!("{error}"))? {
        Millis::ZERO => Err("events would be dropped at once; write how long they are kept: `90d`".to_owned()),
        age => Ok(age),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_are_checked() {
        let cases = [
            ("--lease 10s", None),
            ("--lease 2s", Some("3s to 30s")),
            ("--lease 10", Some("unit")),
            ("--max-run 4h", None),
            ("--max-run 5h", Some("4h")),
            ("--max-blast-radius 100%", None),
            ("--max-blast-radius 100", Some("write `100%`")),
            ("--stale-after 30s", None),
            ("--stale-after 5s", Some("10s to 7d")),
            ("--events-age 30d", None),
            ("--events-age 30", Some("unit")),
            ("--events-age 0s", Some("dropped at once")),
            ("--listen 8080", Some("socket address")),
            ("--cors-origin https://a.example,http://localhost:3000 --cors-origin https://b.example", None),
            ("--cors-origin *", Some("write out each origin: `https://app.example`")),
            ("--cors-origin https://a.example/", Some("write `https://a.example`")),
            ("--prometheus http://prometheus:9090", None),
            ("--prometheus prometheus:9090", Some("write for example")),
        ];
        for (options, expected) in cases {
            let line = format!("daybreak serve {options}");
            match (Arguments::try_parse_from(line.split(' ')), expected) {
                (Ok(_), None) => {}
                (Err(error), Some(why)) => assert!(error.to_string().contains(why), "{line}: {error}"),
                (parsed, _) => panic!("{line}: {parsed:?}"),
            }
        }
    }
}
