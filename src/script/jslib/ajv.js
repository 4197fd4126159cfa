// A validator of JSON Schema, under the names that Ajv 6 has for it: https://jslib.k6.io/ajv
import { faults } from 'jslib:schema';

export class Ajv {
  #schemas = new Map();
  #all;
  errors = null;

  constructor(options = {}) {
    this.#all = options.allErrors === true;
  }

  addSchema(schema, key) {
    for (const one of [].concat(schema)) this.#schemas.set(key ?? one.$id ?? one.id ?? '', one);
    return this;
  }
  getSchema(key) {
    const schema = this.#schemas.get(key);
    return schema && this.compile(schema);
  }
  compile(schema) {
    const validate = (value) => {
      const found = faults(schema, value, schema, '', (key) => this.#schemas.get(key));
      validate.errors = found.length === 0 ? null : this.#all ? found : found.slice(0, 1);
      return found.length === 0;
    };
    validate.schema = schema;
    validate.errors = null;
    return validate;
  }
  validate(schema, value) {
    const validate = typeof schema === 'string' ? this.getSchema(schema) : this.compile(schema);
    if (!validate) throw new Error(`no schema with key or ref "${schema}"`);
    const holds = validate(value);
    this.errors = validate.errors;
    return holds;
  }
  validateSchema(schema) {
    return typeof schema === 'boolean' || (typeof schema === 'object' && schema !== null);
  }
  errorsText(errors = this.errors, { separator = ', ', dataVar = 'data' } = {}) {
    if (!errors || errors.length === 0) return 'No errors';
    return errors.map((error) => `${dataVar}${error.dataPath} ${error.message}`).join(separator);
  }
}

export default Ajv;
