//! Why could records not be packed or unpacked?

use thiserror::Error;

use super::Codec;

/// Records could not be packed or unpacked.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum CodecError {
    /// The codec is left out of this build.
    #[error("packed with {codec}, which this program was built without; enable feature {codec}")]
    NotBuilt {
        /// Which codec, and the name of its Cargo feature.
        codec: Codec,
    },
    /// There is more than the caller allows.
    #[error("{codec} data unpacks to more than {limit} bytes, the limit of one batch; raise it")]
    TooLarge {
        /// Which codec.
        codec: Codec,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The packed bytes are not what the codec's format says.
    #[error("{codec} data is corrupt: {reason}")]
    Corrupt {
        /// Which codec.
        codec: Codec,
        /// What showed it.
        reason: &'static str,
    },
    /// The data was packed with a dictionary, which Kafka has no way to tell.
    #[error("{codec} data needs a dictionary, which Kafka does not have; fix its producer")]
    Dictionary {
        /// Which codec.
        codec: Codec,
    },
    /// The codec refused to pack.
    #[error("{codec} refused to pack: {reason}")]
    Refused {
        /// Which codec.
        codec: Codec,
        /// What it said.
        reason: &'static str,
    },
}
