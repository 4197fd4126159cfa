// exit: 104
// says: options.tlsAuth[0].key
// says: the key is encrypted and there is no password
// says: decryption password incorrect
export const options = {
  tlsAuth: [
    { cert: __ENV.CERT, key: __ENV.KEY },
    { cert: __ENV.CERT, key: __ENV.KEY, password: 'other' },
  ],
};

export default function () {}
