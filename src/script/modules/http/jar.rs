//! `CookieJar` and `http.cookieJar()`.

use std::fmt::Write;

use rquickjs::{Coerced, Ctx, Exception, JsLifetime, Object, Result, class::Trace, function::Opt};
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

    /// Stores a cookie as if `url` had sent it; `options` are its attributes.
    fn set<'js>(
        &self,
        ctx: Ctx<'js>,
        url: String,
        name: String,
        value: Coerced<String>,
        options: Opt<Object<'js>>,
    ) -> Result<bool> {
        let mut text = format!("{name}={}", value.0);
        if let Some(options) = options.0 {
            for (key, attribute) in [
                ("domain", "Domain"),
                ("path", "Path"),
                ("expires", "Expires"),
                ("max_age", "Max-Age"),
            ] {
                if let Some(value) = options.get::<_, Option<Coerced<String>>>(key)? {
                    let _ = write!(text, "; {attribute}={}", value.0);
                }
            }
            for (key, attribute) in [("secure", "Secure"), ("http_only", "HttpOnly")] {
                if options.get::<_, Option<bool>>(key)?.unwrap_or(false) {
                    let _ = write!(text, "; {attribute}");
                }
            }
        }
        Ok(self.jar.set(&parse(&ctx, &url)?, &text))
    }

    /// Forgets the cookies that a request to `url` would carry.
    fn clear(&self, ctx: Ctx<'_>, url: String) -> Result<()> {
        self.jar.remove(&parse(&ctx, &url)?, None);
        Ok(())
    }

    /// Forgets one cookie of `url`.
    #[qjs(rename = "delete")]
    fn delete(&self, ctx: Ctx<'_>, url: String, name: String) -> Result<()> {
        self.jar.remove(&parse(&ctx, &url)?, Some(&name));
        Ok(())
    }
}

fn parse(ctx: &Ctx<'_>, url: &str) -> Result<Url> {
    Url::parse(url).map_err(|e| Exception::throw_type(ctx, &format!("`{url}` is no URL: {e}")))
}
