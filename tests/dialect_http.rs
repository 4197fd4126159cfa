//! Request bodies, authentication and compression as the dialect has them, one behaviour a test.
#![allow(clippy::unwrap_used)]

mod dialect_support;

use dialect_support::{echo_server, iterate};

fn with_server(body: &str) -> usize {
    let url = format!("http://{}", echo_server());
    iterate(&url, body).iter().map(|batch| batch.http.len()).sum()
}

#[test]
fn an_object_is_sent_as_a_form_in_the_order_of_its_names() {
    with_server(
        "const sent = http.post(`${url}/echo`, { b: 1.5, a: 'x y&z', list: [1, 'two'], flag: true, no: null }).json();
         eq(sent.headers['content-type'], 'application/x-www-form-urlencoded');
         eq(sent.body, 'a=x+y%26z&b=1.5&flag=true&list=1&list=two&no=%3Cnil%3E');",
    );
}

#[test]
fn a_nested_object_in_a_form_is_written_as_the_dialect_does() {
    with_server(
        "const sent = http.post(`${url}/echo`, { o: { b: 2, a: [1, 2] } }).json();
         eq(decodeURIComponent(sent.body.replace(/\\+/g, ' ')), 'o=map[a:[1 2] b:2]');",
    );
}

#[test]
fn an_object_with_a_file_is_multipart() {
    with_server(
        r#"const file = http.file(new Uint8Array([0, 255, 13, 10]).buffer, 'a "b".bin', 'application/x-thing');
         eq([file.filename, file.content_type, file.data.byteLength], ['a "b".bin', 'application/x-thing', 4]);
         const sent = http.post(`${url}/echo`, { field: 'value', file, other: http.file('text', 't.txt') }).json();
         const kind = sent.headers['content-type'];
         const boundary = kind.split('boundary=')[1];
         eq(kind.startsWith('multipart/form-data; boundary='), true);
         const text = String.fromCharCode(...sent.bytes);
         eq(text, [
           `--${boundary}`, 'Content-Disposition: form-data; name="field"', '', 'value',
           `--${boundary}`, 'Content-Disposition: form-data; name="file"; filename="a %22b%22.bin"',
           'Content-Type: application/x-thing', '', '\x00\xff\r\n',
           `--${boundary}`, 'Content-Disposition: form-data; name="other"; filename="t.txt"',
           'Content-Type: application/octet-stream', '', 'text',
           `--${boundary}--`, ''].join('\r\n'));"#,
    );
}

#[test]
fn a_file_without_a_name_is_called_by_the_time() {
    with_server("const { filename } = http.file('x'); eq(/^[0-9]{19}$/.test(filename), true);");
}

#[test]
fn a_body_is_compressed_on_request() {
    with_server(
        "for (const coding of ['gzip', 'deflate', 'br', 'zstd', 'gzip, br']) {
           const sent = http.post(`${url}/echo`, 'x'.repeat(1000), { compression: coding }).json();
           eq(sent.headers['content-encoding'], coding);
           eq(sent.bytes.length < 200, true);
           eq(sent.headers['content-length'], String(sent.bytes.length));
         }
         const own = http.post(`${url}/echo`, 'x', { compression: 'gzip', headers: { 'Content-Encoding': 'x-own' } }).json();
         eq(own.headers['content-encoding'], 'x-own');
         const refused = http.post(`${url}/echo`, 'x', { compression: 'lzma' });
         eq(refused.status, 0);
         eq(refused.error, 'unknown compression algorithm lzma, supported algorithms are gzip, deflate, br, zstd');",
    );
}

#[test]
fn digest_answers_the_challenge_with_a_second_request() {
    let requests = with_server(
        "const auth = (path) => http.get(url.replace('//', '//user:secret@') + path, { auth: 'digest' });
         eq(auth('/digest').status, 200);
         eq(auth('/digest-sha256').status, 200);
         eq(auth('/digest-never').status, 401);
         eq(http.get(`${url}/digest`, { auth: 'digest' }).status, 401);",
    );
    assert_eq!(requests, 2 + 2 + 2 + 1);
}

#[test]
fn only_the_challenge_is_expected_to_be_a_401() {
    let url = format!("http://{}", echo_server());
    let batches = iterate(
        &url,
        "http.get(url.replace('//', '//user:secret@') + '/digest', { auth: 'digest' });
         http.get(url.replace('//', '//user:secret@') + '/digest-never', { auth: 'digest' });",
    );
    let failed: Vec<_> = batches
        .iter()
        .flat_map(|batch| &batch.http)
        .map(|record| record.failed)
        .collect();
    assert_eq!(failed, [Some(false), Some(false), Some(false), Some(true)]);
}
