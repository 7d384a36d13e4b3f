//! How a new connection learns what the broker speaks. Control connections and lanes use it.
//!
//! ```text
//!   Asking(newest) --answer--> Ready
//!        | UNSUPPORTED_VERSION
//!        v
//!   Asking(0) --answer--> Ready
//! ```

use bytes::Bytes;
use forebay_protocol::api::ApiKey;
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::messages::ApiVersionsRequest;
use forebay_protocol::wire::Str;
use forebay_protocol::{request, response};

use super::{Fault, Versions};

/// First version of `ApiVersions` that names the client's software.
const NAMED_FROM: i16 = 3;

/// What follows from an answer.
#[derive(Debug, Eq, PartialEq)]
pub enum Step {
    /// Send this, and hand in the answer to it.
    Send(Bytes),
    /// The connection can be used.
    Ready(Versions),
}

/// The handshake of one connection.
#[derive(Debug)]
pub struct Handshake {
    client_id: Str,
    version: i16,
    correlation: i32,
}

impl Handshake {
    /// A handshake under the name `client_id`.
    #[must_use]
    pub fn new(client_id: Str) -> Self {
        Self { client_id, version: ApiKey::ApiVersions.api().max, correlation: 0 }
    }

    /// The frame to send first.
    ///
    /// # Errors
    ///
    /// [`Fault::Unwritable`] when the client's name is longer than a request can say.
    pub fn first(&self) -> Result<Bytes, Fault> {
        let mut request = ApiVersionsRequest::default();
        if NAMED_FROM <= self.version {
            request.client_software_name = env!("CARGO_PKG_NAME").into();
            request.client_software_version = env!("CARGO_PKG_VERSION").into();
        }
        let client_id = Some(&self.client_id);
        Ok(request::encode(&request, self.version, self.correlation, client_id)?)
    }

    /// A whole frame came, without its length.
    ///
    /// # Errors
    ///
    /// What makes the connection useless: close it.
    pub fn handle_frame(&mut self, frame: Bytes) -> Result<Step, Fault> {
        let found = response::correlation_id(&frame)?;
        if found != self.correlation {
            return Err(Fault::Correlation { expected: self.correlation, found });
        }
        let answer = response::decode::<ApiVersionsRequest>(frame, self.version, found)?;
        match ErrorCode(answer.error_code) {
            ErrorCode::NONE => Ok(Step::Ready(Versions::from_response(&answer))),
            ErrorCode::UNSUPPORTED_VERSION if 0 < self.version => {
                self.version = 0;
                self.correlation = self.correlation.saturating_add(1);
                self.first().map(Step::Send)
            }
            ErrorCode(code) => Err(Fault::Refused { code }),
        }
    }
}
