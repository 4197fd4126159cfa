//! Messages: from JSON, by protobuf's mapping of it, to bytes, and back as far as scripts do not do it themselves.

use std::sync::OnceLock;

use bytes::Bytes;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::channel::{Channel, framed};
use super::status::Status;

/// A message from JSON text.
///
/// # Errors
/// What does not fit: a field that there is not, a value of another type.
pub fn from_json(descriptor: MessageDescriptor, json: &str) -> Result<DynamicMessage, String> {
    let mut text = serde_json::Deserializer::from_str(json);
    let name = descriptor.full_name().to_owned();
    let message = DynamicMessage::deserialize(descriptor, &mut text);
    let message = message.map_err(|error| format!("{name}: {error}"))?;
    text.end().map_err(|error| format!("{name}: {error}"))?;
    Ok(message)
}

impl Channel {
    /// A message as it goes out.
    ///
    /// # Errors
    /// It is larger than the channel's limit.
    pub fn frame(&self, message: &DynamicMessage) -> Result<Bytes, Status> {
        let length = message.encoded_len();
        self.admit(length)?;
        // A vector grows: there is always room.
        Ok(framed(length, |out| message.encode_raw(out)))
    }
}

/// A message that has a form of its own in JSON, such as a timestamp, in that form; `None` for any other.
pub fn well_known(message: &DynamicMessage) -> Option<Result<String, String>> {
    const OPTIONS: SerializeOptions = SerializeOptions::new().skip_default_fields(false);
    let descriptor = prost_reflect::ReflectMessage::descriptor(message);
    let name = descriptor.full_name().strip_prefix("google.protobuf.")?;
    if !matches!(
        name,
        "Any"
            | "Timestamp"
            | "Duration"
            | "Struct"
            | "FloatValue"
            | "DoubleValue"
            | "Int32Value"
            | "Int64Value"
            | "UInt32Value"
            | "UInt64Value"
            | "BoolValue"
            | "StringValue"
            | "BytesValue"
            | "FieldMask"
            | "ListValue"
            | "Value"
    ) {
        return None;
    }
    let mut json = Vec::new();
    let written = message.serialize_with_options(&mut serde_json::Serializer::new(&mut json), &OPTIONS);
    Some(match written {
        Ok(()) => Ok(String::from_utf8_lossy(&json).into_owned()),
        Err(error) => Err(format!("{}: {error}", descriptor.full_name())),
    })
}

/// `google.rpc.Status`, which servers send beside a status.
#[derive(Clone, PartialEq, Message)]
struct Rich {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Packed>,
}

#[derive(Clone, PartialEq, Message)]
struct Packed {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

/// What a server says beside a status: messages, each with the address of its type. `known` is where their types are
/// looked for first; then among the usual ones of errors. Empty if there is nothing, or something that is not known.
pub fn details(status: &Status, known: Option<&DescriptorPool>) -> Vec<(String, DynamicMessage)> {
    let Ok(rich) = Rich::decode(status.details.clone()) else {
        return Vec::new();
    };
    if rich.code != i32::from(status.code as u8) {
        return Vec::new();
    }
    let read = |packed: &Packed| {
        let name = packed.type_url.rsplit('/').next()?;
        let descriptor = known
            .and_then(|pool| pool.get_message_by_name(name))
            .or_else(|| usual()?.get_message_by_name(name))?;
        let message = DynamicMessage::decode(descriptor, packed.value.clone()).ok()?;
        Some((packed.type_url.clone(), message))
    };
    rich.details
        .iter()
        .map(read)
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default()
}

/// The messages that errors carry by convention (`google/rpc/error_details.proto`), with those that every pool knows.
fn usual() -> Option<&'static DescriptorPool> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    let made = POOL.get_or_init(|| {
        let mut sources = ChainFileResolver::new();
        sources.add(Usual);
        sources.add(GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(sources);
        compiler.open_file(USUAL).ok()?;
        Some(compiler.descriptor_pool())
    });
    made.as_ref()
}

const USUAL: &str = "google/rpc/error_details.proto";

struct Usual;

impl FileResolver for Usual {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == USUAL {
            File::from_source(name, include_str!("error_details.proto"))
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::Code;
    use super::*;

    #[test]
    fn the_usual_details_are_known() {
        let reason = usual()
            .unwrap()
            .get_message_by_name("google.rpc.ErrorInfo")
            .unwrap();
        let info = from_json(reason, r#"{"reason":"NO_STOCK","metadata":{"sku":"7"}}"#).unwrap();
        let rich = |code: i32, type_url: &str| Status {
            code: Code::NotFound,
            message: String::new(),
            details: Rich {
                code,
                message: String::new(),
                details: vec![Packed {
                    type_url: type_url.to_owned(),
                    value: info.encode_to_vec().into(),
                }],
            }
            .encode_to_vec()
            .into(),
        };
        let url = "type.googleapis.com/google.rpc.ErrorInfo";
        assert_eq!(details(&rich(5, url), None), [(url.to_owned(), info.clone())]);
        // Of another status, or of a type that nobody knows.
        assert!(details(&rich(6, url), None).is_empty());
        assert!(details(&rich(5, "x/no.Such"), None).is_empty());
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let reason = usual()
            .unwrap()
            .get_message_by_name("google.rpc.ErrorInfo")
            .unwrap();
        for (json, part) in [
            (r#"{"nope":1}"#, "nope"),
            (r#"{"reason":1}"#, "google.rpc.ErrorInfo"),
            ("[]", "google.rpc.ErrorInfo"),
            ("{} x", "trailing"),
        ] {
            let error = from_json(reason.clone(), json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
