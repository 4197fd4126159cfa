//! A small stand-in for services of AWS. It works out by itself what the signature of each request has to be, and answers S3's
//! requests from a store in memory, others with what they were asked.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::Mutex;

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::dialect_support::{Asked, read, room};

/// The one who may ask.
pub const KEY_ID: &str = "AKIDEXAMPLEEXAMPLE";
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Objects by bucket and key; parts of uploads by the name of the upload and their number.
static OBJECTS: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());

/// Starts it for the rest of the process.
pub fn services() -> SocketAddr {
    room::start(|stream| {
        let mut reader = BufReader::new(stream);
        loop {
            let asked = read(&mut reader)?;
            answer(&asked).write(reader.get_mut())?;
        }
    })
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, kind: &'static str, body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            status,
            headers: vec![("Content-Type", kind.to_owned())],
            body: body.into(),
        }
    }

    fn json(status: u16, body: &Value) -> Answer {
        Answer::new(status, "application/x-amz-json-1.1", body.to_string())
    }

    fn xml(status: u16, body: &str) -> Answer {
        Answer::new(
            status,
            "application/xml",
            format!("<?xml version=\"1.0\"?>\n{body}"),
        )
    }

    fn refusal(status: u16, code: &str, message: &str) -> Answer {
        Answer::xml(
            status,
            &format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"),
        )
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }

    fn write(&self, stream: &mut (impl Read + Write)) -> Option<()> {
        let mut head = format!(
            "HTTP/1.1 {} Said\r\nContent-Length: {}\r\n",
            self.status,
            self.body.len()
        );
        for (name, value) in &self.headers {
            head.extend([*name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(&self.body).ok()?;
        stream.flush().ok()
    }
}

fn hex_of(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// What stands behind a name in a list of `name=value`.
fn value_of<'a>(list: &'a str, mark: char, name: &str) -> Option<&'a str> {
    let mut pairs = list.split(mark).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// The service that a request is signed for, if the signature is right: of the request as it came over the wire.
fn signed_for(asked: &Asked) -> Option<String> {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (credential, names, signature, time, hash, query) = match asked.header("authorization") {
        Some(header) => {
            let list = header.strip_prefix("AWS4-HMAC-SHA256 ")?;
            let body = hex_of(&asked.body);
            let said = asked.header("x-amz-content-sha256").unwrap_or(&body);
            if said != body && said != "UNSIGNED-PAYLOAD" {
                return None;
            }
            let part = |name: &str| value_of(list, ',', name).map(str::to_owned);
            let time = asked.header("x-amz-date")?.to_owned();
            let (names, signature) = (part("SignedHeaders")?, part("Signature")?);
            (
                part("Credential")?,
                names,
                signature,
                time,
                said.to_owned(),
                query.to_owned(),
            )
        }
        None => {
            let part = |name: &str| value_of(query, '&', name).map(decoded);
            let rest: Vec<&str> = query
                .split('&')
                .filter(|pair| !pair.starts_with("X-Amz-Signature="))
                .collect();
            let names = part("X-Amz-SignedHeaders")?;
            let (signature, time) = (part("X-Amz-Signature")?, part("X-Amz-Date")?);
            let hash = "UNSIGNED-PAYLOAD".to_owned();
            (
                part("X-Amz-Credential")?,
                names,
                signature,
                time,
                hash,
                rest.join("&"),
            )
        }
    };
    let mut parts = credential.split('/');
    let (id, day, region, service, end) = (
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
    );
    if id != KEY_ID || !names.split(';').any(|name| name == "host") {
        return None;
    }
    let signed: Vec<String> = names
        .split(';')
        .map(|name| {
            let words: Vec<&str> = asked.header(name).unwrap_or("").split_whitespace().collect();
            format!("{name}:{}\n", words.join(" "))
        })
        .collect();
    let headers = signed.concat();
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    let query = pairs.join("&");
    // Every service but S3 escapes what is in the request once more.
    let place = if service == "s3" {
        path.to_owned()
    } else {
        path.replace('%', "%25")
    };
    let canonical = [&asked.method, &place, &query, &headers, &names, &hash].map(String::as_str);
    let scope = [day, region, service, end].join("/");
    let hashed = hex_of(canonical.join("\n").as_bytes());
    let text = ["AWS4-HMAC-SHA256", &time, &scope, &hashed].join("\n");
    let key = [day, region, service, end]
        .iter()
        .fold(format!("AWS4{SECRET}").into_bytes(), |key, part| {
            keyed(&key, part)
        });
    (HEXLOWER.encode(&keyed(&key, &text)) == signature).then(|| service.to_owned())
}

fn answer(asked: &Asked) -> Answer {
    let target = asked.header("x-amz-target").unwrap_or("");
    match signed_for(asked).as_deref() {
        Some("s3") => store(asked),
        Some("lambda") => function(asked),
        Some(service) => called(service, target.split('.').next_back().unwrap_or(""), asked),
        None if target.is_empty() => {
            Answer::refusal(403, "AuthorizationHeaderMalformed", "the signature does not fit")
        }
        None => {
            let error =
                json!({ "__type": "InvalidSignatureException", "message": "the signature does not fit" });
            Answer::json(403, &error)
        }
    }
}

/// Answers by the name of the operation, with parts of what was asked.
fn called(service: &str, operation: &str, asked: &Asked) -> Answer {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let said = match operation {
        "GetSecretValue" if body["SecretId"] == "missing" => {
            let error =
                json!({ "__type": "ResourceNotFoundException", "Message": "there is no such secret" });
            return Answer::json(400, &error);
        }
        "GetSecretValue" => {
            json!({ "Name": body["SecretId"], "ARN": "arn:s", "SecretString": "tops", "CreatedDate": 1.5 })
        }
        "CreateSecret" => json!({ "Name": body["Name"], "ARN": body["ClientRequestToken"] }),
        "PutSecretValue" => json!({ "Name": body["SecretId"], "ARN": body["SecretString"] }),
        "ListSecrets" => json!({ "SecretList": [{ "Name": "one" }, { "Name": "two" }] }),
        "ListKeys" => json!({ "Keys": [{ "KeyArn": "arn:k", "KeyId": "k1" }] }),
        "GenerateDataKey" => {
            json!({ "KeyId": body["KeyId"], "CiphertextBlob": "c", "Plaintext": body["NumberOfBytes"].to_string() })
        }
        "GetParameter" => {
            json!({ "Parameter": { "Name": body["Name"], "Value": body["WithDecryption"], "Version": 3 } })
        }
        "SendMessage" => {
            json!({ "MessageId": body["MessageGroupId"], "MD5OfMessageBody": body["MessageAttributes"]["a"]["StringValue"] })
        }
        "SendMessageBatch" => json!({
            "Successful": [{ "MessageId": body["Entries"][0]["Id"], "MD5OfMessageBody": body["Entries"][0]["MessageBody"] }],
            "Failed": [{ "Code": "TooLong", "Message": body["Entries"][1]["MessageBody"] }],
        }),
        "ReceiveMessage" => {
            json!({ "Messages": [{ "MessageId": "m1", "Body": "text", "ReceiptHandle": "h", "Attributes": { "SenderId": "me" } }] })
        }
        "ListQueues" => json!({ "QueueUrls": [body["QueueNamePrefix"]] }),
        "ListStreams" => {
            json!({ "StreamNames": ["s"], "HasMoreStreams": false, "StreamSummaries": [{ "StreamName": "s", "StreamStatus": "ACTIVE" }] })
        }
        "PutRecords" => {
            json!({ "FailedRecordCount": 0, "Records": [{ "ShardId": "1", "SequenceNumber": body["Records"][0]["PartitionKey"] }] })
        }
        "GetRecords" => {
            json!({ "Records": [{ "Data": "ZGF0YQ==", "PartitionKey": "p" }], "NextShardIterator": body["ShardIterator"] })
        }
        "ListShards" => json!({ "Shards": [{ "ShardId": "shard-1" }] }),
        "GetShardIterator" => json!({ "ShardIterator": body["ShardIteratorType"] }),
        "GetItem" => json!({ "Item": body["Key"] }),
        "UpdateItem" => json!({ "Attributes": { "v": { "S": body["ReturnValues"] } } }),
        "Query" => json!({ "Items": [body["ExpressionAttributeValues"]], "Count": 1, "ScannedCount": 2 }),
        "Scan" => return Answer::json(500, &json!({ "__type": "InternalFailure" })),
        "DeleteSecret" | "DeleteMessage" | "CreateStream" | "DeleteStream" | "PutEvents" | "PutItem"
        | "DeleteItem" => json!({}),
        _ => {
            let error = json!({ "__type": "UnknownOperationException", "message": format!("{service} has no {operation}") });
            return Answer::json(400, &error);
        }
    };
    Answer::json(200, &said)
}

/// A function that says what it was given, or fails if that is its name.
fn function(asked: &Asked) -> Answer {
    let answer = Answer::new(200, "application/json", asked.body.clone())
        .with(
            "X-Amz-Executed-Version",
            asked.path.split('?').nth(1).unwrap_or("$LATEST"),
        )
        .with("X-Amz-Log-Result", BASE64.encode(b"a line of its log"));
    if asked.path.contains("/functions/fails/") {
        return answer.with("X-Amz-Function-Error", "Unhandled");
    }
    answer
}

fn store(asked: &Asked) -> Answer {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let name = decoded(path.trim_start_matches('/'));
    let part = |name: &str| value_of(query, '&', name).map(decoded);
    let mut objects = OBJECTS.lock().unwrap();
    let etag = |bytes: &[u8]| format!("\"{}\"", &hex_of(bytes)[..8]);
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    match (asked.method.as_str(), part("uploadId")) {
        ("GET", _) if name.is_empty() => Answer::xml(
            200,
            "<ListAllMyBucketsResult><Buckets><Bucket><Name>shop</Name><CreationDate>2024-05-06T07:08:09.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>",
        ),
        ("GET", _) if part("list-type").is_some() => {
            let (bucket, prefix) = (name, part("prefix").unwrap_or_default());
            let of_bucket = objects
                .iter()
                .filter_map(|(known, bytes)| Some((known.strip_prefix(&bucket)?, bytes)));
            let found = of_bucket.filter(|(key, _)| key.starts_with(&prefix));
            let one = |(key, bytes): (&str, &Vec<u8>)| {
                format!(
                    "<Contents><Key>{}</Key><LastModified>2024-05-06T07:08:09.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                    escaped(key),
                    bytes.len()
                )
            };
            let listed: String = found.map(one).collect();
            Answer::xml(
                200,
                &format!(
                    "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{listed}</ListBucketResult>"
                ),
            )
        }
        ("GET", _) => match objects.get(&name) {
            Some(bytes) => Answer::new(200, "text/plain", bytes.clone())
                .with("ETag", etag(bytes))
                .with("Last-Modified", "Mon, 06 May 2024 07:08:09 GMT"),
            None if name.starts_with("elsewhere/") => Answer::xml(301, ""),
            None => Answer::refusal(404, "NoSuchKey", "there is no &lt;such&gt; key"),
        },
        ("POST", _) if query.starts_with("uploads") => Answer::xml(
            200,
            "<InitiateMultipartUploadResult><UploadId>up1</UploadId></InitiateMultipartUploadResult>",
        ),
        ("PUT", Some(upload)) => {
            let key = format!("{upload} {}", part("partNumber").unwrap_or_default());
            objects.insert(key, asked.body.clone());
            Answer::new(200, "text/plain", "").with("ETag", etag(&asked.body))
        }
        ("POST", Some(upload)) => {
            let text = String::from_utf8_lossy(&asked.body).into_owned();
            let numbers = text
                .split("<PartNumber>")
                .skip(1)
                .filter_map(|rest| rest.split('<').next());
            let parts: Option<Vec<Vec<u8>>> = numbers
                .map(|number| objects.remove(&format!("{upload} {number}")))
                .collect();
            match parts {
                Some(parts) => {
                    objects.insert(name, parts.concat());
                    Answer::xml(200, "<CompleteMultipartUploadResult/>")
                }
                None => Answer::refusal(200, "InvalidPart", "a part is missing"),
            }
        }
        ("PUT", None) => {
            let source = asked.header("x-amz-copy-source").map(decoded);
            let bytes = match source {
                Some(source) => match objects.get(&source) {
                    Some(bytes) => bytes.clone(),
                    None => return Answer::refusal(200, "NoSuchKey", "nothing to copy"),
                },
                None => asked.body.clone(),
            };
            let answer = Answer::new(200, "text/plain", "").with("ETag", etag(&bytes));
            objects.insert(name, bytes);
            answer
        }
        ("DELETE", upload) => {
            match upload {
                Some(upload) => objects.retain(|key, _| !key.starts_with(&format!("{upload} "))),
                None => drop(objects.remove(&name)),
            }
            Answer::new(204, "text/plain", "")
        }
        _ => Answer::refusal(400, "Unknown", "nobody knows this"),
    }
}
