//! Which methods there are and what they carry: from proto files, from a file of descriptors, or from the server.

use std::collections::HashSet;
use std::path::{Component, Path};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost_reflect::prost_types::FileDescriptorSet;
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor, MethodDescriptor};
use protox::Compiler;
use protox::file::{File, FileResolver, GoogleFileResolver};

/// Why there are no methods.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A proto file that is nowhere.
    #[error("cannot load \"{file}\": no such file or directory in {}", looked_in(.folders))]
    Missing {
        /// As it was asked for.
        file: String,
        folders: Vec<String>,
    },
    /// A mistake in a proto file, with its place.
    #[error("{0}")]
    Mistake(String),
    /// Bytes that are no set of descriptors.
    #[error("{0}")]
    NoDescriptors(String),
}

fn looked_in(folders: &[String]) -> String {
    if folders.is_empty() {
        return "the script's folder".to_owned();
    }
    folders.join(", ")
}

/// One method of a service.
pub struct Method {
    descriptor: MethodDescriptor,
    path: PathAndQuery,
    service: String,
    floats: OnceLock<bool>,
}

/// The methods of some services, by the order in which they were defined.
#[derive(Default)]
pub struct Methods(Vec<Arc<Method>>);

impl Methods {
    /// Those of proto files, which are looked for in `folders`, as are the files that they import; without folders they are
    /// read as they are named. `read` reads a file by its path.
    ///
    /// # Errors
    /// A file is missing or has a mistake.
    pub fn compile(
        folders: &[String],
        files: &[String],
        read: impl Fn(&str) -> Result<Bytes, String> + 'static,
    ) -> Result<Methods, SchemaError> {
        let sources = Sources {
            folders: folders.to_vec(),
            read,
            google: GoogleFileResolver::new(),
        };
        for file in files {
            if sources
                .open_file(&plain(file))
                .is_err_and(|error| error.is_file_not_found())
            {
                return Err(SchemaError::Missing {
                    file: file.clone(),
                    folders: folders.to_vec(),
                });
            }
        }
        let mut compiler = Compiler::with_file_resolver(sources);
        compiler.include_imports(true);
        let compiled = compiler.open_files(files);
        // Its debug form is the one that says where.
        compiled.map_err(|error| SchemaError::Mistake(format!("{error:?}")))?;
        Ok(Methods::of(&compiler.descriptor_pool()))
    }

    /// Those of a set of descriptors, as `protoc --descriptor_set_out` writes it.
    ///
    /// # Errors
    /// The bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Methods, SchemaError> {
        let pool = DescriptorPool::decode(bytes)
            .map_err(|error| SchemaError::NoDescriptors(format!("{error:?}")))?;
        Ok(Methods::of(&pool))
    }

    /// Those of descriptors that a server gave.
    ///
    /// # Errors
    /// They do not fit together.
    pub(super) fn assemble(set: FileDescriptorSet) -> Result<Methods, SchemaError> {
        let pool = DescriptorPool::from_file_descriptor_set(set)
            .map_err(|error| SchemaError::NoDescriptors(format!("can't convert method info: {error:?}")))?;
        Ok(Methods::of(&pool))
    }

    fn of(pool: &DescriptorPool) -> Methods {
        let methods = pool
            .files()
            .flat_map(|file| file.services().collect::<Vec<_>>())
            .flat_map(|service| service.methods().collect::<Vec<_>>());
        // Names in proto files are letters, digits, underscores and dots: each makes a path.
        Methods(methods.filter_map(Method::new).map(Arc::new).collect())
    }

    /// Each method.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Method>> {
        self.0.iter()
    }
}

impl Method {
    fn new(descriptor: MethodDescriptor) -> Option<Method> {
        let service = descriptor.parent_service().full_name().to_owned();
        let path = format!("/{service}/{}", descriptor.name()).parse().ok()?;
        Some(Method {
            descriptor,
            path,
            service,
            floats: OnceLock::new(),
        })
    }

    /// `/package.Service/Method`.
    pub fn path(&self) -> &PathAndQuery {
        &self.path
    }

    /// The service's full name.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The service's name without its package.
    pub fn service_name(&self) -> String {
        self.descriptor.parent_service().name().to_owned()
    }

    /// The package.
    pub fn package(&self) -> String {
        self.descriptor.parent_service().package_name().to_owned()
    }

    /// The method's own name.
    pub fn name(&self) -> &str {
        self.descriptor.name()
    }

    /// What it takes.
    pub fn input(&self) -> MessageDescriptor {
        self.descriptor.input()
    }

    /// What it answers.
    pub fn output(&self) -> MessageDescriptor {
        self.descriptor.output()
    }

    /// Whether more than one message may go to the server.
    pub fn is_client_streaming(&self) -> bool {
        self.descriptor.is_client_streaming()
    }

    /// Whether more than one may come from it.
    pub fn is_server_streaming(&self) -> bool {
        self.descriptor.is_server_streaming()
    }

    /// Whether what it takes may hold a NaN or an infinity, which JSON cannot say.
    pub fn takes_floats(&self) -> bool {
        *self
            .floats
            .get_or_init(|| has_floats(&self.input(), &mut HashSet::new()))
    }
}

fn has_floats(message: &MessageDescriptor, seen: &mut HashSet<String>) -> bool {
    seen.insert(message.full_name().to_owned())
        && message.fields().any(|field| match field.kind() {
            Kind::Double | Kind::Float => true,
            Kind::Message(inner) => has_floats(&inner, seen),
            _ => false,
        })
}

/// Where proto files are read from.
struct Sources<R> {
    folders: Vec<String>,
    read: R,
    google: GoogleFileResolver,
}

impl<R: Fn(&str) -> Result<Bytes, String>> FileResolver for Sources<R> {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        path.to_str().map(plain)
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let places: Vec<String> = if self.folders.is_empty() {
            vec![name.to_owned()]
        } else {
            let join = |folder: &String| Path::new(folder).join(name).display().to_string();
            self.folders.iter().map(join).collect()
        };
        let found = places.iter().find_map(|place| (self.read)(place).ok());
        match found {
            Some(bytes) => File::from_source(name, &String::from_utf8_lossy(&bytes)),
            None => self.google.open_file(name),
        }
    }
}

/// A path without the `.` in it: a file has one name, however it is asked for.
fn plain(path: &str) -> String {
    let path = path.strip_prefix("file://").unwrap_or(path);
    let parts = Path::new(path)
        .components()
        .filter(|part| *part != Component::CurDir);
    parts.collect::<std::path::PathBuf>().display().to_string()
}

#[cfg(test)]
mod tests;
