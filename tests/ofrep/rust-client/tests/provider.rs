//! What the published provider for Rust makes of a real server's answers.
//!
//! DAYBREAK_URL says where the server is, DAYBREAK_TOKEN what is shown. `cargo xtask test` runs it.

use open_feature::provider::FeatureProvider;
use open_feature::{EvaluationContext, EvaluationErrorCode, EvaluationReason, StructValue};
use open_feature_ofrep::{OfrepOptions, OfrepProvider};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

async fn provider(token: &str) -> OfrepProvider {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    let base_url = std::env::var("DAYBREAK_URL").expect("DAYBREAK_URL is not set");
    OfrepProvider::new(OfrepOptions { base_url, headers, ..OfrepOptions::default() }).await.unwrap()
}

async fn ours() -> OfrepProvider {
    provider(&std::env::var("DAYBREAK_TOKEN").expect("DAYBREAK_TOKEN is not set")).await
}

fn ada() -> EvaluationContext {
    EvaluationContext::default().with_targeting_key("ada")
}

#[tokio::test]
async fn every_type_has_its_value() {
    let provider = ours().await;
    let boolean = provider.resolve_bool_value("ofrep-boolean", &ada()).await.unwrap();
    assert_eq!((boolean.value, boolean.variant.as_deref()), (true, Some("on")));
    assert_eq!(boolean.reason, Some(EvaluationReason::Static));
    assert_eq!(provider.resolve_string_value("ofrep-string", &ada()).await.unwrap().value, "hello");
    assert_eq!(provider.resolve_int_value("ofrep-integer", &ada()).await.unwrap().value, 42);
    let float = provider.resolve_float_value("ofrep-float", &ada()).await.unwrap();
    assert!((float.value - 1.0).abs() < f64::EPSILON);
    let expected = StructValue::default().with_field("colour", "teal").with_field("size", 3);
    assert_eq!(provider.resolve_struct_value("ofrep-object", &ada()).await.unwrap().value, expected);
}

#[tokio::test]
async fn contexts_and_errors() {
    let provider = ours().await;
    let staff = ada().with_custom_field("email", "ada@example.com");
    assert!(provider.resolve_bool_value("ofrep-targeted", &staff).await.unwrap().value);
    assert!(!provider.resolve_bool_value("ofrep-targeted", &ada()).await.unwrap().value);
    assert!(!provider.resolve_bool_value("ofrep-disabled", &ada()).await.unwrap().value);
    let code = async |key, context| provider.resolve_string_value(key, &context).await.unwrap_err().code;
    assert_eq!(code("ofrep-absent", ada()).await, EvaluationErrorCode::FlagNotFound);
    assert_eq!(code("ofrep-split", EvaluationContext::default()).await, EvaluationErrorCode::InvalidContext);
    assert_eq!(code("ofrep-integer", ada()).await, EvaluationErrorCode::ParseError);
    let stranger = self::provider("none-of-yours").await;
    let refused = stranger.resolve_bool_value("ofrep-boolean", &ada()).await.unwrap_err();
    assert!(matches!(refused.code, EvaluationErrorCode::General(why) if why.contains("authentication")));
}
