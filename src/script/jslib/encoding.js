// The module k6/experimental/encoding: the globals, by name.
const { TextDecoder, TextEncoder } = globalThis;

export { TextDecoder, TextEncoder };
export default { TextDecoder, TextEncoder };
