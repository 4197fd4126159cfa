// The module k6/experimental/webcrypto: the global crypto, by name.
const { crypto } = globalThis;

export { crypto };
export default { crypto };
