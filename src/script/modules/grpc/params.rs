//! The parameters of `connect` and of calls. As in the dialect, one that is not known is an error.

use std::time::Duration;

use rquickjs::{Array, Ctx, Exception, Object, Result, Value};

use crate::{
    net::{
        TlsMaterial,
        grpc::{Dial, Metadata, is_binary},
    },
    pace::parse_duration,
    script::{bytes::bytes_of, host::Host, modules::metrics::tag_pairs},
};

/// How long connecting may take unless a script says otherwise.
const CONNECTING: Duration = Duration::from_mins(1);

/// What `connect` is asked for.
pub struct Connect {
    pub dial: Dial,
    pub timeout: Duration,
    /// Whether the connection is that of all virtual users of this worker who ask for the same.
    pub shared: bool,
    /// Whether the server is asked for its services.
    pub reflect: bool,
    pub reflect_metadata: Metadata,
}

/// Says what is wrong, with the place in front.
struct Wrong<'a, 'js> {
    ctx: &'a Ctx<'js>,
    place: &'static str,
}

impl<'js> Wrong<'_, 'js> {
    fn say(&self, what: &str) -> rquickjs::Error {
        Exception::throw_message(self.ctx, &format!("invalid {} parameters: {what}", self.place))
    }

    fn value(&self, key: &str, value: &Value<'js>, needs: &str) -> rquickjs::Error {
        let shown = shown(self.ctx, value);
        self.say(&format!("invalid {key} value: '{shown}', it needs to be {needs}"))
    }

    fn truth(&self, key: &str, value: &Value<'js>) -> Result<bool> {
        value.as_bool().ok_or_else(|| self.value(key, value, "boolean"))
    }

    fn size(&self, key: &str, value: &Value<'js>) -> Result<Option<usize>> {
        let number = value.as_number().filter(|number| number.fract() == 0.0);
        let number = number.ok_or_else(|| self.value(key, value, "an integer"))?;
        if number < 0.0 {
            return Err(self.value(key, value, "a positive integer"));
        }
        Ok((number > 0.0).then_some(number as usize))
    }

    fn text(&self, key: &str, value: &Value<'js>, needs: &str) -> Result<String> {
        match value.as_string() {
            Some(text) => text.to_string(),
            None => Err(self.value(key, value, needs)),
        }
    }

    fn duration(&self, value: &Value<'js>) -> Result<Duration> {
        let parsed = match (value.as_number(), value.as_string()) {
            (Some(ms), _) => Duration::try_from_secs_f64(ms / 1000.0).map_err(|error| error.to_string()),
            (None, Some(text)) => {
                let text = text.to_string()?;
                parse_duration(&text).map_err(|error| format!("invalid duration \"{text}\": {error}"))
            }
            (None, None) => Err(format!(
                "unable to use type {} as a duration value; write milliseconds or text such as '10s'",
                value.type_name()
            )),
        };
        parsed.map_err(|why| self.say(&format!("invalid timeout value: {why}")))
    }

    fn metadata(&self, key: &str, value: &Value<'js>) -> Result<Metadata> {
        let mut metadata = Metadata::default();
        if value.is_undefined() || value.is_null() {
            return Ok(metadata);
        }
        let wrong = |what: &str| self.say(&format!("invalid {key} param: {what}"));
        let Some(object) = value.as_object().filter(|object| !object.is_array()) else {
            return Err(wrong("must be an object with key-value pairs"));
        };
        for entry in object.props::<String, Value>() {
            let (key, value) = entry?;
            let bytes = if is_binary(&key) {
                bytes_of(&value).ok_or_else(|| wrong(&format!("\"{key}\" value must be binary")))?
            } else {
                let text = value.as_string();
                let text = text.ok_or_else(|| wrong(&format!("\"{key}\" value must be a string")))?;
                text.to_string()?.into_bytes()
            };
            metadata.add(&key, &bytes).map_err(|why| wrong(&why))?;
        }
        Ok(metadata)
    }

    fn tls(&self, value: &Value<'js>) -> Result<TlsMaterial> {
        const PEM: &str = "a PEM formatted string";
        const PEMS: &str = "a string or an array of PEM formatted strings";
        let Some(object) = value.as_object().filter(|object| !object.is_array()) else {
            let shown = shown(self.ctx, value);
            return Err(self.say(&format!(
                "invalid tls value: '{shown}', expected (optional) keys: cert, key, password, and cacerts"
            )));
        };
        let mut material = TlsMaterial::default();
        let mut password = String::new();
        for entry in object.props::<String, Value>() {
            let (key, value) = entry?;
            if value.is_undefined() {
                continue;
            }
            match key.as_str() {
                "cert" => material.certificate = self.text("tls cert", &value, PEM)?,
                "key" => material.key = self.text("tls key", &value, PEM)?,
                "password" => password = self.text("tls password", &value, "a string")?,
                "cacerts" => match value.as_array() {
                    Some(roots) => {
                        for root in Array::iter::<Value>(roots) {
                            material.roots.push(self.text("tls cacerts", &root?, PEMS)?);
                        }
                    }
                    None => material.roots = vec![self.text("tls cacerts", &value, PEMS)?],
                },
                _ => {}
            }
        }
        if !material.key.is_empty() {
            let opened = Host::of(self.ctx)?
                .workshop
                .program
                .opened(&material.key, &password);
            material.key =
                opened.map_err(|why| self.say(&format!("invalid tls key value: {why}; {}", why.mend())))?;
        }
        Ok(material)
    }
}

fn shown<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> String {
    let json = ctx.json_stringify(value.clone()).ok().flatten();
    let text = json.and_then(|json| json.to_string().ok());
    text.unwrap_or_else(|| value.type_name().to_owned())
}

impl Connect {
    /// Reads the parameters of `connect`.
    pub fn read<'js>(ctx: &Ctx<'js>, address: String, params: Option<&Value<'js>>) -> Result<Connect> {
        let mut connect = Connect {
            dial: Dial {
                address,
                plaintext: false,
                tls: None,
                authority: None,
                max_receive: None,
                max_send: None,
            },
            timeout: CONNECTING,
            shared: false,
            reflect: false,
            reflect_metadata: Metadata::default(),
        };
        let wrong = Wrong {
            ctx,
            place: "grpc.connect()",
        };
        for (key, value) in entries(&wrong, params)? {
            match key.as_str() {
                "plaintext" => connect.dial.plaintext = wrong.truth(&key, &value)?,
                "timeout" => {
                    let timeout = wrong.duration(&value)?;
                    connect.timeout = if timeout.is_zero() { CONNECTING } else { timeout };
                }
                "reflect" => connect.reflect = wrong.truth(&key, &value)?,
                "reflectMetadata" => connect.reflect_metadata = wrong.metadata(&key, &value)?,
                "maxReceiveSize" => connect.dial.max_receive = wrong.size(&key, &value)?,
                "maxSendSize" => connect.dial.max_send = wrong.size(&key, &value)?,
                "tls" => connect.dial.tls = Some(wrong.tls(&value)?),
                "authority" => {
                    connect.dial.authority = Some(wrong.text(&key, &value, "a string")?);
                }
                "connectionSharing" => connect.shared = wrong.truth(&key, &value)?,
                other => return Err(wrong.say(&format!("unknown connect param: \"{other}\""))),
            }
        }
        Ok(connect)
    }
}

fn entries<'js>(wrong: &Wrong<'_, 'js>, params: Option<&Value<'js>>) -> Result<Vec<(String, Value<'js>)>> {
    let Some(params) = params.filter(|params| !params.is_undefined() && !params.is_null()) else {
        return Ok(Vec::new());
    };
    let object: Option<&Object> = params.as_object();
    let Some(object) = object else {
        return Err(wrong.say(&format!("they must be an object, not a {}", params.type_name())));
    };
    let all = object.props::<String, Value>().collect::<Result<Vec<_>>>()?;
    // What is left out by `{ timeout: undefined }` is left out.
    Ok(all
        .into_iter()
        .filter(|(_, value)| !value.is_undefined())
        .collect())
}

/// What a call is given beside its messages.
#[derive(Default)]
pub struct CallParams {
    pub metadata: Metadata,
    pub tags: Vec<(String, String)>,
    /// `None` where none is given.
    pub timeout: Option<Duration>,
    /// Whether the messages that come are dropped unread.
    pub discard: bool,
}

impl CallParams {
    /// Reads the parameters of a call.
    pub fn read<'js>(ctx: &Ctx<'js>, place: &'static str, params: Option<&Value<'js>>) -> Result<CallParams> {
        let mut read = CallParams::default();
        let wrong = Wrong { ctx, place };
        for (key, value) in entries(&wrong, params)? {
            match key.as_str() {
                "metadata" => read.metadata = wrong.metadata(&key, &value)?,
                "tags" => {
                    read.tags =
                        tag_pairs(ctx, &value).map_err(|refusal| refusal.thrown(ctx, "metric tags: "))?;
                }
                "timeout" => {
                    let timeout = wrong.duration(&value)?;
                    read.timeout = (!timeout.is_zero()).then_some(timeout);
                }
                "discardResponseMessage" => {
                    read.discard = value.get::<rquickjs::Coerced<bool>>()?.0;
                }
                other => return Err(wrong.say(&format!("unknown param: \"{other}\""))),
            }
        }
        Ok(read)
    }
}
