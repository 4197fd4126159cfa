// samples http_reqs{name:{BASE}/get/:id}: 2
// samples http_reqs{name:${}/get?id=${}}: 2
// samples http_reqs{name:page}: 1
import http from 'k6/http';

// Parts that look like ids are one name; `http.url` makes one of its own, as does a tag.
export default function () {
  http.get(`${__ENV.BASE}/get/1001`);
  http.get(`${__ENV.BASE}/get/1002`);
  http.get(http.url`${__ENV.BASE}/get?id=${1}`);
  http.get(http.url`${__ENV.BASE}/get?id=${2}`);
  http.get(`${__ENV.BASE}/get/1003`, { tags: { name: 'page' } });
}
