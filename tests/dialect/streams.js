// iterations: 1
// checks: 9
import { check } from 'k6';
import { ReadableStream, WritableStream, TransformStream, CountQueuingStrategy } from 'k6/experimental/streams';
import { setTimeout } from 'k6/timers';

const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function all(stream) {
  const found = [];
  for await (const value of stream) found.push(value);
  return found;
}

export default async function () {
  const ticking = new ReadableStream({
    start(controller) {
      let n = 0;
      const next = () => {
        if (n === 3) return controller.close();
        controller.enqueue(++n);
        setTimeout(next, 2);
      };
      setTimeout(next, 2);
    },
  });
  let asked = 0;
  const pulled = new ReadableStream({ pull: (c) => (++asked > 4 ? c.close() : c.enqueue(asked)) }, new CountQueuingStrategy({ highWaterMark: 2 }));
  await delay(1);
  const ahead = asked;

  const written = [];
  let waited = false;
  const slow = new WritableStream({ write: async (chunk) => { await delay(5); written.push(chunk); }, close: () => { written.push('end'); } }, { highWaterMark: 1 });
  const writer = slow.getWriter();
  for (let i = 0; i < 3; i++) {
    let ready = false;
    writer.ready.then(() => (ready = true));
    await Promise.resolve();
    await Promise.resolve();
    waited ||= !ready;
    await writer.ready;
    writer.write(i);
  }
  await writer.close();

  const doubled = ReadableStream.from([1, 2, 3]).pipeThrough(new TransformStream({ transform: (n, c) => c.enqueue(n * 2), flush: (c) => c.enqueue('done') }));
  const [left, right] = ReadableStream.from(['a', 'b']).tee();
  const broken = new ReadableStream({ start: (c) => c.error(new Error('broken')) });
  let cancelled;
  const endless = new ReadableStream({ pull: (c) => c.enqueue(0), cancel: (reason) => { cancelled = reason; } });
  await endless.cancel('enough');
  const failing = new WritableStream({ write: () => { throw new Error('full'); } });
  const failed = await failing.getWriter().write(1).catch((error) => error.message);
  check(null, {
    ticking: (await all(ticking)).join() === '1,2,3',
    'asked ahead': ahead === 2,
    'asked to the end': (await all(pulled)).join() === '1,2,3,4',
    'written in order': written.join() === '0,1,2,end',
    'waits for room': waited,
    transformed: (await all(doubled)).join() === '2,4,6,done',
    'two branches': (await Promise.all([all(left), all(right)])).join() === 'a,b,a,b',
    'an error and a cancel': (await broken.getReader().read().catch((error) => error.message)) === 'broken' && cancelled === 'enough',
    'a sink that fails': failed === 'full',
  });
}
