//! The module `k6/experimental/redis`: a client whose commands are promises.
//!
//! It follows k6's `xk6-redis`: a client connects with its first command, which the init context does not have; whatever
//! goes wrong rejects the promise, also a value that is not there (`redis: nil`); values are texts, numbers and truths.

mod options;

use std::{cell::RefCell, rc::Rc};

use rquickjs::{
    Array, Class, Coerced, Ctx, Exception, FromJs, Function, JsLifetime, Object, Persistent, Promise, Result,
    String as JsString, Value,
    class::Trace,
    function::{Constructor, Opt, Rest, This},
    module::{Declarations, Exports, ModuleDef},
};

use super::Shelf;
use crate::{
    net::{RedisPlan, RedisStore, Reply},
    script::{
        bytes::well_formed,
        events::Settle,
        host::{Host, Phase},
    },
};

/// The module `k6/experimental/redis`.
pub struct RedisModule;

/// What becomes of a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gives {
    /// As it is.
    Value,
    /// 1 is true.
    Truth,
    /// Pairs are an object.
    Pairs,
}

use Gives::{Pairs, Truth, Value as Plain};

/// A command: its name in JavaScript and in Redis; what it takes, a letter each: text, integer, value, and capitals for any
/// number of them; and what it gives.
type Command = (&'static str, &'static str, &'static str, Gives);

const COMMANDS: [Command; 43] = [
    ("get", "GET", "t", Plain),
    ("getSet", "GETSET", "tv", Plain),
    ("del", "DEL", "T", Plain),
    ("getDel", "GETDEL", "t", Plain),
    ("exists", "EXISTS", "T", Plain),
    ("incr", "INCR", "t", Plain),
    ("incrBy", "INCRBY", "ti", Plain),
    ("decr", "DECR", "t", Plain),
    ("decrBy", "DECRBY", "ti", Plain),
    ("randomKey", "RANDOMKEY", "", Plain),
    ("mget", "MGET", "T", Plain),
    ("expire", "EXPIRE", "ti", Truth),
    ("ttl", "TTL", "t", Plain),
    ("persist", "PERSIST", "t", Truth),
    ("lpush", "LPUSH", "tV", Plain),
    ("rpush", "RPUSH", "tV", Plain),
    ("lpop", "LPOP", "t", Plain),
    ("rpop", "RPOP", "t", Plain),
    ("lrange", "LRANGE", "tii", Plain),
    ("lindex", "LINDEX", "ti", Plain),
    ("lset", "LSET", "tit", Plain),
    ("lrem", "LREM", "tit", Plain),
    ("llen", "LLEN", "t", Plain),
    ("hset", "HSET", "ttv", Plain),
    ("hsetnx", "HSETNX", "ttt", Truth),
    ("hget", "HGET", "tt", Plain),
    ("hdel", "HDEL", "tT", Plain),
    ("hgetall", "HGETALL", "t", Pairs),
    ("hkeys", "HKEYS", "t", Plain),
    ("hvals", "HVALS", "t", Plain),
    ("hlen", "HLEN", "t", Plain),
    ("hincrby", "HINCRBY", "tti", Plain),
    ("sadd", "SADD", "tV", Plain),
    ("srem", "SREM", "tV", Plain),
    ("sismember", "SISMEMBER", "tv", Truth),
    ("smembers", "SMEMBERS", "t", Plain),
    ("srandmember", "SRANDMEMBER", "t", Plain),
    ("spop", "SPOP", "t", Plain),
    // These two are put together otherwise: see `words`.
    ("set", "SET", "tvi", Plain),
    ("sendCommand", "", "tV", Plain),
    // By the names that Redis itself has for them.
    ("getset", "GETSET", "tv", Plain),
    ("getdel", "GETDEL", "t", Plain),
    ("randomkey", "RANDOMKEY", "", Plain),
];

impl ModuleDef for RedisModule {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        declare.declare("Client")?;
        declare.declare("default")?;
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let shelf = Shelf::new(ctx, exports)?;
        let client = Constructor::new_class::<RedisClient, _, _>(ctx.clone(), RedisClient::make)?;
        client.set_name("Client")?;
        let prototype: Object = client.get("prototype")?;
        for command in &COMMANDS {
            let call = move |this: This<Class<'js, RedisClient>>, ctx: Ctx<'js>, rest: Rest<Value<'js>>| {
                this.0.borrow().call(&ctx, command, &rest.0)
            };
            prototype.set(command.0, Function::new(ctx.clone(), call)?.with_name(command.0)?)?;
        }
        shelf.value("Client", client.into_value())?;
        shelf.finish()
    }
}

/// A client as scripts see it.
#[derive(Trace, JsLifetime)]
#[rquickjs::class(rename = "Client")]
pub struct RedisClient {
    #[qjs(skip_trace)]
    host: Rc<Host>,
    #[qjs(skip_trace)]
    plan: RedisPlan,
    /// Made with the first command.
    #[qjs(skip_trace)]
    redis: RefCell<Option<Rc<RedisStore>>>,
}

impl RedisClient {
    fn make<'js>(ctx: Ctx<'js>, options: Opt<Value<'js>>) -> Result<Class<'js, RedisClient>> {
        let plan = options::read(&ctx, options.0)?
            .map_err(|why| Exception::throw_message(&ctx, &format!("invalid options; reason: {why}")))?;
        let client = RedisClient {
            host: Host::of(&ctx)?,
            plan,
            redis: RefCell::default(),
        };
        Class::instance(ctx, client)
    }

    /// The connections, or why there are none.
    fn redis(&self) -> std::result::Result<Rc<RedisStore>, String> {
        match self.host.phase.get() {
            Phase::Running => {}
            Phase::Init => {
                return Err("connecting to a redis server in the init context is not supported".to_owned());
            }
        }
        if let Some(redis) = &*self.redis.borrow() {
            return Ok(redis.clone());
        }
        let made = RedisStore::open(&self.host.client, self.plan.clone());
        let redis = Rc::new(made.map_err(|error| error.message.into_owned())?);
        self.redis.replace(Some(redis.clone()));
        Ok(redis)
    }

    fn call<'js>(
        &self,
        ctx: &Ctx<'js>,
        (name, redis_name, takes, gives): &'static Command,
        given: &[Value<'js>],
    ) -> Result<Promise<'js>> {
        let (promise, resolve, reject) = Promise::new(ctx)?;
        let words = words(ctx, name, redis_name, takes, given)?;
        let ready = self.redis().and_then(|redis| Ok((redis, words?)));
        let (redis, words) = match ready {
            Ok(ready) => ready,
            Err(why) => {
                reject.call::<_, ()>((Exception::from_message(ctx.clone(), &why)?,))?;
                return Ok(promise);
            }
        };
        let settle = (Persistent::save(ctx, resolve), Persistent::save(ctx, reject));
        let counting = Counting(self.host.clone(), redis);
        self.host.events.spawn(async move {
            let reply = counting.1.call(&words).await;
            drop(counting);
            Box::new(move |ctx: &Ctx<'_>| {
                let (resolve, reject): (Function, Function) =
                    (settle.0.restore(ctx)?, settle.1.restore(ctx)?);
                let why = match reply {
                    // As of a thing that is not there, in the dialect; in an array it is null.
                    Ok(Reply::Nil) => "redis: nil".to_owned(),
                    Ok(reply) => return resolve.call((given_back(ctx, &reply, *gives)?,)),
                    Err(error) => error.to_string(),
                };
                reject.call((Exception::from_message(ctx.clone(), &why)?,))
            }) as Settle
        });
        Ok(promise)
    }
}

#[rquickjs::methods]
impl RedisClient {
    /// Whether a command was sent before.
    #[qjs(rename = "isConnected")]
    fn is_connected(&self) -> bool {
        self.redis.borrow().is_some()
    }
}

/// Counts what went over the wire, also of a command that is given up.
struct Counting(Rc<Host>, Rc<RedisStore>);

impl Drop for Counting {
    fn drop(&mut self) {
        self.0.add_bytes(self.1.take_bytes());
    }
}

/// The words of a command. The inner error is one for the promise.
fn words<'js>(
    ctx: &Ctx<'js>,
    name: &str,
    redis_name: &str,
    takes: &str,
    given: &[Value<'js>],
) -> Result<std::result::Result<Vec<Vec<u8>>, String>> {
    let mut words = vec![redis_name.as_bytes().to_vec()];
    let undefined = Value::new_undefined(ctx.clone());
    let mut index = 0;
    for letter in takes.chars() {
        let left = if letter.is_ascii_uppercase() {
            given.get(index..).unwrap_or_default()
        } else {
            std::slice::from_ref(given.get(index).unwrap_or(&undefined))
        };
        for value in left {
            match letter.to_ascii_lowercase() {
                't' => words.push(text(ctx, value)?),
                'i' => words.push(integer(ctx, value)?.to_string().into_bytes()),
                _ => match plain(ctx, value)? {
                    Some(word) => words.push(word),
                    None => {
                        return Ok(Err(format!(
                            "unsupported type provided for argument at index {index}, supported types are string, number, and boolean"
                        )));
                    }
                },
            }
            index += 1;
        }
    }
    if name == "sendCommand" {
        words.remove(0);
    }
    if name == "set" {
        // Seconds until it goes, or none.
        let seconds = words.pop().unwrap_or_default();
        if seconds != b"0" {
            words.extend([b"EX".to_vec(), seconds]);
        }
    }
    Ok(Ok(words))
}

fn text<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<Vec<u8>> {
    if value.is_undefined() || value.is_null() {
        return Ok(Vec::new());
    }
    let text = Coerced::<JsString>::from_js(ctx, value.clone())?.0;
    Ok(well_formed(ctx, &text)?.into_bytes())
}

fn integer<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<i64> {
    if value.is_undefined() || value.is_null() {
        return Ok(0);
    }
    Ok(Coerced::<f64>::from_js(ctx, value.clone())?.0 as i64)
}

/// A text, a number or a truth; as Redis has no truths they are 1 and 0.
fn plain<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<Option<Vec<u8>>> {
    if let Some(truth) = value.as_bool() {
        return Ok(Some(vec![b'0' + u8::from(truth)]));
    }
    if value.is_string() || value.is_number() {
        return text(ctx, value).map(Some);
    }
    Ok(None)
}

/// A reply as JavaScript.
fn given_back<'js>(ctx: &Ctx<'js>, reply: &Reply, gives: Gives) -> Result<Value<'js>> {
    match (reply, gives) {
        (Reply::Integer(number), Truth) => Ok(Value::new_bool(ctx.clone(), *number == 1)),
        (Reply::Array(items), Pairs) => {
            let object = Object::new(ctx.clone())?;
            for pair in items.chunks_exact(2) {
                let name = given_back(ctx, &pair[0], Plain)?;
                object.set(
                    name.get::<Coerced<String>>()?.0,
                    given_back(ctx, &pair[1], Plain)?,
                )?;
            }
            Ok(object.into_value())
        }
        (Reply::Array(items), _) => {
            let array = Array::new(ctx.clone())?;
            for (index, item) in items.iter().enumerate() {
                array.set(index, given_back(ctx, item, Plain)?)?;
            }
            Ok(array.into_value())
        }
        (Reply::Integer(number), _) => Ok(Value::new_number(ctx.clone(), *number as f64)),
        (Reply::Simple(text) | Reply::Error(text), _) => {
            Ok(JsString::from_str(ctx.clone(), text)?.into_value())
        }
        (Reply::Bulk(bytes), _) => {
            let text = String::from_utf8_lossy(bytes);
            Ok(JsString::from_str(ctx.clone(), &text)?.into_value())
        }
        (Reply::Nil, _) => Ok(Value::new_null(ctx.clone())),
    }
}
