//! What tools write into a document stands between marks: `<!-- name -->` and `<!-- /name -->`.

use anyhow::{Context, Result};

/// The text with something else between the marks of this name.
///
/// # Errors
/// When it has no such marks.
pub(crate) fn placed(text: &str, name: &str, between: &str) -> Result<String> {
    let [before, after] = marks(name);
    let (head, _, tail) = parts(text, name)?;
    Ok(format!("{head}{before}\n{between}{after}{tail}"))
}

/// What stands between the marks of this name.
///
/// # Errors
/// When it has no such marks.
pub(crate) fn between<'t>(text: &'t str, name: &str) -> Result<&'t str> {
    Ok(parts(text, name)?.1)
}

fn parts<'t>(text: &'t str, name: &str) -> Result<(&'t str, &'t str, &'t str)> {
    let [before, after] = marks(name);
    let missing = |mark: &str| {
        format!("the document has no `{mark}`: write `{}` where its figures belong", marks(name).join("` and `"))
    };
    let (head, rest) = text.split_once(&before).with_context(|| missing(&before))?;
    let (between, tail) = rest.split_once(&after).with_context(|| missing(&after))?;
    Ok((head, between, tail))
}

fn marks(name: &str) -> [String; 2] {
    [format!("<!-- {name} -->"), format!("<!-- /{name} -->")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let text = "# A\n<!-- peers -->\nold\n<!-- /peers -->\n# B\n";
        let placed_once = placed(text, "peers", "new\n").unwrap();
        assert_eq!(placed_once, "# A\n<!-- peers -->\nnew\n<!-- /peers -->\n# B\n");
        assert_eq!(placed(&placed_once, "peers", "new\n").unwrap(), placed_once);
        assert_eq!(between(&placed_once, "peers").unwrap(), "\nnew\n");
    }

    #[test]
    fn a_document_without_marks_stays_as_it_is() {
        for text in ["", "<!-- peers -->\n", "<!-- /peers -->\n<!-- peers -->\n", "<!-- peer -->\n<!-- /peer -->\n"] {
            assert!(placed(text, "peers", "new\n").is_err(), "{text:?}");
        }
    }
}
