//! The modules `k6/encoding`, `k6/crypto`, `k6/timers`, the library k6-utils, and the globals for text and random values.

use super::*;

/// Runs `body` in an iteration, with `same(what, a, b)` and `throws(what, f, part)` at hand.
fn passes(imports: &str, body: &str) {
    let verdict = once(&format!(
        "{imports}
        function same(what, a, b) {{
            if (JSON.stringify(a) !== JSON.stringify(b)) throw new Error(`${{what}}: ${{JSON.stringify(a)}}`);
        }}
        function throws(what, f, part) {{
            let message = 'nothing';
            try {{ f(); }} catch (e) {{ message = `${{e.name}}: ${{e.message}}`; }}
            if (!message.includes(part)) throw new Error(`${{what}} threw ${{message}}`);
        }}
        const bytes = (buffer) => Array.from(new Uint8Array(buffer));
        export default async function () {{ {body} }}"
    ));
    assert!(matches!(verdict, Verdict::Complete), "{verdict:?}");
}

#[test]
fn base64_agrees_with_rfc_4648_in_all_variants() {
    passes(
        "import encoding, { b64encode, b64decode } from 'k6/encoding';",
        "for (const [plain, text] of [['', ''], ['f', 'Zg=='], ['fo', 'Zm8='], ['foo', 'Zm9v'], ['foob', 'Zm9vYg=='],
                ['fooba', 'Zm9vYmE='], ['foobar', 'Zm9vYmFy']]) {
            same('encode', encoding.b64encode(plain), text);
            same('decode', b64decode(text, 'std', 's'), plain);
            same('raw', b64encode(plain, 'rawstd'), text.replace(/=/g, ''));
            same('raw decode', b64decode(text.replace(/=/g, ''), 'rawstd', 's'), plain);
        }
        const high = new Uint8Array([251, 255, 254]);
        same('std', b64encode(high.buffer), '+//+');
        same('view', b64encode(new Uint8Array([0, 251, 255, 254]).subarray(1)), '+//+');
        same('url', b64encode(high.buffer, 'url'), '-__-');
        same('rawurl', b64encode(new Uint8Array([255]).buffer, 'rawurl'), '_w');
        same('binary', bytes(b64decode('-__-', 'url')), [251, 255, 254]);
        same('text', b64decode(b64encode('grün €'), undefined, 's'), 'grün €');
        same('lines', b64decode('Zm9v\\r\\nYmFy', 'std', 's'), 'foobar');
        throws('wrong', () => b64decode('a$b=', 'std'), 'b64decode()');
        same('variant', b64encode('a', 'base32'), b64encode('a'));
        throws('input', () => b64encode(7), 'a string or an ArrayBuffer');",
    );
}

#[test]
fn digests_agree_with_their_standards() {
    passes(
        "import crypto from 'k6/crypto';",
        // RFC 1320, RFC 1321, FIPS 180-4 and the authors of RIPEMD-160, all of the text abc.
        "const abc = {
            md4: 'a448017aaf21d8525fc10ae87aa6729d',
            md5: '900150983cd24fb0d6963f7d28e17f72',
            sha1: 'a9993e364706816aba3e25717850c26c9cd0d89d',
            sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
            sha384: 'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
            sha512: 'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
            sha512_224: '4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa',
            sha512_256: '53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23',
            ripemd160: '8eb208f7e05d987a9b044a8e98c6b087f15a0bfc',
        };
        for (const name of Object.keys(abc)) {
            same(name, crypto[name]('abc', 'hex'), abc[name]);
            same(name, crypto[name](new Uint8Array([97, 98, 99]).buffer, 'hex'), abc[name]);
            const hasher = crypto.createHash(name);
            hasher.update('a');
            hasher.digest('hex');
            hasher.update(new Uint8Array([98, 99]).buffer);
            same(name, hasher.digest('hex'), abc[name]);
            same(name, hasher.digest('hex'), abc[name]);
        }
        same('encodings', ['base64', 'base64url', 'base64rawurl'].map((e) => crypto.md5('abc', e)),
            ['kAFQmDzST7DWlj99KOF/cg==', 'kAFQmDzST7DWlj99KOF_cg==', 'kAFQmDzST7DWlj99KOF_cg']);
        same('binary', crypto.hexEncode(crypto.sha1('abc', 'binary')), abc.sha1);
        throws('algorithm', () => crypto.createHash('sha3'), 'there are md4, md5, sha1');
        throws('encoding', () => crypto.md5('abc', 'utf8'), 'there are hex, base64');
        throws('no encoding', () => crypto.md5('abc'), 'unknown output encoding');
        throws('input', () => crypto.md5({}, 'hex'), 'a string or an ArrayBuffer');",
    );
}

#[test]
fn macs_agree_with_their_rfcs() {
    passes(
        "import crypto, { hmac, createHMAC } from 'k6/crypto';",
        // RFC 2202 and RFC 4231, test case 2 of each, and case 6: a key longer than a block.
        "const vectors = {
            md5: '750c783e6ab0b503eaa86e310a5db738',
            sha1: 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79',
            sha256: '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
            sha384: 'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649',
            sha512: '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
        };
        for (const name of Object.keys(vectors)) {
            same(name, hmac(name, 'Jefe', 'what do ya want for nothing?', 'hex'), vectors[name]);
            const mac = createHMAC(name, new Uint8Array([74, 101, 102, 101]).buffer);
            mac.update('what do ya want ');
            mac.update('for nothing?');
            same(name, mac.digest('hex'), vectors[name]);
        }
        const key = new Uint8Array(131).fill(0xaa).buffer;
        same('long key', hmac('sha256', key, 'Test Using Larger Than Block-Size Key - Hash Key First', 'hex'),
            '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54');
        same('random', [crypto.randomBytes(12).byteLength, crypto.hexEncode(crypto.randomBytes(16)).length], [12, 32]);
        throws('size', () => crypto.randomBytes(0), 'RangeError');
        throws('size', () => crypto.randomBytes(-1), 'RangeError');",
    );
}

#[test]
fn timers_are_a_module_too() {
    passes(
        "import { setTimeout as later, clearTimeout, setInterval, clearInterval } from 'k6/timers';",
        "const seen = [];
        const never = later(() => seen.push('never'), 5);
        clearTimeout(never);
        await new Promise((resolve) => {
            const timer = setInterval(() => { seen.push('tick'); clearInterval(timer); resolve(); }, 1);
        });
        await new Promise((resolve) => later(resolve, 10));
        same('seen', seen, ['tick']);",
    );
}

#[test]
fn text_is_encoded_and_decoded() {
    passes(
        "",
        "const encoder = new TextEncoder();
        same('encode', bytes(encoder.encode('a€😀')), [97, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80]);
        same('lone', bytes(encoder.encode('\\ud800')), [0xef, 0xbf, 0xbd]);
        same('none', [encoder.encode().length, encoder.encoding, encoder.encode('x') instanceof Uint8Array], [0, 'utf-8', true]);
        const room = new Uint8Array(5);
        same('into', encoder.encodeInto('a€😀', room), { read: 2, written: 4 });
        same('into', bytes(room), [97, 0xe2, 0x82, 0xac, 0]);
        const decoder = new TextDecoder();
        same('decode', decoder.decode(encoder.encode('a€😀')), 'a€😀');
        same('view', decoder.decode(new Uint8Array([97, 98, 99]).subarray(1)), 'bc');
        same('wrong', decoder.decode(new Uint8Array([97, 0xff, 98])), 'a\\ufffdb');
        same('mark', [decoder.decode(new Uint8Array([0xef, 0xbb, 0xbf, 97])).length,
            new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 97])).length], [1, 2]);
        const fatal = new TextDecoder('UTF-8', { fatal: true });
        throws('fatal', () => fatal.decode(new Uint8Array([0xff])), 'TypeError');
        same('fatal', [fatal.fatal, fatal.decode(new Uint8Array([97]).buffer)], [true, 'a']);
        const stream = new TextDecoder('utf8', { fatal: true });
        let text = '';
        for (const byte of encoder.encode('a€😀')) text += stream.decode(new Uint8Array([byte]), { stream: true });
        same('stream', text + stream.decode(), 'a€😀');
        throws('label', () => new TextDecoder('latin1'), 'RangeError');
        same('base64', [btoa('\\u00ffa'), atob(' /2 E='), atob('YWJj'), atob('YQ')], ['/2E=', '\\u00ffa', 'abc', 'a']);
        throws('atob', () => atob('a'), 'InvalidCharacterError');
        throws('btoa', () => btoa('€'), 'InvalidCharacterError');",
    );
}

#[test]
fn the_global_crypto_gives_random_values() {
    passes(
        "",
        "const whole = new Uint32Array(8);
        same('same array', crypto.getRandomValues(whole) === whole, true);
        if (whole.every((n) => n === 0)) throw new Error('zeros');
        const part = new Uint8Array(32);
        crypto.getRandomValues(part.subarray(8, 24));
        same('outside', [bytes(part.slice(0, 8)), bytes(part.slice(24))], [Array(8).fill(0), Array(8).fill(0)]);
        if (part.every((n) => n === 0)) throw new Error('zeros inside');
        throws('floats', () => crypto.getRandomValues(new Float32Array(1)), 'integers');
        throws('plain', () => crypto.getRandomValues([1]), 'integers');
        throws('much', () => crypto.getRandomValues(new Uint8Array(65537)), '65536');
        const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
        if (!form.test(crypto.randomUUID())) throw new Error(crypto.randomUUID());
        same('subtle', [typeof crypto.subtle.digest, crypto.subtle === crypto.subtle], ['function', true]);
        const mine = { my: 1 };
        globalThis.crypto = mine;
        same('replaced', crypto, mine);",
    );
}

#[test]
fn k6_utils_come_by_their_address() {
    passes(
        "import { uuidv4, randomIntBetween, randomItem, randomString, findBetween, normalDistributionStages, check }
            from 'https://jslib.k6.io/k6-utils/1.4.0/index.js';
        import utils from 'https://jslib.k6.io/k6-utils/1.6.0/index.js';
        import { randomSeed } from 'k6';",
        "const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
        const ids = new Set();
        for (let i = 0; i < 1000; i++) {
            const id = uuidv4(i % 2 === 0);
            if (!form.test(id)) throw new Error(id);
            ids.add(id);
        }
        same('unique', ids.size, 1000);
        const seen = new Set();
        for (let i = 0; i < 1000; i++) seen.add(randomIntBetween(3, 6));
        same('between', [...seen].sort(), [3, 4, 5, 6]);
        same('item', [randomItem(['x']), 'abc'.includes(utils.randomItem('abc'))], ['x', true]);
        if (!/^[a-z]{20}$/.test(randomString(20)) || !/^[01]{9}$/.test(randomString(9, '01'))) throw new Error('string');
        same('find', [findBetween('<a>1</a><a>2</a>', '<a>', '</a>'), findBetween('<a>1</a><a>2</a>', '<a>', '</a>', true),
            findBetween('none', '<', '>'), findBetween('<open', '<', '>', true)], ['1', ['1', '2'], null, null]);
        const stages = normalDistributionStages(10, 60, 4);
        same('stages', stages.map((stage) => stage.target), [2, 7, 10, 7, 2, 0]);
        const repeat = () => { randomSeed(7); return [Math.random(), uuidv4(), randomIntBetween(1, 1e6)]; };
        same('seed', repeat(), repeat());
        same('check', check(1, { one: (v) => v === 1, truth: true }), true);
        const later = check(1, { now: true, later: async (v) => { await null; return v === 2; } });
        same('later', [later instanceof Promise, await later], [true, false]);
        throws('html', () => utils.parseHTML('<a>'), 'k6/html');",
    );
    let error = run(start("import x from 'https://jslib.k6.io/nope/1.0.0/index.js';"))
        .err()
        .unwrap();
    assert!(error.message.contains("there are: ajv, aws, expect, "), "{error}");
    let error = run(start("import { share } from 'loadgen:native';"))
        .err()
        .unwrap();
    assert!(
        error.message.contains("unknown module `loadgen:native`"),
        "{error}"
    );
}
