//! `http.file(data, name, type)`: a file in a form.

use std::time::{SystemTime, UNIX_EPOCH};

use rquickjs::{
    ArrayBuffer, Class, Ctx, Exception, IntoJs, JsLifetime, Result, Value, class::Trace, function::Opt,
};

use crate::script::bytes::bytes_of;

/// What a form sends as a file.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct FileData {
    data: Vec<u8>,
    /// Whether `data` was given as text.
    text: bool,
    filename: String,
    kind: String,
}

impl FileData {
    /// The file's content.
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// What the server is told that the file is called.
    pub fn filename(&self) -> &str {
        &self.filename
    }

    /// Its media type, without the characters that would end a header line.
    pub fn kind(&self) -> String {
        self.kind.replace(['\r', '\n'], "")
    }
}

#[rquickjs::methods]
impl FileData {
    #[qjs(get, enumerable, rename = "data")]
    fn data<'js>(&self, ctx: Ctx<'js>) -> Result<Value<'js>> {
        if self.text {
            return String::from_utf8_lossy(&self.data).into_js(&ctx);
        }
        Ok(ArrayBuffer::new_copy(ctx, &self.data)?.into_value())
    }

    #[qjs(get, enumerable, rename = "filename")]
    fn name(&self) -> String {
        self.filename.clone()
    }

    #[qjs(get, enumerable, rename = "content_type")]
    fn content_type(&self) -> String {
        self.kind.clone()
    }
}

/// `http.file`: without a name the file is called by the time in nanoseconds, as in the dialect.
pub fn file<'js>(
    ctx: Ctx<'js>,
    data: Value<'js>,
    filename: Opt<Option<String>>,
    kind: Opt<Option<String>>,
) -> Result<Class<'js, FileData>> {
    let (data, text) = match (data.as_string(), bytes_of(&data)) {
        (Some(text), _) => (text.to_string()?.into_bytes(), true),
        (None, Some(bytes)) => (bytes, false),
        (None, None) => {
            let message =
                "the data of http.file() must be a string or an ArrayBuffer, such as open(path, 'b') gives";
            return Err(Exception::throw_type(&ctx, message));
        }
    };
    let now = || {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        time.as_nanos().to_string()
    };
    let given = |text: Opt<Option<String>>| text.0.flatten().filter(|text| !text.is_empty());
    let file = FileData {
        data,
        text,
        filename: given(filename).unwrap_or_else(now),
        kind: given(kind).unwrap_or_else(|| "application/octet-stream".to_owned()),
    };
    Class::instance(ctx, file)
}
