// iterations: 1
// says: options.ext has no effect here
// says: options.projectId has no effect: it is not an option
// says: options.tlsCipherSuites
export const options = {
  iterations: 1,
  ext: { loadimpact: { projectID: 1 } },
  cloud: { name: 'x' },
  projectId: 5,
  linger: true,
  tlsVersion: { min: 'ssl3.0', max: 'tls1.2' },
  tlsCipherSuites: ['TLS_RSA_WITH_RC4_128_SHA', 'TLS_RSA_WITH_AES_128_GCM_SHA256'],
};
export default function () {}
