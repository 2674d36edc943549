use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        6 => "[a-c]{0,3}|.{0,40}|x{120,140}".prop_map(|text| Scalar::Text(text.into())),
        2 => prop_oneof![(-5..5_i32).prop_map(f64::from), Just(-0.0), -1e9..1e9].prop_map(Scalar::Number),
        1 => any::<bool>().prop_map(Scalar::Boolean),
    ]
}

proptest! {
    #[test]
    fn a_list_is_what_was_written(scalars in prop::collection::vec(scalar(), 0..30), others in prop::collection::vec(scalar(), 0..30)) {
        let values: Values = scalars.iter().cloned().collect();
        prop_assert_eq!(values.len(), scalars.len());
        prop_assert_eq!(&values.iter().map(Scalar::from).collect::<Vec<_>>(), &scalars);
        let at: Vec<_> = values.placed().filter_map(|(place, _)| values.at(place)).map(Scalar::from).collect();
        prop_assert_eq!(&at, &scalars);
        for asked in scalars.iter().chain(&others) {
            let expected = scalars.contains(asked);
            let has = match asked {
                Scalar::Boolean(boolean) => values.has_boolean(*boolean),
                Scalar::Number(number) => values.has_number(*number),
                Scalar::Text(text) => values.has_text(text),
            };
            prop_assert_eq!(has, expected, "{:?}", asked);
        }
        let any = |is: fn(&Scalar) -> bool| scalars.iter().any(is);
        prop_assert_eq!(values.has_texts(), any(|scalar| matches!(scalar, Scalar::Text(_))));
        prop_assert_eq!(values.has_numbers(), any(|scalar| matches!(scalar, Scalar::Number(_))));
        prop_assert_eq!(values.has_booleans(), any(|scalar| matches!(scalar, Scalar::Boolean(_))));
        let other: Values = others.iter().cloned().collect();
        prop_assert_eq!(values == other, scalars == others);
        prop_assert_eq!(values.fingerprint() == other.fingerprint(), scalars == others);
    }

    #[test]
    fn its_wire_form_is_that_of_its_values(scalars in prop::collection::vec(scalar(), 0..30)) {
        let values: Values = scalars.iter().cloned().collect();
        let text = serde_json::to_string(&values).unwrap();
        // 0 and -0 are one number, and are written as one.
        let plain: Vec<Scalar> = values.iter().map(Scalar::from).collect();
        prop_assert_eq!(&text, &serde_json::to_string(&plain).unwrap());
        prop_assert_eq!(&serde_json::from_str::<Values>(&text).unwrap(), &values);
        prop_assert_eq!(&serde_json::from_value::<Values>(serde_json::to_value(&values).unwrap()).unwrap(), &values);
    }
}

#[test]
fn a_number_is_no_text_of_the_same_bytes() {
    let text = std::str::from_utf8(&[1; 8]).unwrap();
    let number = f64::from_le_bytes([1; 8]);
    for filler in [0, 20] {
        let filler = || (0..filler).map(|number| Scalar::Text(format!("filler-{number}").into()));
        let texts: Values = filler().chain([text.into()]).collect();
        assert!(texts.has_text(text) && !texts.has_number(number));
        let numbers: Values = filler().chain([Scalar::Number(number)]).collect();
        assert!(!numbers.has_text(text) && numbers.has_number(number));
    }
}

#[test]
fn the_wire_form_of_whole_numbers_is_read() {
    let values: Values = serde_json::from_str(r#"[7, -7, 7.5, "7", true]"#).unwrap();
    assert!(values.has_number(7.0) && values.has_number(-7.0) && values.has_number(7.5));
    assert!(values.has_text("7") && values.has_boolean(true) && !values.has_boolean(false));
    for wrong in [r#""DE""#, "[null]", "[[1]]", r#"[{"a": 1}]"#, "{}"] {
        assert!(serde_json::from_str::<Values>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_hundred_thousand_ids_take_little_more_than_their_own_bytes() {
    let ids: Vec<String> = (0..100_000).map(|number| format!("user-{number:08}")).collect();
    let values: Values = ids.iter().map(|id| Scalar::Text(id.as_str().into())).collect();
    let own: usize = ids.iter().map(String::len).sum();
    let beside = (values.memory() - own) as f64 / ids.len() as f64;
    assert!(beside <= 16.0, "{beside} bytes beside each id");
    let known: HashSet<&str> = ids.iter().map(String::as_str).collect();
    for number in (0..200_000).step_by(7) {
        let id = format!("user-{number:08}");
        assert_eq!(values.has_text(&id), known.contains(id.as_str()), "{id}");
    }
    let copy = values.clone();
    assert!(Arc::ptr_eq(&copy.0, &values.0), "a copy shares them");
}
