//! Who is let in to which route.

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::WWW_AUTHENTICATE;
use daybreak_control::tokens::Token;
use daybreak_control::{Control, Right};

use crate::access;
use crate::caller::Caller;
use crate::cors::Crossing;
use crate::credentials;
use crate::door;
use crate::problem::{Code, Problem};
use crate::rates::Rates;
use crate::roles::Row;
use crate::routes::Routes;

/// Who was let in, and to what.
#[derive(Debug)]
pub struct Admitted {
    /// Who.
    pub caller: Caller,
    /// To which route; none where somebody only asks what there is.
    pub row: Option<&'static Row>,
}

/// Lets somebody in to a row, or says why not. `path` is the one by which the request is routed. A preflight shows no token, is
/// answered out of what is configured, and is counted as little as a probe: behind a proxy all browsers share an address.
///
/// # Errors
/// 401 without a valid token, 403 where its role may not, 404 and 405 where there is no such route, 429 where it is
/// asked too often.
pub fn admit(
    request: &ServiceRequest,
    (row, path): (Option<&'static Row>, &str),
    crossing: &Crossing,
    control: &Control,
    rates: &Rates,
    routes: &Routes,
) -> Result<Admitted, Problem> {
    let caller = if !control.tokens_required() {
        access::check(request.head(), door::is_secure(request), crossing.is_named())?;
        if crossing.is_named() { Caller::Page } else { Caller::Local }
    } else if matches!(crossing, Crossing::Preflight(..)) {
        Caller::Anonymous
    } else {
        identify(request, row, control, rates)?
    };
    if row.is_none() && request.method() != Method::OPTIONS {
        return Err(routes.unrouted(request.method(), path));
    }
    Ok(Admitted { caller, row })
}

/// Who asks, where tokens are asked for.
fn identify(
    request: &ServiceRequest,
    row: Option<&'static Row>,
    control: &Control,
    rates: &Rates,
) -> Result<Caller, Problem> {
    let address = request.peer_addr().map(|address| address.ip());
    let public = request.method() == Method::OPTIONS || row.is_some_and(|row| row.right.is_none());
    let ticket = || credentials::ticket(request.query_string()).filter(|_| row.is_some_and(|row| row.tickets));
    let shown = match credentials::shown(request.headers()) {
        Ok(None) => Ok(ticket().map(|ticket| control.redeem(ticket))),
        shown => shown.map(|text| text.map(|text| control.authenticate(text))),
    };
    let denied = match shown {
        Ok(Some(authenticated)) => match authenticated {
            Ok(token) => {
                if !row.is_some_and(|row| row.unlimited) {
                    rates.token(token.id())?;
                }
                if let Some(right) = row.and_then(|row| row.right) {
                    check(&token, right)?;
                }
                return Ok(Caller::Holder(token));
            }
            Err(denied) => Some(denied.to_string()),
        },
        Ok(None) => None,
        Err(why) => Some(why.to_owned()),
    };
    match denied {
        Some(why) if !public => {
            rates.failure(address)?;
            Err(unauthorized(&why, "Bearer realm=\"daybreak\", error=\"invalid_token\""))
        }
        _ => {
            if !(public && row.is_some_and(|row| row.unlimited)) {
                rates.address(address)?;
            }
            let why = "this needs a token; send `Authorization: Bearer daybreak_…`";
            if public { Ok(Caller::Anonymous) } else { Err(unauthorized(why, "Bearer realm=\"daybreak\"")) }
        }
    }
}

fn check(token: &Token, right: Right) -> Result<(), Problem> {
    if token.may(right) {
        return Ok(());
    }
    let (role, roles) = (token.role(), right.roles());
    let names: Vec<_> = roles.iter().map(|role| format!("`{role}`")).collect();
    let detail =
        format!("this needs the role {}; the token `{}` has the role `{role}`", names.join(" or "), token.name());
    Err(Problem::new(Code::Forbidden, detail).with("role", role).with("roles", roles))
}

fn unauthorized(why: &str, challenge: &str) -> Problem {
    Problem::new(Code::Unauthorized, why).header(WWW_AUTHENTICATE, challenge)
}
