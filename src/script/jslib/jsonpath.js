// Parts of a value by JSONPath: https://jslib.k6.io/jsonpath

/** The steps of a path: `{ deep, names | all | slice | filter | script }`. */
function steps(path) {
  const found = [];
  let rest = path.trim().replace(/^\$/, '');
  while (rest !== '') {
    const deep = rest.startsWith('..');
    let match;
    if ((match = /^\.\.?(\*|[\p{L}_$][\p{L}\p{N}_$-]*)/u.exec(rest))) {
      found.push(match[1] === '*' ? { deep, all: true } : { deep, names: [match[1]] });
    } else if ((match = /^(?:\.\.)?\[\s*\?\((.*?)\)\s*\](?=$|\.|\[)/s.exec(rest))) {
      found.push({ deep, filter: expression(match[1]) });
    } else if ((match = /^(?:\.\.)?\[\s*\((.*?)\)\s*\]/s.exec(rest))) {
      found.push({ deep, script: expression(match[1]) });
    } else if ((match = /^(?:\.\.)?\[\s*(-?\d*)\s*:\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?\]/.exec(rest))) {
      const number = (text) => (text ? Number(text) : undefined);
      found.push({ deep, slice: [number(match[1]), number(match[2]), number(match[3])] });
    } else if ((match = /^(?:\.\.)?\[\s*\*\s*\]/.exec(rest))) {
      found.push({ deep, all: true });
    } else if ((match = /^(?:\.\.)?\[((?:\s*(?:-?\d+|'(?:\\.|[^'])*'|"(?:\\.|[^"])*")\s*,?)+)\]/.exec(rest))) {
      const names = [...match[1].matchAll(/-?\d+|'((?:\\.|[^'])*)'|"((?:\\.|[^"])*)"/g)];
      found.push({ deep, names: names.map((name) => (name[1] ?? name[2] ?? name[0]).replace(/\\(.)/g, '$1')) });
    } else {
      throw new Error(`jsonpath: \`${path}\` cannot be read at \`${rest}\``);
    }
    rest = rest.slice(match[0].length);
  }
  return found;
}

/** `@.price < 10`, with `@` for the value. */
function expression(text) {
  const body = text.replace(/@/g, '_value');
  return new Function('_value', `try { return (${body}); } catch { return undefined; }`);
}

const keysOf = (value) => (Array.isArray(value) ? [...value.keys()] : value !== null && typeof value === 'object' ? Object.keys(value) : []);

function chosen(value, step) {
  const keys = keysOf(value);
  if (step.all) return keys;
  if (step.filter) return keys.filter((key) => step.filter(value[key]));
  const names = step.script ? [step.script(value)] : step.names;
  if (names) {
    const place = (name) => (Array.isArray(value) && Number(name) < 0 ? value.length + Number(name) : Array.isArray(value) ? Number(name) : name);
    return names.map(place).filter((name) => keys.includes(name));
  }
  if (!Array.isArray(value)) return [];
  const [start = 0, end = value.length, pace = 1] = step.slice;
  const bound = (at) => Math.max(0, Math.min(value.length, at < 0 ? value.length + at : at));
  return keys.slice(bound(start), bound(end)).filter((key) => (key - bound(start)) % pace === 0);
}

export function nodes(object, path, count) {
  let found = [{ path: ['$'], value: object }];
  for (const step of steps(path)) {
    const next = [];
    const visit = (node) => {
      for (const key of chosen(node.value, step)) next.push({ path: [...node.path, key], value: node.value[key] });
      if (step.deep) for (const key of keysOf(node.value)) visit({ path: [...node.path, key], value: node.value[key] });
    };
    found.forEach(visit);
    found = next;
  }
  return count === undefined ? found : found.slice(0, count);
}

export const query = (object, path, count) => nodes(object, path, count).map((node) => node.value);
export const paths = (object, path, count) => nodes(object, path, count).map((node) => node.path);

export function value(object, path, ...fresh) {
  const [node] = nodes(object, path, 1);
  if (fresh.length === 0 || !node) return node?.value;
  parentOf(object, node)[node.path.at(-1)] = fresh[0];
  return fresh[0];
}
const parentOf = (object, node) => node.path.slice(1, -1).reduce((at, key) => at[key], object);
export const parent = (object, path) => {
  const [node] = nodes(object, path, 1);
  return node && parentOf(object, node);
};
export function apply(object, path, change) {
  const found = nodes(object, path);
  for (const node of found) {
    node.value = change(node.value);
    parentOf(object, node)[node.path.at(-1)] = node.value;
  }
  return found;
}

export default { query, paths, nodes, value, parent, apply };
