// iterations: 1
// says: it went wrong
// shows: iterations
export default function () {}

// The usual summary is shown instead.
export function handleSummary() {
  throw new Error('it went wrong');
}
