//! What a server tells of its own services (server reflection, version 1, and before it 1alpha, which is the same under
//! another name).

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use http::uri::PathAndQuery;
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::channel::{Channel, framed};
use super::exchange::{Call, Exchange, Step};
use super::metadata::Metadata;
use super::methods::{Methods, SchemaError};
use super::queue::Queue;
use super::status::{Code, Status};

const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// A question. One of the fields is set; to leave the others out is all that a `oneof` means on the wire.
#[derive(Clone, PartialEq, Message)]
struct Question {
    #[prost(string, optional, tag = "3")]
    file_by_filename: Option<String>,
    #[prost(string, optional, tag = "4")]
    file_containing_symbol: Option<String>,
    #[prost(string, optional, tag = "7")]
    list_services: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(message, optional, tag = "4")]
    files: Option<Files>,
    #[prost(message, optional, tag = "6")]
    services: Option<Services>,
    #[prost(message, optional, tag = "7")]
    error: Option<Refusal>,
}

#[derive(Clone, PartialEq, Message)]
struct Files {
    #[prost(bytes = "vec", repeated, tag = "1")]
    descriptors: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Services {
    #[prost(message, repeated, tag = "1")]
    service: Vec<Service>,
}

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Refusal {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// What a server told.
pub struct Reflected(FileDescriptorSet);

impl Reflected {
    /// The same in bytes: by them one knows it again.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// Its methods.
    ///
    /// # Errors
    /// What it told does not fit together.
    pub fn methods(self) -> Result<Methods, SchemaError> {
        Methods::assemble(self.0)
    }
}

/// Asks a server for its services and all they need.
///
/// # Errors
/// It does not tell, or not all.
pub async fn reflect(channel: &Rc<Channel>, metadata: &Metadata) -> Result<Reflected, Status> {
    let mut newer = Talk::begin(channel, PATHS[0], metadata);
    match newer.all().await {
        Err(status) if status.code == Code::Unimplemented => {
            drop(newer);
            Talk::begin(channel, PATHS[1], metadata).all().await
        }
        told => told,
    }
}

/// A call on which questions are answered one by one.
struct Talk {
    exchange: Exchange,
    queue: Rc<Queue>,
}

impl Talk {
    fn begin(channel: &Rc<Channel>, path: &'static str, metadata: &Metadata) -> Talk {
        let queue = Rc::new(Queue::default());
        let call = Call {
            path: PathAndQuery::from_static(path),
            metadata: metadata.clone(),
            timeout: None,
        };
        Talk {
            exchange: Exchange::new(channel, call, Rc::clone(&queue)),
            queue,
        }
    }

    async fn ask(&mut self, question: &Question) -> Result<Answer, Status> {
        self.queue
            .push(framed(question.encoded_len(), |out| question.encode_raw(out)));
        match self.exchange.next().await {
            Step::Message(bytes) => Answer::decode(bytes).map_err(|error| {
                Status::new(
                    Code::Internal,
                    format!("the answer to a reflection request cannot be read: {error}"),
                )
            }),
            Step::End(status) if status.is_ok() => Err(Status::new(
                Code::Internal,
                "the server ended the reflection before it had answered",
            )),
            Step::End(status) => Err(status),
        }
    }

    async fn files(&mut self, question: &Question) -> Result<Vec<FileDescriptorProto>, Status> {
        let answer = self.ask(question).await?;
        if let Some(refusal) = answer.error {
            return Err(Status::new(Code::NotFound, refusal.message));
        }
        let descriptors = answer.files.unwrap_or_default().descriptors;
        let read = descriptors
            .iter()
            .map(|bytes| FileDescriptorProto::decode(&**bytes))
            .collect::<Result<_, _>>();
        read.map_err(|error| {
            Status::new(
                Code::Internal,
                format!("a file that the server told of cannot be read: {error}"),
            )
        })
    }

    async fn all(&mut self) -> Result<Reflected, Status> {
        let list = Question {
            list_services: Some("*".to_owned()),
            ..Question::default()
        };
        let said =
            |what: String, status: &Status| Status::new(status.code, format!("{what}: {}", status.message));
        let answer = self.ask(&list).await;
        let answer = answer.map_err(|status| match status.code {
            // Whoever asked decides what to make of it.
            Code::Unimplemented => status,
            _ => said("can't list services".to_owned(), &status),
        })?;
        let mut files: BTreeMap<String, FileDescriptorProto> = BTreeMap::new();
        for service in answer.services.unwrap_or_default().service {
            let symbol = Question {
                file_containing_symbol: Some(service.name.clone()),
                ..Question::default()
            };
            let found = self.files(&symbol).await;
            let found = found.map_err(|status| {
                said(
                    format!("can't get method on service \"{}\"", service.name),
                    &status,
                )
            })?;
            for file in found {
                files.entry(file.name().to_owned()).or_insert(file);
            }
        }
        let mut wanted: VecDeque<String> = files.values().flat_map(|file| file.dependency.clone()).collect();
        while let Some(name) = wanted.pop_front() {
            if files.contains_key(&name) {
                continue;
            }
            let by_name = Question {
                file_by_filename: Some(name.clone()),
                ..Question::default()
            };
            let found = match self.files(&by_name).await {
                Ok(found) => found,
                // Some servers leave out what everybody has.
                Err(status) => match DescriptorPool::global().get_file_by_name(&name) {
                    Some(file) => vec![file.file_descriptor_proto().clone()],
                    None => return Err(said(format!("can't get the file \"{name}\""), &status)),
                },
            };
            for file in found {
                wanted.extend(file.dependency.iter().cloned());
                files.entry(file.name().to_owned()).or_insert(file);
            }
            if !files.contains_key(&name) {
                return Err(Status::new(
                    Code::NotFound,
                    format!("can't get the file \"{name}\": the server told of another one"),
                ));
            }
        }
        Ok(Reflected(FileDescriptorSet {
            file: files.into_values().collect(),
        }))
    }
}
