//! `CookieJar` and `http.cookieJar()`.

use std::fmt::Write;

use rquickjs::{
    Coerced, Ctx, Exception, FromJs, JsLifetime, Object, Result, Value, class::Trace, function::Opt,
};
use url::Url;

use crate::net::Jar;

/// A cookie jar that scripts can look into and fill.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct CookieJar {
    #[qjs(skip_trace)]
    jar: Jar,
}

impl CookieJar {
    pub fn new(jar: Jar) -> CookieJar {
        CookieJar { jar }
    }

    /// The jar itself: a handle, not a copy.
    pub fn jar(&self) -> Jar {
        self.jar.clone()
    }
}

#[rquickjs::methods]
impl CookieJar {
    /// The cookies that a request to `url` would carry: name → list of values.
    #[qjs(rename = "cookiesForURL")]
    fn cookies_for_url<'js>(&self, ctx: Ctx<'js>, url: String) -> Result<Object<'js>> {
        let object = Object::new(ctx.clone())?;
        for (name, value) in self.jar.cookies(&parse(&ctx, &url)?) {
            let mut values: Vec<String> = object.get::<_, Option<Vec<String>>>(&*name)?.unwrap_or_default();
            values.push(value);
            object.set(name, values)?;
        }
        Ok(object)
    }

    /// Stores a cookie as if `url` had sent it; `options` are its attributes, by names in any case. As in the dialect it is
    /// true also if the jar does not take the cookie.
    fn set<'js>(
        &self,
        ctx: Ctx<'js>,
        url: String,
        name: Coerced<String>,
        value: Coerced<String>,
        options: Opt<Value<'js>>,
    ) -> Result<bool> {
        let mut text = format!("{}={}", name.0, value.0);
        let options = options.0.as_ref().and_then(Value::as_object);
        for entry in options
            .iter()
            .flat_map(|options| options.props::<String, Value>())
        {
            let (key, value) = entry?;
            let attribute = match key.to_ascii_lowercase().as_str() {
                "domain" => "Domain",
                "path" => "Path",
                "expires" => "Expires",
                "max_age" => {
                    let seconds = Coerced::<f64>::from_js(&ctx, value)?.0;
                    // No seconds are no attribute, as in Go's cookies.
                    if seconds != 0.0 && seconds.is_finite() {
                        let _ = write!(text, "; Max-Age={}", seconds.trunc());
                    }
                    continue;
                }
                flag @ ("secure" | "http_only") => {
                    if Coerced::<bool>::from_js(&ctx, value)?.0 {
                        text.push_str(if flag == "secure" {
                            "; Secure"
                        } else {
                            "; HttpOnly"
                        });
                    }
                    continue;
                }
                _ => continue,
            };
            let value = Coerced::<String>::from_js(&ctx, value)?.0;
            if !value.is_empty() {
                let _ = write!(text, "; {attribute}={value}");
            }
        }
        self.jar.set(&parse(&ctx, &url)?, &text);
        Ok(true)
    }

    /// Forgets the cookies that a request to `url` would carry.
    fn clear(&self, ctx: Ctx<'_>, url: String) -> Result<()> {
        self.jar.remove(&parse(&ctx, &url)?, None);
        Ok(())
    }

    /// Forgets one cookie of `url`.
    #[qjs(rename = "delete")]
    fn delete(&self, ctx: Ctx<'_>, url: String, name: String) -> Result<()> {
        if name.is_empty() {
            return Err(Exception::throw_message(
                &ctx,
                "jar.delete() needs the name of a cookie",
            ));
        }
        self.jar.remove(&parse(&ctx, &url)?, Some(&name));
        Ok(())
    }
}

fn parse(ctx: &Ctx<'_>, url: &str) -> Result<Url> {
    Url::parse(url).map_err(|e| Exception::throw_type(ctx, &format!("`{url}` is no URL: {e}")))
}
