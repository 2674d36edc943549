//! Text as HTML: nothing that anybody wrote is ever markup.

use std::fmt;

/// A text whose every character stands for itself, between tags and in quoted attributes alike.
pub(super) struct Text<T>(pub(super) T);

impl<T: fmt::Display> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.to_string().chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // No character of HTML: browsers would replace or drop it.
                letter if letter.is_control() && !matches!(letter, '\n' | '\t') => f.write_str("\u{fffd}")?,
                letter => write!(f, "{letter}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        let cases = [
            ("plain, ünïcode ≤ 1 %", "plain, ünïcode ≤ 1 %"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            (r#"" onload='x'"#, "&quot; onload=&#39;x&#39;"),
            ("&lt;", "&amp;lt;"),
            ("a\0b\u{1b}[2J", "a\u{fffd}b\u{fffd}[2J"),
        ];
        for (text, expected) in cases {
            assert_eq!(Text(text).to_string(), expected);
        }
    }
}
