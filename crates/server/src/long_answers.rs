//! Long answers: written piece by piece, and bounded together as long as somebody still has to read them. Those that anybody may
//! ask for, or pages in browsers, take no room from those of operators.
//!
//! What is written to a connection is copied into its buffer first, which keeps up to 128 KiB for the next answer. In [`pieces`] there is no
//! second copy of what nobody reads, and the buffer stays as it was.

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::Bytes;

use crate::limits::{ANSWERS_BYTES_MAX, DOCS_BYTES_MAX, EVALUATIONS_BYTES_MAX, SHORT_ANSWER_BYTES_MAX};
use crate::pieces;
use crate::problem::{Code, Problem};
use crate::room::{Full, Room, Taken};

/// Whose room an answer takes: of OFREP's, of the page under /docs/, or of all others.
pub(crate) const EVALUATIONS: usize = 0;
/// See [`EVALUATIONS`].
pub(crate) const DOCS: usize = 1;
/// See [`EVALUATIONS`].
pub(crate) const OTHERS: usize = 2;

/// The room for long answers of each kind. A clone is the same room.
#[derive(Clone, Debug)]
pub(crate) struct LongAnswers([Room; 3]);

impl Default for LongAnswers {
    fn default() -> Self {
        Self([EVALUATIONS_BYTES_MAX, DOCS_BYTES_MAX, ANSWERS_BYTES_MAX].map(Room::new))
    }
}

impl LongAnswers {
    /// Has a long answer written in pieces. Where there is no room for it, and who asked changed nothing by that, they are
    /// told to come again.
    pub(crate) fn bound<B: MessageBody + 'static>(
        &self,
        response: ServiceResponse<EitherBody<B, BoxBody>>,
        room: usize,
        changed_nothing: bool,
    ) -> ServiceResponse<EitherBody<B, BoxBody>> {
        match response.response().body().size() {
            BodySize::Sized(length) if length > SHORT_ANSWER_BYTES_MAX as u64 => {}
            _ => return response,
        }
        let mut full = None;
        let response = response.map_body(|_, body| match body.try_into_bytes() {
            Ok(bytes) => {
                let taken = take(&self.0[room], &bytes).unwrap_or_else(|why| {
                    full = Some(why);
                    Taken::default()
                });
                EitherBody::right(BoxBody::new(pieces::body(bytes, taken)))
            }
            // It comes in pieces already.
            Err(body) => body,
        });
        match full.filter(|_| changed_nothing) {
            Some(Full { most }) => {
                let problem = HttpResponse::from_error(no_room(most));
                response.into_response(problem).map_into_right_body()
            }
            None => response,
        }
    }
}

/// Takes room for an answer, unless it stands in memory anyway, for all who ask.
fn take(room: &Room, bytes: &Bytes) -> Result<Taken, Full> {
    if bytes.is_unique() { room.take(bytes.len()) } else { Ok(Taken::default()) }
}

fn no_room(most: usize) -> Problem {
    let detail = format!(
        "answers of {most} bytes in all wait to be read by those who asked, as many as may; ask again in a second"
    );
    Problem::new(Code::Overloaded, detail).header(RETRY_AFTER, "1")
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::http::StatusCode;
    use actix_web::test::TestRequest;

    use super::*;

    const LONG: usize = 2 * SHORT_ANSWER_BYTES_MAX + 1;

    fn room() -> LongAnswers {
        LongAnswers([LONG + SHORT_ANSWER_BYTES_MAX; 3].map(Room::new))
    }

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    fn answer(
        answers: &LongAnswers,
        body: impl Into<Bytes>,
        changed_nothing: bool,
    ) -> ServiceResponse<EitherBody<BoxBody>> {
        let response = HttpResponse::Ok().body(body.into());
        let response = TestRequest::default().to_srv_response(response).map_into_left_body::<BoxBody>();
        answers.bound(response, EVALUATIONS, changed_nothing)
    }

    #[actix_web::test]
    async fn what_is_written_is_the_answer_whole() {
        for length in [0, 1, SHORT_ANSWER_BYTES_MAX, SHORT_ANSWER_BYTES_MAX + 1, LONG] {
            let answer = answer(&room(), text(length), true);
            assert_eq!(answer.response().body().size(), BodySize::Sized(length as u64));
            assert_eq!(to_bytes(answer.into_body()).await.ok(), Some(text(length).into()), "{length}");
        }
    }

    #[actix_web::test]
    async fn answers_that_are_not_read_are_bounded_together() {
        let answers = room();
        let unread = answer(&answers, text(LONG), true);
        assert_eq!(answer(&answers, text(LONG), true).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            answer(&answers, text(SHORT_ANSWER_BYTES_MAX), true).status(),
            StatusCode::OK,
            "a short one takes no room"
        );
        assert_eq!(answer(&answers, text(LONG), false).status(), StatusCode::OK, "what was changed is said");
        let shared = Bytes::from(text(LONG));
        assert_eq!(answer(&answers, shared.clone(), true).status(), StatusCode::OK, "nobody has a copy of their own");
        for room in [DOCS, OTHERS] {
            let response = TestRequest::default().to_srv_response(HttpResponse::Ok().body(text(LONG)));
            let other = answers.bound(response.map_into_left_body::<BoxBody>(), room, true);
            assert_eq!(other.status(), StatusCode::OK, "{room} has room of its own");
        }
        drop(unread);
        let read = answer(&answers, text(LONG), true);
        assert_eq!(read.status(), StatusCode::OK);
        assert!(to_bytes(read.into_body()).await.is_ok());
        assert_eq!(answer(&answers, text(LONG), true).status(), StatusCode::OK);
    }
}
