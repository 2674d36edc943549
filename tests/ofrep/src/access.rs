//! Who may ask, and how often.

use anyhow::{Context, Result, ensure};
use futures_util::future::join_all;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::report::{Report, skip};
use crate::single::of;
use crate::target::{Answer, FLAGS, Target};

const UNAUTHORIZED: &str = "openapi.yaml · 401 and 403";
const SCHEMES: &str = "openapi.yaml · securitySchemes";
const RATE: &str = "openapi.yaml · 429";

/// Requests that are under way together.
const AT_ONCE: usize = 16;
const ONE: &str = "/ofrep/v1/evaluate/flags/ofrep-boolean";

pub(crate) async fn run(target: &Target, report: &mut Report) {
    report.must(UNAUTHORIZED, "nobody is answered without a token", refused(target, &[]).await);
    let wrong = [("authorization", "Bearer none-of-yours")];
    report.must(UNAUTHORIZED, "nor with a wrong one", refused(target, &wrong).await);
    report.should(SCHEMES, "the token may come as `X-API-Key`", api_key(target).await);
    report.must(RATE, "who asks too often is told when to ask again", flooded(target).await);
}

async fn refused(target: &Target, headers: &[(&str, &str)]) -> Result<()> {
    if target.options().token.is_none() {
        return skip("give it a --token");
    }
    for path in [ONE, FLAGS] {
        let status = target.post_as(path, &of("ada").to_string(), headers).await?.status;
        ensure!([401, 403].contains(&status), "{path} answers {status}");
    }
    Ok(())
}

async fn api_key(target: &Target) -> Result<()> {
    let Some(token) = &target.options().token else { return skip("give it a --token") };
    target.post_as(ONE, &of("ada").to_string(), &[("x-api-key", token)]).await?.expect(200).map(drop)
}

/// Asks many times at once, until it was too often.
async fn flooded(target: &Target) -> Result<()> {
    let most = target.options().flood;
    let body = of("ada");
    for _ in 0..most.div_ceil(AT_ONCE) {
        for answer in join_all((0..AT_ONCE).map(|_| target.single("ofrep-boolean", &body))).await {
            let answer = answer?;
            if answer.status == 429 {
                return told_when(&answer);
            }
            answer.expect(200)?;
        }
    }
    skip(&format!("{most} requests were not too many; allow more with --flood"))
}

fn told_when(answer: &Answer) -> Result<()> {
    let when = answer.header("retry-after").context("it has no `Retry-After`")?;
    ensure!(is_readable(when), "`Retry-After: {when}` is neither seconds nor a time");
    Ok(())
}

/// Seconds, or a time, as HTTP or RFC 3339 writes it: some clients read neither form of it.
fn is_readable(when: &str) -> bool {
    when.parse::<u32>().is_ok()
        || when.parse::<Timestamp>().is_ok()
        || rfc2822::DateTimeParser::new().parse_timestamp(when).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_ask_again() {
        let readable =
            ["0", "120", "Sun, 29 Nov 2026 08:20:00 GMT", "2026-11-29T08:20:00Z", "2026-11-29T09:20:00.5+01:00"];
        assert_eq!(readable.map(is_readable), [true; 5]);
        let neither = [
            "",
            "-1",
            "1.5",
            "soon",
            "in about two minutes from now",
            "2026-11-29",
            "2026-11-29T08:20:00",
            "99999999999999999999",
        ];
        assert_eq!(neither.map(is_readable), [false; 8]);
    }
}
