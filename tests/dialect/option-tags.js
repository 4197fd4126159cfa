// args: --tag build=7 --tag team=flag
// samples http_reqs{build:7,team:flag,kind:}: 1
// samples http_reqs{build:7,team:own}: 1
// samples iterations{build:7,team:flag}: 1
import http from 'k6/http';

// Flags replace the tags of the script as a whole; a request's win over both.
export const options = { tags: { team: 'script', kind: 'k' } };

export default function () {
  http.get(`${__ENV.BASE}/get`);
  http.get(`${__ENV.BASE}/get`, { tags: { team: 'own' } });
}
