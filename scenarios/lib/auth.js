// Headers that say who asks, and in what form.

/** A bearer token. */
export function bearer(token) {
  return { Authorization: `Bearer ${token}` };
}

/** A bearer token and a body of JSON. */
export function bearerJson(token) {
  return { ...bearer(token), 'Content-Type': 'application/json' };
}
