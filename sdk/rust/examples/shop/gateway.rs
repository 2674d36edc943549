//! The payment gateway: somebody else's service, here on a port of its own in the same process.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, post, web};

use crate::payments::Charge;

#[post("/charges")]
async fn charge(charge: web::Json<Charge>) -> HttpResponse {
    // Somewhere a bank is asked.
    tokio::time::sleep(Duration::from_millis(2)).await;
    match charge.amount {
        0 => HttpResponse::UnprocessableEntity().body("nothing to charge\n"),
        _ => HttpResponse::Created().json(serde_json::json!({ "charged": charge.amount })),
    }
}

/// Starts the gateway on a free port of loopback, and says where.
pub(crate) fn start() -> std::io::Result<SocketAddr> {
    let server = HttpServer::new(|| App::new().service(charge)).workers(1).disable_signals().bind("127.0.0.1:0")?;
    let address = server.addrs()[0];
    actix_web::rt::spawn(server.run());
    Ok(address)
}
