//! The shop's routes, and how the SDK is wired into them.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, get, post, web};
use daybreak_sdk::middleware::actix::Daybreak;
use daybreak_sdk::{Client, Context, Point};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cart::{self, Carts};
use crate::checkout::{CheckoutError, Desk};
use crate::payments::Gateway;
use crate::strikes::Strikes;
use crate::traces::Traces;
use crate::{catalogue, gateway, page, traces};

/// What every handler can reach.
struct Shop {
    daybreak: Client,
    carts: Carts,
    desk: Desk,
    /// Named once, as the gateway's.
    searching: Point,
}

/// Who is shopping, as the query says. A real shop would know it from a session.
#[derive(Deserialize)]
struct Customer {
    #[serde(default)]
    user: String,
    country: Option<String>,
    plan: Option<String>,
    email: Option<String>,
    app_version: Option<String>,
}

impl Customer {
    /// What flags and faults are evaluated with.
    fn context(&self) -> Context {
        let optional = [
            ("country", &self.country),
            ("plan", &self.plan),
            ("email", &self.email),
            ("app_version", &self.app_version),
        ];
        let present = optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        present.fold(Context::new(&self.user), |context, (name, value)| context.with(name, value))
    }
}

/// The context of a request, for its scope. A request that has none is evaluated with an empty one.
fn context(request: &HttpRequest) -> Context {
    web::Query::<Customer>::from_query(request.query_string()).map(|customer| customer.context()).unwrap_or_default()
}

/// How long a customer may take to send the head of a request: long, as this runs beside builds and tests too.
const REQUEST_HEAD_MAX: Duration = Duration::from_secs(30);
/// How long an idle connection is kept: longer than who uses it does, so that none is closed while a request is on its way.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a goodbye to Daybreak may take.
const GOODBYE_MAX: Duration = Duration::from_millis(500);

/// Serves the shop until it is told to stop.
pub(crate) async fn serve(listen: SocketAddr, daybreak_url: &str, gateway: Option<&str>) -> anyhow::Result<()> {
    let traces = Traces::start("shop")?;
    let daybreak = traces.tell(Client::builder(daybreak_url).service("shop")).build()?;
    let own = |address| format!("http://{address}");
    let url = gateway.map_or_else(|| gateway::start().map(own), |url| Ok(url.to_owned()))?;
    let gateway = Gateway::new(&url, &daybreak);
    let desk = Desk::new(daybreak.clone(), gateway);
    let searching = daybreak.point("catalogue.search");
    let shop = web::Data::new(Shop { daybreak: daybreak.clone(), carts: Carts::default(), desk, searching });

    let scope = Daybreak::new(daybreak.clone()).context(|request: &ServiceRequest| context(request.request()));
    let app = move || {
        App::new().wrap(scope.clone()).wrap(from_fn(traces::observe)).app_data(shop.clone()).service((
            front,
            shelf,
            search,
            cart_of,
            add_to_cart,
            check_out,
            healthz,
            metrics,
        ))
    };
    let server = HttpServer::new(app).keep_alive(KEEP_ALIVE).client_request_timeout(REQUEST_HEAD_MAX).bind(listen)?;
    for address in server.addrs() {
        println!("the shop is open on http://{address}, its flags come from {daybreak_url}");
    }
    server.run().await?;
    // So that the server does not take us for lost.
    daybreak.close(GOODBYE_MAX).await;
    traces.end();
    Ok(())
}

#[get("/")]
async fn front(shop: web::Data<Shop>, customer: web::Query<Customer>) -> HttpResponse {
    let context = customer.context();
    let html = page::catalogue(columns(&shop.daybreak, &context), &banner(&shop.daybreak, &context));
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(html)
}

#[get("/catalogue")]
async fn shelf(shop: web::Data<Shop>, customer: web::Query<Customer>) -> HttpResponse {
    let context = customer.context();
    ok(&json!({
        "columns": columns(&shop.daybreak, &context),
        "banner": banner(&shop.daybreak, &context),
        "products": catalogue::PRODUCTS,
    }))
}

#[derive(Deserialize)]
struct Words {
    #[serde(default)]
    q: String,
}

#[get("/search")]
async fn search(shop: web::Data<Shop>, words: web::Query<Words>) -> HttpResponse {
    let mut strikes = Strikes::default();
    let answer = match strikes.pass(&shop.daybreak, &shop.searching).await {
        // A fault of effect `data` hands us what to answer with.
        Ok(pass) => match pass.data() {
            Some(data) => ok(data),
            None => ok(&json!({ "results": catalogue::search(&words.q) })),
        },
        Err(injected) => HttpResponse::ServiceUnavailable().body(format!("{injected}\n")),
    };
    strikes.tell(answer)
}

#[get("/cart")]
async fn cart_of(shop: web::Data<Shop>, customer: web::Query<Customer>) -> HttpResponse {
    cart(&shop.carts.get(&customer.user))
}

#[derive(Deserialize)]
struct Addition {
    product: String,
}

#[post("/cart")]
async fn add_to_cart(
    shop: web::Data<Shop>,
    customer: web::Query<Customer>,
    addition: web::Json<Addition>,
) -> HttpResponse {
    match catalogue::product(&addition.product) {
        Some(product) => cart(&shop.carts.add(&customer.user, product)),
        None => HttpResponse::NotFound().body(format!("there is no `{}`; see /catalogue\n", addition.product)),
    }
}

#[post("/checkout")]
async fn check_out(shop: web::Data<Shop>, customer: web::Query<Customer>) -> HttpResponse {
    let mut strikes = Strikes::default();
    let answer = match shop.desk.check_out(&shop.carts, &customer.user, &customer.context(), &mut strikes).await {
        Ok(receipt) => ok(&json!(receipt)),
        Err(CheckoutError::EmptyCart) => HttpResponse::Conflict().body("the cart is empty; POST /cart first\n"),
        Err(CheckoutError::Payment(error)) => HttpResponse::BadGateway().body(format!("{error}\n")),
    };
    strikes.tell(answer)
}

#[get("/healthz")]
async fn healthz(shop: web::Data<Shop>) -> HttpResponse {
    let (waiting, settled) = shop.desk.queue_counts();
    ok(&json!({ "payments_waiting": waiting, "payments_settled_late": settled }))
}

/// What Daybreak's client counted, for Prometheus; a real shop would add its own numbers.
#[get("/metrics")]
async fn metrics(shop: web::Data<Shop>) -> HttpResponse {
    #[cfg(feature = "metrics")]
    return HttpResponse::Ok().content_type(daybreak_sdk::metrics::CONTENT_TYPE).body(shop.daybreak.metrics());
    #[cfg(not(feature = "metrics"))]
    {
        drop(shop);
        HttpResponse::NotFound().body("build the shop with `--features metrics`\n")
    }
}

fn columns(daybreak: &Client, context: &Context) -> u64 {
    #[derive(Deserialize)]
    struct Layout {
        columns: u64,
    }
    daybreak.json("layout", context, Layout { columns: 1 }).columns.clamp(1, 6)
}

fn banner(daybreak: &Client, context: &Context) -> String {
    daybreak.string("search-banner", context, "").to_string()
}

fn cart(cart: &cart::Cart) -> HttpResponse {
    ok(&json!({ "cart": cart, "total": cart::total(cart) }))
}

/// A JSON answer that ends in a newline, for those who use curl.
fn ok(body: &Value) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(format!("{body}\n"))
}
