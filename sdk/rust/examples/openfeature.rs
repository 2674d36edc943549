//! OpenFeature's own SDK, with Daybreak behind it: `cargo run --example openfeature --features openfeature`.
//!
//! It prints what a user gets, until it is interrupted. Toggle a flag meanwhile, and the next line is another.

use std::time::Duration;

use daybreak_sdk::Client;
use daybreak_sdk::openfeature::DaybreakProvider;
use open_feature::{EvaluationContext, OpenFeature};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::var("DAYBREAK_URL").unwrap_or_else(|_| "http://localhost:8080".to_owned());
    let client = Client::builder(&url).service("openfeature-example").build()?;
    OpenFeature::singleton_mut().await.set_provider(DaybreakProvider::new(client.clone())).await;

    let flags = OpenFeature::singleton().await.create_client();
    let user = EvaluationContext::default()
        .with_targeting_key("user-7")
        .with_custom_field("country", "DE")
        .with_custom_field("plan", "pro");
    loop {
        match flags.get_bool_details("new-checkout", Some(&user), None).await {
            Ok(detail) => println!("new-checkout is {} ({:?})", detail.value, detail.reason),
            Err(error) => println!("new-checkout is off: {} ({:?})", error.code, error.message),
        }
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
    client.close(Duration::from_secs(2)).await;
    Ok(())
}
