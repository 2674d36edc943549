//! The paths that exist, by the table of roles, for answers to those that don't.

use std::collections::BTreeMap;

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use strsim::osa_distance;

use crate::problem::{Code, Problem};
use crate::roles;

/// What some path or other knows.
const ANYWHERE: [&str; 7] = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS"];

/// The methods that a path may have, in the order in which they are named.
const METHODS: [&str; 5] = ["GET", "PUT", "PATCH", "POST", "DELETE"];

/// Letters by which a path may differ from the one that was perhaps meant.
const NEAR_MAX: usize = 3;

/// Every path template and its methods.
#[derive(Clone, Debug)]
pub struct Routes(BTreeMap<String, Vec<&'static str>>);

impl Default for Routes {
    fn default() -> Self {
        let mut paths: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
        for row in roles::all() {
            paths.entry(row.path().to_owned()).or_default().push(row.method);
        }
        Self(paths.into_iter().map(|(template, known)| (template, methods(&known))).collect())
    }
}

impl Routes {
    /// Every template with its methods.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[&'static str])> {
        self.0.iter().map(|(template, methods)| (template.as_str(), methods.as_slice()))
    }

    /// The methods of the template that a path fits; the one with the fewest parameters first.
    fn methods(&self, path: &str) -> Option<&[&'static str]> {
        let fitting = self.iter().filter(|(template, _)| fits(template, path));
        fitting.min_by_key(|(template, _)| template.matches('{').count()).map(|(_, methods)| methods)
    }

    /// The path that was perhaps meant.
    fn nearest(&self, path: &str) -> Option<String> {
        // Its beginning is often left out.
        let spelt = ["", "/api", "/api/v1"].map(|start| format!("{start}{path}"));
        let candidates = spelt.iter().flat_map(|path| {
            self.0.keys().map(move |template| {
                let meant = filled(template, path);
                (osa_distance(&meant, path), meant)
            })
        });
        let (distance, nearest) = candidates.min()?;
        (distance <= NEAR_MAX.min(path.len() / 3)).then_some(nearest)
    }

    /// Why nothing answers this request.
    #[must_use]
    pub fn unrouted(&self, method: &Method, path: &str) -> Problem {
        // A path may hold anything, and is quoted in the answer: bound it.
        let path: String = path.chars().take(200).collect();
        self.explain(method.as_str(), &path)
    }

    fn explain(&self, method: &str, path: &str) -> Problem {
        if let Some(methods) = self.methods(path) {
            let allowed = methods.join(", ");
            let detail = format!("`{path}` does not know {method}; it knows {allowed}");
            return Problem::new(Code::MethodNotAllowed, detail).header(ALLOW, &allowed);
        }
        let hint = match self.nearest(path) {
            _ if switches_a_fault(path) => "a fault is switched by `PATCH` with `{\"enabled\": …}`".to_owned(),
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "see /docs/ for the paths that exist".to_owned(),
        };
        Problem::new(Code::NoRoute, format!("there is no `{path}`; {hint}"))
    }
}

/// Answers what no route took.
pub async fn unrouted(request: HttpRequest, routes: actix_web::web::Data<Routes>) -> HttpResponse {
    if request.method() == Method::OPTIONS
        && let Some(methods) = routes.methods(request.path()).or((request.path() == "*").then_some(&ANYWHERE))
    {
        return HttpResponse::NoContent().insert_header((ALLOW, methods.join(", "))).finish();
    }
    routes.unrouted(request.method(), request.path()).error_response()
}

/// All that a path knows, whose operations have these methods.
fn methods(known: &[&str]) -> Vec<&'static str> {
    let known = METHODS.into_iter().filter(|method| known.contains(method));
    // Whatever is read can be asked for without its body.
    let known = known.flat_map(|method| [Some(method), (method == "GET").then_some("HEAD")]);
    known.flatten().chain(["OPTIONS"]).collect()
}

/// Flags have routes to be enabled and disabled by, so one looks for them among faults.
fn switches_a_fault(path: &str) -> bool {
    path.strip_prefix("/api/v1/faults/")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(_, word)| matches!(word, "enable" | "disable"))
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
}

pub(crate) fn fits(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    template.split('/').all(|part| {
        segments.next().is_some_and(|segment| if is_parameter(part) { !segment.is_empty() } else { part == segment })
    }) && segments.next().is_none()
}

/// The template with the path's own segments in place of its parameters, where it has them.
fn filled(template: &str, path: &str) -> String {
    let mut segments = path.split('/');
    let parts = template.split('/').map(|part| {
        let segment = segments.next().unwrap_or_default();
        if is_parameter(part) && !segment.is_empty() { segment } else { part }
    });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_table_knows_its_methods() {
        let routes = Routes::default();
        assert_eq!(routes.methods("/api/v1/flags/a"), Some(&["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"][..]));
        assert_eq!(routes.methods("/ofrep/v1/evaluate/flags/a"), Some(&["POST", "OPTIONS"][..]));
        for row in roles::all() {
            let known = routes.methods(row.path());
            assert!(known.is_some_and(|known| known.contains(&row.method)), "{row:?}: {known:?}");
        }
    }

    #[test]
    fn what_was_meant() {
        let routes = [
            ("/api/v1/flags", vec!["GET", "HEAD"]),
            ("/api/v1/flags/{key}", vec!["GET", "HEAD", "PUT"]),
            ("/api/v1/flags/{key}/enable", vec!["POST"]),
            ("/api/v1/halt", vec!["PUT"]),
        ];
        let routes = Routes(routes.into_iter().map(|(path, methods)| (path.to_owned(), methods)).collect());
        let cases = [
            ("GET", "/api/v1/flag", "did you mean `/api/v1/flags`?"),
            ("POST", "/api/v1/flags/layout/enabel", "did you mean `/api/v1/flags/layout/enable`?"),
            ("POST", "/api/v1/flgs/layout/enable", "did you mean `/api/v1/flags/layout/enable`?"),
            ("POST", "/api/v1/faults/slow/disable", "`PATCH` with `{\"enabled\": …}`"),
            ("POST", "/v1/halt", "did you mean `/api/v1/halt`?"),
            ("GET", "/flags/layout", "did you mean `/api/v1/flags/layout`?"),
            ("GET", "/api/flags", "did you mean `/api/v1/flags`?"),
            ("GET", "/wp-login.php", "see /docs/"),
            ("GET", "/api/v1/login", "see /docs/"),
            ("GET", "/api/v1/users", "see /docs/"),
            ("GET", "/api/v2/flags", "did you mean `/api/v1/flags`?"),
            ("GET", "/hats", "see /docs/"),
            ("GET", "/", "see /docs/"),
            ("GET", "/api/v1/flags/", "did you mean `/api/v1/flags`?"),
            ("PATCH", "/api/v1/flags/a", "it knows GET, HEAD, PUT"),
            ("GET", "/api/v1/flags/a/enable", "it knows POST"),
            ("BREW", "/api/v1/halt", "it knows PUT"),
        ];
        for (method, path, expected) in cases {
            let problem = routes.explain(method, path).to_string();
            assert!(problem.contains(expected), "{method} {path}: {problem}");
        }
    }
}
