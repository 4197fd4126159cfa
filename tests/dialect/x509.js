// iterations: 1
// checks: 7
import { check } from 'k6';
import x509, { getAltNames, getIssuer, getSubject, parse } from 'k6/crypto/x509';
import { thrown } from './lib/thrown.js';

// Made for this test, valid for ten years.
const pem = `-----BEGIN CERTIFICATE-----
MIIEJjCCAw6gAwIBAgIUTVokcA91IHmYH3mb7u44UMZoLvIwDQYJKoZIhvcNAQEL
BQAwdTELMAkGA1UEBhMCWloxEjAQBgNVBAgMCVNvbWV3aGVyZTENMAsGA1UEBwwE
VG93bjEQMA4GA1UECgwHRXhhbXBsZTEMMAoGA1UECwwDT25lMQwwCgYDVQQLDANU
d28xFTATBgNVBAMMDGV4YW1wbGUudGVzdDAeFw0yNjExMjEyMTExMzdaFw0zNjEx
MTgyMTExMzdaMHUxCzAJBgNVBAYTAlpaMRIwEAYDVQQIDAlTb21ld2hlcmUxDTAL
BgNVBAcMBFRvd24xEDAOBgNVBAoMB0V4YW1wbGUxDDAKBgNVBAsMA09uZTEMMAoG
A1UECwwDVHdvMRUwEwYDVQQDDAxleGFtcGxlLnRlc3QwggEiMA0GCSqGSIb3DQEB
AQUAA4IBDwAwggEKAoIBAQCSMuDOVNQnTXdWq3YV3w8xYpI4cEuIUU6wndbIlZ64
+MoLsJVuNN2qrg+/XBKq5JV4MKuZw4U2Ag5pfzqTLQR3P3mDNklC3FEeHlpBT/MU
lrMEyEcdkcRsp9z3e+QOkC0jgi1PEaJQXVGRQfpALRWT0qeViGF06/S4HhLHBrws
lUQmqjwOCUOZaaASSB54nqCohqh+8OG5pdFnMSR4zAAW7HtLKtPcrKsUE8peYe5z
8nR/i2+r9eAbi0DIjoAHHURSObHlZrc7vPL0w+ZkAOlbHuD5DFf6VwSh3RbPR7JD
MFDZzJu/4rss3Z0JKOCxX/l6akkE/0TLAzGB2nFit/sTAgMBAAGjga0wgaowHQYD
VR0OBBYEFJIvIIIPZmF5OfjqarH6OEfG22yHMB8GA1UdIwQYMBaAFJIvIIIPZmF5
OfjqarH6OEfG22yHMA8GA1UdEwEB/wQFMAMBAf8wVwYDVR0RBFAwToIMZXhhbXBs
ZS50ZXN0ghB3d3cuZXhhbXBsZS50ZXN0hwR/AAABgQ5hQGV4YW1wbGUudGVzdIYW
aHR0cHM6Ly9leGFtcGxlLnRlc3QveDANBgkqhkiG9w0BAQsFAAOCAQEAcpm0+8UY
T1Ezv1G0SkbxqqKNa8na22d8Qei48E9aNeL5SS+/KBT258JxDmP2Z1Qr//w4tsA+
ZETMF8H9S5QOoz0K795c4eCz6RJWZiGYK8Ds8/Sbl+wRQ0zSrOAcSekulyHo2qSK
89sQ/6xtcwN+JFAzYkaQIHYAyN0rw7pAr6TPo/05MMWCoY7M0rWtacbYqM97XOTO
XwmageNbhsxfVXhhHsLapZX0wisZUePaTMFj2QQdtuIHMBgXhS09+HsxMtPfnOq5
ptOBUEk3WvPeV4tMmOjKZ1kz/EZ8yFjd+INhTvZEFZhTTh/5LTxtLrfMxacqi8Xb
zIF4to6BsZzCmQ==
-----END CERTIFICATE-----`;

export default function () {
  const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  check(parse(pem), {
    subject: (c) => c.subject.commonName === 'example.test' && c.subject.country === 'ZZ' && c.subject.organizationalUnitName.join() === 'One,Two',
    names: (c) => c.subject.names[0].type === '2.5.4.6' && c.subject.names[0].value === 'ZZ' && c.issuer.names.length === 7,
    times: (c) => c.notBefore === '2026-11-21T21:11:37Z' && /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(c.notAfter),
    signature: (c) => c.signatureAlgorithm === 'SHA256-RSA' && c.publicKey.algorithm === 'RSA' && c.publicKey.key.e === 65537,
    fingerprint: (c) => hex(c.fingerPrint) === '3360e098d0fe765b3e16043dfac3982faa9d302b',
    'parts of it': () => getSubject(pem).localityName === 'Town' && getIssuer(pem).stateOrProvinceName === 'Somewhere'
      && getAltNames(pem).join() === 'example.test,www.example.test,a@example.test,127.0.0.1,https://example.test/x',
    'what is none': () => thrown(() => x509.parse('bad')).includes('failed to decode certificate PEM file')
      && thrown(() => parse('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----')).includes('failed to parse certificate'),
  });
}
