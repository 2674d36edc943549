//! Building a client.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use daybreak_model::{InstanceId, Key};

use crate::client::Evaluation;
use crate::core::{Core, EvaluationHook, Settings};
use crate::faults::{self, Faults};
use crate::listeners::Listeners;
use crate::{Client, Telemetry, worker};

/// What a client is built from: see [`Client::builder`].
pub struct Builder {
    url: String,
    service: Option<String>,
    environment: Option<String>,
    token: Option<Token>,
    client_certificate: Option<PathBuf>,
    bootstrap: Option<PathBuf>,
    cache: Option<PathBuf>,
    stale_after: Option<Duration>,
    faults: faults::Settings,
    on_evaluation: Option<EvaluationHook>,
    telemetry: Option<Telemetry>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, service, faults, .. } = self;
        let mut shown = f.debug_struct("Builder");
        shown.field("url", url).field("service", service).field("faults", faults).finish_non_exhaustive()
    }
}

/// A secret that is never printed.
struct Token(String);

impl Token {
    /// None where there is nothing: a variable may be set to that.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }
}

/// Why a client cannot be built. A server that is down is no reason.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The URL is none, or not of HTTP.
    #[error("`{url}` is no server's URL; write it as in `http://localhost:8080`")]
    Url {
        /// What was given.
        url: String,
    },
    /// No service was named.
    #[error("a client says which service it is part of; call `.service(\"shop\")`")]
    NoService,
    /// The environment was named, but its name is empty.
    #[error("an environment has a name; call `.environment(\"production\")`, or leave it out")]
    NoEnvironment,
    /// A name that is no fault point's.
    #[error("`{point}` is no fault point's name: {why}")]
    Point {
        /// What was given.
        point: String,
        /// What is wrong with it.
        why: daybreak_model::KeyError,
    },
    /// The client's thread or its HTTP client could not be made.
    #[error("the client could not start: {0}")]
    Start(String),
}

impl Builder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            service: None,
            environment: None,
            token: std::env::var("DAYBREAK_TOKEN").ok().and_then(|token| Token::read(&token)),
            client_certificate: std::env::var_os("DAYBREAK_CLIENT_CERT").map(PathBuf::from),
            bootstrap: None,
            cache: None,
            stale_after: None,
            on_evaluation: None,
            telemetry: None,
            faults: faults::Settings::from_env(),
        }
    }

    /// The service that the client is part of; required.
    #[must_use]
    pub fn service(mut self, service: &str) -> Self {
        self.service = Some(service.to_owned());
        self
    }

    /// The environment that the client belongs to: flags and leases of any other are refused, from the first on,
    /// and the cache is that environment's. Unless said, it is the first one that the client sees, in its cache
    /// or from the server.
    #[must_use]
    pub fn environment(mut self, environment: &str) -> Self {
        self.environment = Some(environment.to_owned());
        self
    }

    /// The token that it shows; `DAYBREAK_TOKEN` unless said.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Token::read(token);
        self
    }

    /// A PEM file with the certificate that it shows to a server which asks for one, those that lead from it to a root,
    /// and its private key; `DAYBREAK_CLIENT_CERT` unless said. It is read once.
    #[must_use]
    pub fn client_certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.client_certificate = Some(path.into());
        self
    }

    /// A file with a snapshot to begin with, until the server is heard: what `/api/v1/snapshot` answers.
    #[must_use]
    pub fn bootstrap_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.bootstrap = Some(path.into());
        self
    }

    /// A folder in which the client keeps the last flags that it had, to begin with when the server is down. A
    /// client that begins with them belongs to their environment.
    #[must_use]
    pub fn cache_folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.cache = Some(path.into());
        self
    }

    /// How long the server may be out of reach before answers say STALE, with their age; what the server tells its
    /// clients (`daybreak serve --stale-after`) unless said, and for ever where it tells nothing. The answers themselves
    /// stay as they are. A server that lives is heard every 5 s, and it is looked each second: 10 s is a short time.
    #[must_use]
    pub const fn stale_after(mut self, tolerance: Duration) -> Self {
        self.stale_after = Some(tolerance);
        self
    }

    /// Whether faults may strike in this process; they may, unless `DAYBREAK_FAULTS` says otherwise.
    #[must_use]
    pub const fn faults(mut self, allowed: bool) -> Self {
        self.faults.allowed = self.faults.allowed && allowed;
        self
    }

    /// The only fault points at which faults may strike in this process; all, unless said.
    #[must_use]
    pub fn permit_points<'p>(mut self, points: impl IntoIterator<Item = &'p str>) -> Self {
        self.faults.points = Some(points.into_iter().map(str::to_owned).collect());
        self
    }

    /// A file that stops all faults in this process while it exists; it is looked for every second.
    #[must_use]
    pub fn kill_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.faults.kill_file = Some(path.into());
        self
    }

    /// A health check's path, beside the usual ones: faults never strike it.
    #[must_use]
    pub fn health_path(mut self, path: &str) -> Self {
        self.faults.health_paths.push(path.to_owned());
        self
    }

    /// Whether draws that callers send in `baggage` are believed; not, unless said. Only behind an edge that
    /// strips what strangers send.
    #[must_use]
    pub const fn trust_baggage(mut self, trust: bool) -> Self {
        self.faults.trust_baggage = trust;
        self
    }

    /// Whether draws are sent on in `baggage` to the services that are called; not, unless said.
    #[must_use]
    pub const fn send_baggage(mut self, send: bool) -> Self {
        self.faults.send_baggage = send;
        self
    }

    /// Calls a function with each evaluation, on the thread that evaluates: keep it short. It costs nothing
    /// where there is none. One that panics is caught.
    #[must_use]
    pub fn on_evaluation(mut self, hook: impl Fn(&Evaluation<'_>) + Send + Sync + 'static) -> Self {
        self.on_evaluation = Some(Box::new(hook));
        self
    }

    /// Tells the application's own traces of evaluations, draws and strikes. It costs nothing where it is not asked for.
    #[must_use]
    pub const fn telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = Some(telemetry);
        self
    }

    /// Starts the client. It begins at once, whether or not the server answers.
    ///
    /// # Errors
    /// When a setting is missing or wrong, or the machine has no thread to spare.
    pub fn build(self) -> Result<Client, BuildError> {
        let url = self.url;
        if reqwest::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            let service = self.service.filter(|service| !service.is_empty()).ok_or(BuildError::NoService)?;
            if self.environment.as_deref().is_some_and(str::is_empty) {
                return Err(BuildError::NoEnvironment);
            }
            let point = |point: &str| Key::new(point).map_err(|why| BuildError::Point { point: point.to_owned(), why });
            for permitted in self.faults.points.iter().flatten() {
                point(permitted)?;
            }
            let settings = Settings {
                url,
                service,
                environment: self.environment,
                token: self.token.map(|Token(token)| token),
                client_certificate: self.client_certificate,
                instance: InstanceId::new(rand::random()),
                stale_after: self.stale_after,
                on_evaluation: self.on_evaluation,
                telemetry: self.telemetry,
            };
            let faults = Faults::new(faults::Settings { telemetry: self.telemetry, ..self.faults });
            let core = Arc::new(Core::new(settings, faults, Listeners::default()));
            let life = worker::start(&core, self.bootstrap.as_deref(), self.cache.as_deref());
            Ok(Client::new(core, life.map_err(BuildError::Start)?))
        } else {
            Err(BuildError::Url { url })
        }
    }
}
