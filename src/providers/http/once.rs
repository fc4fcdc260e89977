//! One request on a connection of its own, and its answer. Nothing is repeated, followed or pooled.

use futures::future::{Either, select};
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    body::{Body, MOST_HEADER_BYTES, too_large},
    endpoint::Endpoint,
    wire,
};
use crate::{
    api::Method,
    domain::{Cause, Class, Failure},
    providers::{PreparedRequest, Response},
};

/// The request as it goes out: in origin form, with the headers of a connection that is used once.
pub(super) struct Outgoing(Request<Full<Bytes>>);

impl Outgoing {
    /// Source: RFC 9112 sections 3.2.1 and 9.6.
    ///
    /// Errors: `Invalid`/`TemplateFailed` where the request does not lie below the base URL, or brings a header of ours.
    pub(super) fn new(request: &PreparedRequest, endpoint: &Endpoint) -> Result<Self, Failure> {
        let refused = || Failure::new(Class::Invalid, Cause::TemplateFailed);
        let mut headers = wire::headers(request, endpoint)?;
        let host = HeaderValue::from_str(&endpoint.base_url().authority()).map_err(|_| refused())?;
        headers.insert(header::HOST, host);
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        let body = request.body.as_ref().map(|(_, bytes)| Bytes::from(bytes.clone()));
        if body.is_some() || request.method != Method::GET {
            let length = body.as_ref().map_or(0, Bytes::len);
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        let mut outgoing = Request::new(Full::new(body.unwrap_or_default()));
        *outgoing.method_mut() = wire::method(request);
        *outgoing.uri_mut() = request.url[url::Position::BeforePath..].parse().map_err(|_| refused())?;
        *outgoing.headers_mut() = headers;
        Ok(Self(outgoing))
    }

    /// Sends it, and reads the answer to its end.
    ///
    /// Errors: `Transient`/`NotSent` whatever became of the connection: whether a byte left is for the stream to know.
    /// `Indeterminate`/`ResponseTooLarge`.
    pub(super) async fn exchange(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> Result<Response, Failure> {
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MOST_HEADER_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(lost)?;
        let answer = Box::pin(async move {
            let answer = sender.send_request(self.0).await.map_err(lost)?;
            read_answer(answer).await
        });
        match select(answer, Box::pin(connection)).await {
            Either::Left((answered, _connection)) => answered,
            // The connection is over; what it received is still to be read.
            Either::Right((_ended, answer)) => answer.await,
        }
    }
}

async fn read_answer(answer: http::Response<hyper::body::Incoming>) -> Result<Response, Failure> {
    let (head, mut incoming) = answer.into_parts();
    let mut body = Body::expecting(&head.headers)?;
    while let Some(frame) = incoming.frame().await {
        if let Some(piece) = frame.map_err(lost)?.data_ref() {
            body.push(piece)?;
        }
    }
    Ok(body.into_response(head.status.as_u16(), &head.headers))
}

/// The connection gave up. Which failure that is, is for whoever saw what left.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn lost(error: hyper::Error) -> Failure {
    if error.is_parse_too_large() { too_large() } else { Failure::new(Class::Transient, Cause::NotSent) }
}
