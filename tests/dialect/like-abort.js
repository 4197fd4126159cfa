// exit: 108
// says: enough of this
import exec from 'k6/execution';

export const options = { vus: 2, duration: '30s' };

export default function () {
  try {
    exec.test.abort('enough of this');
  } catch (error) {
    console.error('an abort cannot be caught');
  }
}

export function teardown() {}
