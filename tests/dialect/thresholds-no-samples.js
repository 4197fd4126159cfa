// exit: 99
// says: thresholds have failed
// shows: ✗ 'p(95)<500' no samples
// A test that measured nothing has shown nothing; who expects it says so.
export const options = {
  thresholds: {
    // loadgen-lint-ignore metric-never-written -- on purpose
    http_req_duration: ['p(95)<500'],
    ws_connecting: [{ threshold: 'avg<1', onEmpty: 'pass' }],
  },
};

export default function () {}
