//! Who is calling where the original asked nobody.

use poem::{Request, RequestBody};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, registry::Registry};

use crate::{
    api::{bearer::Access, error::Problem},
    auth::Caller,
};

/// An [`Access`], and who has neither token nor key is told that one is needed here.
pub(in crate::api) struct FormerlyOpen<const NEED: u16>(pub(in crate::api) Caller);

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
            // What is wrong with a token or key is told as everywhere.
            Err(error) if error.downcast_ref::<Problem>().is_some() => Err(error),
            Err(_) => Err(Problem::unauthorized(
                "This path needs a bearer token here, though it needed none before: what is begun belongs to a user.",
            )
            .into()),
        }
    }
}
