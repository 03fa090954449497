//! A JSON body that is documented as one type and read as what it is, so that the rules
//! can be checked one by one and all broken ones be told at once.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use poem::{Request, RequestBody, Result, error::ReadBodyError};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    error::ContentTypeError,
    impl_apirequest_for_payload,
    payload::{Json, ParsePayload, Payload},
    registry::{MetaRequest, MetaSchemaRef, Registry},
    types::Type,
};
use serde_json::Value;

use super::{
    connection::ConnectionTable,
    error::{Problem, ProblemCode},
};

/// Largest body of a request, in bytes.
const LARGEST: usize = 1 << 20;

/// Longest time for such a body to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// JSON that is meant to be a `T`.
pub(super) struct JsonBody<T> {
    pub(super) value: Value,
    meant: PhantomData<T>,
}

impl<T: Type> Payload for JsonBody<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn check_content_type(content_type: &str) -> bool {
        Json::<T>::check_content_type(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type> ParsePayload for JsonBody<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        Ok(Self { value: parse(&read(request, body).await?)?, meant: PhantomData })
    }
}

impl_apirequest_for_payload!(JsonBody<T>, T: Type);

/// A [`JsonBody`] that need not be there; null is as if it were not.
pub(super) struct OptionalJsonBody<T> {
    pub(super) value: Option<Value>,
    meant: PhantomData<T>,
}

impl<'a, T: Type> ApiExtractor<'a> for OptionalJsonBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest { required: false, ..JsonBody::<T>::request_meta()? })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let bytes = read(request, body).await?;
        if bytes.is_empty() {
            return Ok(Self { value: None, meant: PhantomData });
        }
        match request.content_type() {
            Some(kind) if JsonBody::<T>::check_content_type(kind) => {}
            Some(kind) => {
                return Err(ContentTypeError::NotSupported { content_type: kind.to_owned() }.into());
            }
            None => return Err(ContentTypeError::ExpectContentType.into()),
        }
        let value = Some(parse(&bytes)?).filter(|value: &Value| !value.is_null());
        Ok(Self { value, meant: PhantomData })
    }
}

async fn read(request: &Request, body: &mut RequestBody) -> Result<Vec<u8>> {
    let waits = request.data::<Arc<ConnectionTable>>().and_then(|connections| connections.waits_for(request));
    let read = tokio::time::timeout(PATIENCE, body.take()?.into_bytes_limit(LARGEST)).await;
    drop(waits);
    match read.map_err(|_| Problem::too_slow())? {
        Err(ReadBodyError::Io(_)) => {
            Err(Problem::new(ProblemCode::IncompleteBody, "The body did not come whole.").into())
        }
        read => Ok(read?.into()),
    }
}

fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Problem::new(ProblemCode::MalformedJson, format!("The body is not JSON: see {place}."))
    })
}
