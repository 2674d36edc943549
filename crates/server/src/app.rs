//! The application: every route, in one place.

use std::sync::{Arc, OnceLock};

use actix_web::body::{BoxBody, EitherBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::web::Bytes;
use actix_web::{App, Error, HttpResponse, get, web};
use daybreak_control::Control;
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::api::events::Followers;
use crate::bodies::Bodies;
use crate::cors::Origins;
use crate::door::{Capacity, Held};
use crate::front::Gate;
use crate::long_answers::LongAnswers;
use crate::metrics::Metrics;
use crate::offload::Offload;
use crate::ofrep::events::Places;
use crate::ofrep::phrases::Written;
use crate::ofrep::visible::Versions;
use crate::passage::Passage;
use crate::problem::{Code, Problem};
use crate::rates::{RateLimits, Rates};
use crate::routes::{Routes, unrouted};
use crate::stream::Closing;
use crate::telemetry::Telemetry;
use crate::{answer, api, ofrep, openapi, stream};

/// What all workers share.
#[derive(Clone, Debug)]
pub struct Shared {
    control: Control,
    closing: Closing,
    followers: Followers,
    offload: Offload,
    rates: web::Data<Rates>,
    routes: web::Data<Routes>,
    origins: web::Data<Origins>,
    versions: Versions,
    written: Written,
    places: Places,
    bodies: Bodies,
    answers: LongAnswers,
    capacity: Capacity,
    telemetry: web::Data<Telemetry>,
    document: web::Data<OpenApiText>,
}

/// The OpenAPI document as it is served. It is made when it is first asked for, since most servers never are, and takes megabytes
/// to be made of.
#[derive(Clone, Debug, Default)]
struct OpenApiText(Arc<OnceLock<Bytes>>);

impl Shared {
    /// For a server of this control.
    #[must_use]
    pub fn new(control: Control, offload: Offload) -> Self {
        let closing = Closing::default();
        Self {
            control,
            followers: Followers::default(),
            offload,
            rates: web::Data::new(Rates::new(&RateLimits::default())),
            routes: web::Data::default(),
            origins: web::Data::default(),
            versions: Versions::default(),
            written: Written::default(),
            places: Places::new(closing.clone()),
            closing,
            bodies: Bodies::default(),
            answers: LongAnswers::default(),
            capacity: Capacity::FULL,
            telemetry: web::Data::new(Telemetry::new(Arc::new(Metrics::default()))),
            document: web::Data::default(),
        }
    }

    /// The same, where anybody may ask this often.
    #[must_use]
    pub fn limited(self, limits: &RateLimits) -> Self {
        Self { rates: web::Data::new(Rates::new(limits)), ..self }
    }

    /// The same, with room for so many connections.
    #[must_use]
    pub fn with_room_for(self, capacity: Capacity) -> Self {
        Self { capacity, ..self }
    }

    /// How many connections there is room for.
    pub(crate) const fn capacity(&self) -> &Capacity {
        &self.capacity
    }

    /// The same, where pages of these origins may ask what is for browsers.
    #[must_use]
    pub fn asked_from(self, origins: Origins) -> Self {
        Self { origins: web::Data::new(origins), ..self }
    }

    /// The same, with spans of what it does or without.
    #[must_use]
    pub fn traced(self, traces: bool) -> Self {
        let telemetry = Telemetry::clone(&self.telemetry).traced(traces);
        Self { telemetry: web::Data::new(telemetry), ..self }
    }

    /// What tells of its work.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// What was asked lately.
    #[must_use]
    pub fn rates(&self) -> Arc<Rates> {
        Arc::clone(&self.rates)
    }

    /// The control that answers.
    #[must_use]
    pub const fn control(&self) -> &Control {
        &self.control
    }

    /// What ends the streams.
    #[must_use]
    pub const fn closing(&self) -> &Closing {
        &self.closing
    }
}

/// The API's description.
#[must_use]
pub fn document() -> serde_json::Value {
    let (_, document) = App::new().into_utoipa_app().openapi(openapi::base()).configure(described).split_for_parts();
    openapi::finish(&document)
}

/// The application of one worker.
pub fn app(
    shared: &Shared,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<Held<EitherBody<BoxBody>>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let gate = Gate {
        control: shared.control.clone(),
        rates: shared.rates.clone(),
        routes: shared.routes.clone(),
        origins: shared.origins.clone(),
        answers: shared.answers.clone(),
    };
    App::new()
        .app_data(web::Data::new(shared.control.clone()))
        .app_data(web::Data::new(shared.closing.clone()))
        .app_data(web::Data::new(shared.followers.clone()))
        .app_data(web::Data::new(shared.offload.clone()))
        .app_data(shared.rates.clone())
        .app_data(shared.routes.clone())
        .app_data(web::Data::new(shared.versions.clone()))
        .app_data(web::Data::new(shared.written.clone()))
        .app_data(web::Data::new(shared.places.clone()))
        .app_data(web::Data::new(shared.bodies.clone()))
        .app_data(shared.telemetry.clone())
        .app_data(shared.document.clone())
        .app_data(web::QueryConfig::default().error_handler(|error, request| {
            let detail = format!("the query `{}` is not understood: {error}", request.query_string());
            Problem::new(Code::BadRequest, detail).into()
        }))
        .app_data(web::PathConfig::default().error_handler(|error, _| {
            Problem::new(Code::BadRequest, format!("the path is not understood: {error}")).into()
        }))
        .configure(routes)
        .service(web::redirect("/docs", "/docs/"))
        .service(openapi::page())
        .default_service(web::to(unrouted))
        .wrap(Passage { telemetry: Telemetry::clone(&shared.telemetry), gate })
}

/// Adds every route that the document describes; the first that fits answers.
macro_rules! add_routes {
    ($config:expr, $scope:path) => {
        $config
            // What is asked most stands first; one flag behind all of them, as it takes whatever begins with their path.
            .service(ofrep::bulk::evaluate_flags)
            .service(ofrep::single::OneFlag)
            .service(api::root::root)
            .service(api::health::live)
            .service(api::health::ready)
            .service(api::metrics::metrics)
            .service(openapi_json)
            .service(ofrep::events::events)
            .service(stream::stream)
            .service(stream::snapshot)
            .service(stream::report)
            .service(api::halt::halt)
            .service(api::halt::read)
            .service(api::halt::lift)
            .service(api::flags::enable)
            .service(api::flags::disable)
            .service(api::flags::evaluate)
            .service(api::life::life)
            .service(api::faults::start)
            .service(api::faults::stop)
            .service(api::faults::schedule)
            .service(api::runs::list)
            .service(api::runs::read)
            .service(api::runs::report)
            .service(api::runs::stop)
            .service(api::hours::status)
            .service(api::slos::status)
            .service(api::on_call::status)
            .service(api::pages::plain)
            .service(api::pages::alertmanager)
            .service(api::pages::pagerduty)
            .service(api::documents::apply)
            .service(api::documents::export)
            .service(api::origins::list)
            .service(api::files::apply)
            .service(api::events::list)
            .service(api::webhooks::list)
            .service(api::webhooks::test)
            .service(api::backup::take)
            .service(api::backup::restore)
            .service(api::clients::clients)
            .service(api::clients::fault_points)
            .service(api::delivery::delivery)
            .service(api::life::stale)
            .service(api::tokens::create)
            .service(api::tokens::list)
            .service(api::tokens::revoke)
            .service(
                $scope(openapi::KINDS_SCOPE)
                    .service(api::resources::list)
                    .service(api::history::history)
                    .service(api::history::revert)
                    .service(api::origins::read)
                    .service(api::resources::read)
                    .service(api::resources::put)
                    .service(api::resources::patch)
                    .service(api::resources::remove),
            )
    };
}

/// What answers.
fn routes(config: &mut web::ServiceConfig) {
    add_routes!(config, web::scope);
}

/// The same with what it says of itself: a worker that only answers need not hear it.
fn described(config: &mut ServiceConfig<'_>) {
    add_routes!(config, utoipa_actix_web::scope::scope);
}

/// This description.
#[utoipa::path(tag = "server", responses((status = 200, description = "OpenAPI 3.1", body = ref("#/components/schemas/OpenApi"))))]
#[get("/openapi.json")]
async fn openapi_json(text: web::Data<OpenApiText>, offload: web::Data<Offload>) -> Result<HttpResponse, Problem> {
    let text = match text.0.get() {
        Some(text) => text.clone(),
        None => {
            let text = OpenApiText::clone(&text);
            offload.compute(move || text.0.get_or_init(|| answer::pretty(&document()).into()).clone()).await?
        }
    };
    Ok(HttpResponse::Ok().insert_header(answer::json()).body(text))
}
