//! Who is calling where the original asked nobody.

use poem::{Request, RequestBody};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, registry::Registry};

use crate::{
    api::{
        bearer::{Access, Bearer},
        error::Problem,
    },
    auth::Caller,
};

/// An [`Access`], and who has neither token nor key is told that one is needed here.
pub(in crate::api) struct FormerlyOpen<const NEED: u16>(pub(in crate::api) Caller);

/// A [`Bearer`], and who has no token is told in the same way.
pub(in crate::api) struct FormerlyOpenToUsers(pub(in crate::api) Caller);

impl<'a, const NEED: u16> ApiExtractor<'a> for FormerlyOpen<NEED> {
    const TYPES: &'static [ApiExtractorType] = Access::<NEED>::TYPES;

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        Access::<NEED>::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        Access::<NEED>::security_schemes()
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        match Access::<NEED>::from_request(request, body, options).await {
            Ok(Access(caller)) => Ok(Self(caller)),
            Err(error) => Err(told(error)),
        }
    }
}

impl<'a> ApiExtractor<'a> for FormerlyOpenToUsers {
    const TYPES: &'static [ApiExtractorType] = Bearer::TYPES;

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        Bearer::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        Bearer::security_schemes()
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        match Bearer::from_request(request, body, options).await {
            Ok(Bearer(caller)) => Ok(Self(caller)),
            Err(error) => Err(told(error)),
        }
    }
}

/// What is told of a refusal.
fn told(error: poem::Error) -> poem::Error {
    // What is wrong with a token or key is told as everywhere.
    if error.downcast_ref::<Problem>().is_some() {
        return error;
    }
    let detail = "This path needs a bearer token here, though it needed none before: what is made here belongs to a user.";
    Problem::unauthorized(detail).into()
}
