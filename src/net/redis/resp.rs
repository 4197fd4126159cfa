//! The protocol of Redis, version 2 (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

use bytes::{Buf, Bytes, BytesMut};

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A short text, such as `OK`.
    Simple(String),
    /// Why not.
    Error(String),
    /// A number.
    Integer(i64),
    /// Bytes.
    Bulk(Bytes),
    /// Several replies.
    Array(Vec<Reply>),
    /// Nothing is there.
    Nil,
}

/// Arrays in arrays; no command's reply is deeper by far.
const DEEPEST: u8 = 32;
/// The largest text that a Redis holds.
const LARGEST: usize = 512 << 20;

/// A command as it goes out: an array of texts.
pub(super) fn command(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The first whole reply of what was read, which it takes out; `None` if there is none yet.
///
/// # Errors
/// What was read is no reply.
pub(super) fn reply(buffer: &mut BytesMut) -> Result<Option<Reply>, &'static str> {
    let mut at = 0;
    let Some(()) = whole(buffer, &mut at, 0)? else {
        return Ok(None);
    };
    let mut bytes = buffer.split_to(at).freeze();
    Ok(Some(taken(&mut bytes)))
}

const NO_REPLY: &str = "the answer is no reply of a Redis";

/// Looks for the end of a reply, without taking anything: what is not whole yet is looked at again when there is more.
fn whole(bytes: &[u8], at: &mut usize, depth: u8) -> Result<Option<()>, &'static str> {
    if depth > DEEPEST {
        return Err("the reply has arrays in arrays without end");
    }
    let Some(line) = line(bytes, *at) else {
        return Ok(None);
    };
    let (kind, rest) = line.split_first().ok_or(NO_REPLY)?;
    *at += line.len() + 2;
    match kind {
        b'+' | b'-' => Ok(Some(())),
        b':' => number(rest).map(|_| Some(())),
        b'$' => {
            let Ok(length) = usize::try_from(number(rest)?) else {
                return Ok(Some(()));
            };
            if length > LARGEST {
                return Err("the reply is larger than any Redis would send");
            }
            *at += length + 2;
            Ok((bytes.len() >= *at).then_some(()))
        }
        b'*' => {
            for _ in 0..number(rest)?.max(0) {
                let Some(()) = whole(bytes, at, depth + 1)? else {
                    return Ok(None);
                };
            }
            Ok(Some(()))
        }
        _ => Err(NO_REPLY),
    }
}

/// The line that begins here, without its end.
fn line(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    Some(&rest[..end])
}

fn number(digits: &[u8]) -> Result<i64, &'static str> {
    let text = std::str::from_utf8(digits).ok();
    text.and_then(|text| text.parse().ok()).ok_or(NO_REPLY)
}

/// Takes a reply that is known to be whole.
fn taken(bytes: &mut Bytes) -> Reply {
    let head = line(bytes, 0).map_or(0, <[u8]>::len);
    let line = bytes.split_to(head);
    bytes.advance(2.min(bytes.len()));
    let text = |line: &Bytes| String::from_utf8_lossy(&line[1..]).into_owned();
    match line.first() {
        Some(b'+') => Reply::Simple(text(&line)),
        Some(b'-') => Reply::Error(text(&line)),
        Some(b':') => Reply::Integer(number(&line[1..]).unwrap_or_default()),
        Some(b'$') => match number(&line[1..]).map(usize::try_from) {
            Ok(Ok(length)) => {
                let value = bytes.split_to(length.min(bytes.len()));
                bytes.advance(2.min(bytes.len()));
                Reply::Bulk(value)
            }
            _ => Reply::Nil,
        },
        _ => match number(line.get(1..).unwrap_or_default()) {
            Ok(count @ 0..) => Reply::Array((0..count).map(|_| taken(bytes)).collect()),
            _ => Reply::Nil,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Reply>, &'static str> {
        reply(&mut BytesMut::from(text))
    }

    #[test]
    fn commands_are_arrays_of_texts() {
        let parts = [b"SET".to_vec(), b"k".to_vec(), "ü".as_bytes().to_vec()];
        let expected = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nü\r\n";
        assert_eq!(command(&parts), expected.as_bytes());
    }

    #[test]
    fn replies_of_every_kind() {
        let bulk = |text: &'static str| Reply::Bulk(Bytes::from_static(text.as_bytes()));
        for (text, reply) in [
            ("+OK\r\n", Reply::Simple("OK".into())),
            ("-ERR no\r\n", Reply::Error("ERR no".into())),
            (":-3\r\n", Reply::Integer(-3)),
            ("$2\r\n\r\n\r\n", bulk("\r\n")),
            ("$-1\r\n", Reply::Nil),
            ("*-1\r\n", Reply::Nil),
            ("*0\r\n", Reply::Array(vec![])),
            (
                "*3\r\n:1\r\n*1\r\n$1\r\na\r\n$-1\r\n",
                Reply::Array(vec![Reply::Integer(1), Reply::Array(vec![bulk("a")]), Reply::Nil]),
            ),
        ] {
            assert_eq!(read(text), Ok(Some(reply)), "{text:?}");
            // As long as the end is missing there is no reply, and nothing is lost.
            for end in 0..text.len() {
                let mut part = BytesMut::from(&text[..end]);
                assert_eq!(super::reply(&mut part), Ok(None), "{text:?} to {end}");
                assert_eq!(part.len(), end);
            }
        }
    }

    #[test]
    fn what_follows_stays() {
        let mut buffer = BytesMut::from("+OK\r\n:5\r\n:");
        assert_eq!(reply(&mut buffer), Ok(Some(Reply::Simple("OK".into()))));
        assert_eq!(reply(&mut buffer), Ok(Some(Reply::Integer(5))));
        assert_eq!((reply(&mut buffer), &buffer[..]), (Ok(None), &b":"[..]));
    }

    #[test]
    fn nonsense_is_no_reply() {
        for text in ["HTTP/1.1 400\r\n", "\r\n", ":x\r\n", "$x\r\n", "$99999999999\r\n"] {
            assert!(read(text).is_err(), "{text:?}");
        }
        assert!(read(&"*1\r\n".repeat(100)).is_err());
    }
}
