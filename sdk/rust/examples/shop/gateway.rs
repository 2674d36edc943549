//! The payment gateway: somebody else's service. It is on a port of its own in the shop's process; or, as a second
//! service with a fault point of its own, in a process of its own.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, HttpServer, post, web};
use daybreak_sdk::middleware::actix::Daybreak;
use daybreak_sdk::{Client, Point};

use crate::payments::Charge;
use crate::traces::{self, Traces};

/// How long a goodbye to Daybreak may take.
const GOODBYE_MAX: Duration = Duration::from_millis(500);

/// What a charge passes on its way: a fault point, where the gateway has one.
type Charging = Option<Point>;

#[post("/charges")]
async fn charge(charge: web::Json<Charge>, charging: web::Data<Charging>) -> HttpResponse {
    if let Some(point) = charging.as_ref()
        && let Err(injected) = point.pass().await
    {
        return HttpResponse::ServiceUnavailable().body(format!("{injected}\n"));
    }
    // Somewhere a bank is asked.
    tokio::time::sleep(Duration::from_millis(2)).await;
    match charge.amount {
        0 => HttpResponse::UnprocessableEntity().body("nothing to charge\n"),
        _ => HttpResponse::Created().json(serde_json::json!({ "charged": charge.amount })),
    }
}

/// Starts the gateway on a free port of loopback, and says where.
pub(crate) fn start() -> std::io::Result<SocketAddr> {
    let charging = web::Data::new(Charging::None);
    let app = move || App::new().app_data(charging.clone()).service(charge);
    let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0")?;
    let address = server.addrs()[0];
    actix_web::rt::spawn(server.run());
    Ok(address)
}

/// Serves the gateway until it is told to stop. It believes what its callers drew: the shop is the root of what a
/// customer asks for, and counts what that came to.
pub(crate) async fn serve(listen: SocketAddr, daybreak_url: &str) -> anyhow::Result<()> {
    let traces = Traces::start("gateway")?;
    let daybreak = traces.tell(Client::builder(daybreak_url).service("gateway").trust_baggage(true)).build()?;
    let charging = web::Data::new(Some(daybreak.point("gateway.charge")));
    let scope = Daybreak::new(daybreak.clone());
    let app = move || {
        App::new().wrap(scope.clone()).wrap(from_fn(traces::observe)).app_data(charging.clone()).service(charge)
    };
    let server = HttpServer::new(app).bind(listen)?;
    for address in server.addrs() {
        println!("the gateway is open on http://{address}, its faults come from {daybreak_url}");
    }
    server.run().await?;
    daybreak.close(GOODBYE_MAX).await;
    traces.end();
    Ok(())
}
