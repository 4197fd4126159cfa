// JSON Schema, as far as tests of answers use it: what is wrong with a value, as a list.
// Shared by ajv, expect and k6chaijs.

const FORMATS = {
  date: /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/,
  time: /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d{2}:?\d{2})?$/i,
  'date-time': /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d{2}:?\d{2})$/i,
  uri: /^[a-z][a-z0-9+.-]*:\S+$/i,
  email: /^[^\s@]+@[^\s@]+\.?[^\s@]*$/,
  ipv4: /^((25[0-5]|2[0-4]\d|1?\d?\d)(\.|$)){4}$/,
  ipv6: /^[0-9a-f:.]*:[0-9a-f:.]*$/i,
  uuid: /^(urn:uuid:)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  hostname: /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i,
};

export function same(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

function kind(value) {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

const fits = (value, type) =>
  type === 'integer' ? Number.isInteger(value) : type === 'number' ? typeof value === 'number' && Number.isFinite(value) : kind(value) === type;

/** The part of `root` that a local `$ref` points at. */
function pointed(root, ref, known) {
  if (ref === '#') return root;
  if (!ref.startsWith('#/')) {
    const found = known?.(ref);
    if (found === undefined) throw new Error(`can't resolve reference ${ref}`);
    return found;
  }
  let found = root;
  for (const part of ref.slice(2).split('/')) {
    found = found?.[decodeURIComponent(part).replace(/~1/g, '/').replace(/~0/g, '~')];
  }
  if (found === undefined) throw new Error(`can't resolve reference ${ref}`);
  return found;
}

/** What is wrong with `value`: `{ keyword, dataPath, schemaPath, params, message }` each. `known` finds other schemas. */
export function faults(schema, value, root = schema, path = '', known = undefined) {
  const found = [];
  const fault = (keyword, message, params = {}) => found.push({ keyword, dataPath: path, instancePath: path, schemaPath: `#/${keyword}`, params, message });
  const below = (part, data, at = path) => faults(part, data, root, at, known);
  if (schema === true || schema === undefined) return found;
  if (schema === false) {
    fault('false schema', 'boolean schema is false');
    return found;
  }
  if (schema.$ref !== undefined) return below(pointed(root, schema.$ref, known), value);
  if (schema.nullable === true && value === null) return found;

  const types = schema.type === undefined ? [] : [].concat(schema.type);
  if (types.length > 0 && !types.some((type) => fits(value, type))) fault('type', `should be ${types.join(',')}`, { type: types.join(',') });
  if (schema.enum && !schema.enum.some((one) => same(one, value))) fault('enum', 'should be equal to one of the allowed values', { allowedValues: schema.enum });
  if ('const' in schema && !same(schema.const, value)) fault('const', 'should be equal to constant', { allowedValue: schema.const });

  if (typeof value === 'number') {
    const limits = { minimum: [(l) => value >= l, '>='], maximum: [(l) => value <= l, '<='], exclusiveMinimum: [(l) => value > l, '>'], exclusiveMaximum: [(l) => value < l, '<'] };
    for (const [keyword, [holds, sign]] of Object.entries(limits)) {
      const limit = schema[keyword];
      if (typeof limit === 'number' && !holds(limit)) fault(keyword, `should be ${sign} ${limit}`, { limit });
    }
    if (schema.multipleOf && !Number.isInteger(+(value / schema.multipleOf).toFixed(9))) fault('multipleOf', `should be multiple of ${schema.multipleOf}`);
  }
  const size = (low, high, length, what) => {
    if (schema[low] !== undefined && length < schema[low]) fault(low, `should NOT have fewer than ${schema[low]} ${what}`, { limit: schema[low] });
    if (schema[high] !== undefined && length > schema[high]) fault(high, `should NOT have more than ${schema[high]} ${what}`, { limit: schema[high] });
  };
  if (typeof value === 'string') {
    size('minLength', 'maxLength', [...value].length, 'characters');
    if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value)) fault('pattern', `should match pattern "${schema.pattern}"`, { pattern: schema.pattern });
    if (FORMATS[schema.format] && !FORMATS[schema.format].test(value)) fault('format', `should match format "${schema.format}"`, { format: schema.format });
  }
  if (Array.isArray(value)) {
    size('minItems', 'maxItems', value.length, 'items');
    if (schema.uniqueItems && value.some((one, i) => value.slice(0, i).some((other) => same(one, other)))) fault('uniqueItems', 'should NOT have duplicate items');
    const places = schema.prefixItems ?? (Array.isArray(schema.items) ? schema.items : []);
    const rest = Array.isArray(schema.items) ? schema.additionalItems : schema.items;
    value.forEach((one, i) => found.push(...below(i < places.length ? places[i] : rest, one, `${path}[${i}]`)));
    if (schema.contains !== undefined && !value.some((one) => below(schema.contains, one).length === 0)) fault('contains', 'should contain a valid item');
  } else if (kind(value) === 'object') {
    const names = Object.keys(value);
    size('minProperties', 'maxProperties', names.length, 'properties');
    for (const name of Array.isArray(schema.required) ? schema.required : []) {
      if (!(name in value)) fault('required', `should have required property '${name}'`, { missingProperty: name });
    }
    const patterns = Object.entries(schema.patternProperties ?? {}).map(([pattern, part]) => [new RegExp(pattern, 'u'), part]);
    for (const name of names) {
      const at = `${path}.${name}`;
      const own = schema.properties && Object.hasOwn(schema.properties, name);
      if (own) found.push(...below(schema.properties[name], value[name], at));
      const matching = patterns.filter(([pattern]) => pattern.test(name));
      for (const [, part] of matching) found.push(...below(part, value[name], at));
      if (own || matching.length > 0 || schema.additionalProperties === undefined) continue;
      if (schema.additionalProperties === false) fault('additionalProperties', 'should NOT have additional properties', { additionalProperty: name });
      else found.push(...below(schema.additionalProperties, value[name], at));
    }
    if (schema.propertyNames !== undefined) names.forEach((name) => found.push(...below(schema.propertyNames, name)));
    for (const [name, needs] of Object.entries(schema.dependencies ?? {})) {
      if (!(name in value)) continue;
      if (!Array.isArray(needs)) found.push(...below(needs, value));
      else if (needs.some((need) => !(need in value))) fault('dependencies', `should have properties ${needs.join(', ')} when property ${name} is present`);
    }
  }

  const holding = (parts) => parts.filter((part) => below(part, value).length === 0).length;
  for (const part of schema.allOf ?? []) found.push(...below(part, value));
  if (schema.anyOf && holding(schema.anyOf) === 0) fault('anyOf', 'should match some schema in anyOf');
  if (schema.oneOf && holding(schema.oneOf) !== 1) fault('oneOf', 'should match exactly one schema in oneOf');
  if (schema.not !== undefined && holding([schema.not]) > 0) fault('not', 'should NOT be valid');
  if (schema.if !== undefined) found.push(...below(holding([schema.if]) > 0 ? schema.then : schema.else, value));
  return found;
}
