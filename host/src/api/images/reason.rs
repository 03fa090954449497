//! The code of a refusal as a parameter.

use std::borrow::Cow;

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde_json::Value;

use crate::model::Refusal;

/// The code of a refusal; the document lists all of them.
pub(in crate::api) struct Reason(pub(super) Refusal);

impl Type for Reason {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_refusal".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let codes = Refusal::ALL.map(|refusal| refusal.code().into());
        MetaSchemaRef::Inline(Box::new(MetaSchema { enum_items: codes.into(), ..MetaSchema::new("string") }))
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ParseFromParameter for Reason {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Refusal::with_code(value).map(Self).ok_or_else(|| ParseError::custom("not a code of a refusal"))
    }
}

impl ToJSON for Reason {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.code().into())
    }
}
