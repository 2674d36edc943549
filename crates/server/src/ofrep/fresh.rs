//! The state that an answer comes from: never one that is older than an event has told of.
//!
//! A client that an event made ask again sends what the event said. It may reach another server than the event came from,
//! which does not stand there yet: then it waits, and says so if that takes long. An answer from before the change would
//! stay with the client until the next one.

use std::sync::Arc;

use actix_web::http::header::RETRY_AFTER;
use daybreak_control::{Control, State};
use daybreak_model::wire::Position;

use crate::limits::FRESH_WAIT;
use crate::problem::{Code, Problem};

/// The state, as soon as it is not older than the position an event told of.
///
/// # Errors
/// With [`Code::NotReady`] where that takes too long.
pub(super) async fn state(control: &Control, told: Option<&str>) -> Result<Arc<State>, Problem> {
    let mut moved = control.moved();
    let state = control.state();
    let Some(told) = told.and_then(position).filter(|told| is_older(&state, *told)) else { return Ok(state) };
    let caught_up = async {
        loop {
            // It ends with the control alone, which is held here.
            moved.changed().await.ok()?;
            let state = control.state();
            if !is_older(&state, told) {
                return Some(state);
            }
        }
    };
    match tokio::time::timeout(FRESH_WAIT, caught_up).await {
        Ok(Some(state)) => Ok(state),
        _ => {
            let at = control.position();
            let detail = format!(
                "this server stands at {at}, and does not have {told} yet, of which an event has told; ask again"
            );
            Err(Problem::new(Code::NotReady, detail).header(RETRY_AFTER, "1"))
        }
    }
}

/// What an event said. What is none of ours says nothing, as other servers' tags would; clients may quote it.
fn position(told: &str) -> Option<Position> {
    let told = told.strip_prefix("W/").unwrap_or(told);
    told.trim_matches('"').parse().ok()
}

/// Positions of different stores are not compared: one of them came after a restore.
fn is_older(state: &State, told: Position) -> bool {
    let at = state.position();
    at.store == told.store && at.revision < told.revision
}
