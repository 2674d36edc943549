//! What a request costs with the middleware and without it, where nothing runs: it opens a scope, passes a fault point, and ends.

use std::convert::Infallible;
use std::hint::black_box;

use actix_web::{App, HttpResponse, test, web};
use daybreak_sdk::middleware::{actix::Daybreak, tower::DaybreakLayer};
use daybreak_sdk::{Point, TestClient};
use tower::{Service, ServiceBuilder, service_fn};

use crate::rows::{Row, print};

const POINT: &str = "payment.gateway";
const TIMES: u64 = 2_000;

/// Tower, then actix-web.
pub(crate) fn measure() -> anyhow::Result<()> {
    tower()?;
    actix();
    Ok(())
}

/// Sends requests through a tower service, and reads each answer to its end.
async fn through<S, B>(service: &mut S, times: u64)
where
    S: Service<http::Request<()>, Response = http::Response<B>, Error = Infallible>,
    B: http_body::Body + Unpin,
{
    for _ in 0..times {
        let Ok(answer) = service.call(http::Request::new(())).await;
        let mut body = answer.into_body();
        while std::future::poll_fn(|poller| std::pin::Pin::new(&mut body).poll_frame(poller)).await.is_some() {}
    }
}

fn tower() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = TestClient::new();
    let handler = |point: Point| {
        service_fn(move |_: http::Request<()>| {
            let point = point.clone();
            async move {
                let _ = black_box(point.pass().await);
                Ok::<_, Infallible>(http::Response::new("hello".to_owned()))
            }
        })
    };
    let mut bare = handler(client.point(POINT));
    let layer = DaybreakLayer::new(client.faults());
    let mut wrapped = ServiceBuilder::new().layer(layer).service(handler(client.point(POINT)));
    let rows = vec![
        Row::new("a service, no layer", TIMES, |times| runtime.block_on(through(&mut bare, times))),
        Row::new("the same in the layer", TIMES, |times| runtime.block_on(through(&mut wrapped, times))),
    ];
    print("one request, tower", rows);
    Ok(())
}

fn actix() {
    let system = actix_web::rt::System::new();
    let handler = |point: web::Data<Point>| async move {
        let _ = black_box(point.pass().await);
        HttpResponse::Ok().body("hello")
    };
    let client = TestClient::new();
    let request = || test::TestRequest::with_uri("/").to_request();
    let route = || App::new().app_data(web::Data::new(client.point(POINT))).default_service(web::to(handler));
    let bare = system.block_on(test::init_service(route()));
    let wrapped = system.block_on(test::init_service(route().wrap(Daybreak::new(client.client()))));
    let rows = vec![
        Row::new("an application, no middleware", TIMES, |times| {
            system.block_on(async {
                for _ in 0..times {
                    black_box(test::call_and_read_body(&bare, request()).await);
                }
            });
        }),
        Row::new("the same in the middleware", TIMES, |times| {
            system.block_on(async {
                for _ in 0..times {
                    black_box(test::call_and_read_body(&wrapped, request()).await);
                }
            });
        }),
    ];
    print("one request, actix-web", rows);
}
