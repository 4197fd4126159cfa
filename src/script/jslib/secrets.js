// The module k6/secrets: values from --secret-source, which messages do not show.
import { secret } from 'loadgen:native';

export const get = async (key) => secret(undefined, String(key));
export const source = (name) => ({ get: async (key) => secret(String(name), String(key)) });

export default { get, source };
