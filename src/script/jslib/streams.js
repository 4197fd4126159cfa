// The module k6/experimental/streams: streams as in the WHATWG standard, without byte streams.

const settled = () => {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  // A stream that fails is no rejection that nobody handles.
  made.promise.catch(() => {});
  return made;
};

export class CountQueuingStrategy {
  constructor({ highWaterMark }) {
    this.highWaterMark = highWaterMark;
  }
  size() {
    return 1;
  }
}
export class ByteLengthQueuingStrategy {
  constructor({ highWaterMark }) {
    this.highWaterMark = highWaterMark;
  }
  size(chunk) {
    return chunk.byteLength;
  }
}

function limits(strategy, usual) {
  const mark = strategy?.highWaterMark ?? usual;
  if (typeof mark !== 'number' || Number.isNaN(mark) || mark < 0) throw new RangeError('highWaterMark must be a number from 0 on');
  return [mark, (chunk) => (strategy?.size ? strategy.size(chunk) : 1)];
}

export class ReadableStream {
  #queue = [];
  #room;
  #size;
  #waiting = [];
  #source;
  #state = 'readable';
  #error;
  #closing = false;
  #reader = null;
  #closed = settled();
  #pulling = false;
  #again = false;
  #started = false;
  #controller;

  constructor(source = {}, strategy = {}) {
    if (source?.type !== undefined) throw new TypeError('only streams of values are supported, no byte streams');
    [this.#room, this.#size] = limits(strategy, 1);
    this.#source = source ?? {};
    const stream = this;
    this.#controller = {
      enqueue: (chunk) => stream.#enqueue(chunk),
      close: () => stream.#close(),
      error: (reason) => stream.#fail(reason),
      get desiredSize() {
        if (stream.#state === 'errored') return null;
        return stream.#state === 'closed' ? 0 : stream.#desired();
      },
    };
    const begun = this.#source.start?.(this.#controller);
    Promise.resolve(begun).then(
      () => {
        this.#started = true;
        this.#pull();
      },
      (reason) => this.#fail(reason),
    );
  }

  static from(iterable) {
    const iterator = iterable[Symbol.asyncIterator]?.() ?? iterable[Symbol.iterator]();
    return new ReadableStream(
      {
        async pull(controller) {
          const { done, value } = await iterator.next();
          if (done) controller.close();
          else controller.enqueue(await value);
        },
        async cancel(reason) {
          await iterator.return?.(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  get locked() {
    return this.#reader !== null;
  }
  #desired() {
    return this.#room - this.#queue.reduce((sum, [, size]) => sum + size, 0);
  }
  #enqueue(chunk) {
    if (this.#closing || this.#state !== 'readable') throw new TypeError('the stream is closed: nothing can be enqueued');
    if (this.#waiting.length > 0) {
      this.#waiting.shift().resolve({ done: false, value: chunk });
    } else {
      try {
        this.#queue.push([chunk, this.#size(chunk)]);
      } catch (error) {
        this.#fail(error);
        throw error;
      }
    }
    this.#pull();
  }
  #close() {
    if (this.#closing || this.#state !== 'readable') throw new TypeError('the stream is closed already');
    this.#closing = true;
    if (this.#queue.length === 0) this.#end();
  }
  #end() {
    this.#state = 'closed';
    for (const read of this.#waiting.splice(0)) read.resolve({ done: true, value: undefined });
    this.#closed.resolve();
  }
  #fail(reason) {
    if (this.#state !== 'readable') return;
    [this.#state, this.#error, this.#queue] = ['errored', reason, []];
    for (const read of this.#waiting.splice(0)) read.reject(reason);
    this.#closed.reject(reason);
  }
  #pull() {
    const wanted = this.#started && this.#state === 'readable' && !this.#closing && (this.#waiting.length > 0 || this.#desired() > 0);
    if (!wanted || !this.#source.pull) return;
    if (this.#pulling) {
      this.#again = true;
      return;
    }
    this.#pulling = true;
    const done = () => {
      this.#pulling = false;
      if (this.#again) {
        this.#again = false;
        this.#pull();
      }
    };
    new Promise((resolve) => resolve(this.#source.pull(this.#controller))).then(done, (reason) => this.#fail(reason));
  }

  getReader(options) {
    if (options?.mode !== undefined) throw new TypeError('only readers of values are supported');
    if (this.#reader) throw new TypeError('the stream is locked to a reader');
    const mine = () => {
      if (this.#reader !== reader) throw new TypeError('the reader has been released');
    };
    const reader = {
      read: async () => {
        mine();
        if (this.#queue.length > 0) {
          const [value] = this.#queue.shift();
          if (this.#closing && this.#queue.length === 0) this.#end();
          else this.#pull();
          return { done: false, value };
        }
        if (this.#state === 'errored') throw this.#error;
        if (this.#state === 'closed') return { done: true, value: undefined };
        const read = settled();
        this.#waiting.push(read);
        this.#pull();
        return read.promise;
      },
      cancel: async (reason) => {
        mine();
        return this.#cancel(reason);
      },
      releaseLock: () => {
        if (this.#reader !== reader) return;
        for (const read of this.#waiting.splice(0)) read.reject(new TypeError('the reader has been released'));
        this.#reader = null;
      },
      closed: this.#closed.promise,
    };
    this.#reader = reader;
    return reader;
  }
  async #cancel(reason) {
    if (this.#state === 'errored') throw this.#error;
    if (this.#state === 'closed') return;
    this.#queue = [];
    this.#end();
    await this.#source.cancel?.(reason);
  }
  async cancel(reason) {
    if (this.locked) throw new TypeError('the stream is locked to a reader');
    return this.#cancel(reason);
  }

  async pipeTo(target, { preventClose = false, preventAbort = false, preventCancel = false } = {}) {
    const [reader, writer] = [this.getReader(), target.getWriter()];
    try {
      for (;;) {
        await writer.ready;
        let step;
        try {
          step = await reader.read();
        } catch (error) {
          if (!preventAbort) await writer.abort(error);
          throw error;
        }
        if (step.done) break;
        try {
          await writer.write(step.value);
        } catch (error) {
          if (!preventCancel) await reader.cancel(error);
          throw error;
        }
      }
      if (!preventClose) await writer.close();
    } finally {
      reader.releaseLock();
      writer.releaseLock();
    }
  }
  pipeThrough({ writable, readable }, options) {
    this.pipeTo(writable, options).catch(() => {});
    return readable;
  }
  tee() {
    const reader = this.getReader();
    const branches = [];
    const pull = async () => {
      const { done, value } = await reader.read();
      for (const branch of branches) {
        if (done) branch.close();
        else branch.enqueue(value);
      }
    };
    const make = () => new ReadableStream({ start: (controller) => void branches.push(controller), pull });
    return [make(), make()];
  }
  async *[Symbol.asyncIterator]() {
    const reader = this.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        yield value;
      }
    } finally {
      await reader.cancel();
      reader.releaseLock();
    }
  }
  values() {
    return this[Symbol.asyncIterator]();
  }
}

export class WritableStream {
  #sink;
  #room;
  #size;
  #queued = 0;
  #last;
  #state = 'writable';
  #error;
  #writer = null;
  #ready = settled();
  #closed = settled();
  #controller;

  constructor(sink = {}, strategy = {}) {
    [this.#room, this.#size] = limits(strategy, 1);
    this.#sink = sink ?? {};
    this.#controller = { error: (reason) => this.#fail(reason) };
    this.#last = Promise.resolve(this.#sink.start?.(this.#controller)).catch((reason) => this.#fail(reason));
    this.#judge();
  }
  get locked() {
    return this.#writer !== null;
  }
  #judge() {
    if (this.#state === 'writable' && this.#queued < this.#room) this.#ready.resolve();
    else if (this.#state === 'writable') this.#ready = settled();
  }
  #fail(reason) {
    if (this.#state === 'errored' || this.#state === 'closed') return;
    [this.#state, this.#error] = ['errored', reason];
    this.#ready.reject(reason);
    this.#closed.reject(reason);
  }
  /** Steps go to the sink one after the other. */
  #after(step) {
    const done = this.#last.then(() => {
      if (this.#state === 'errored') throw this.#error;
      return step();
    });
    this.#last = done.catch((reason) => this.#fail(reason));
    return done;
  }
  async #write(chunk) {
    if (this.#state === 'errored') throw this.#error;
    if (this.#state !== 'writable') throw new TypeError('the stream is closed: nothing can be written');
    const size = this.#size(chunk);
    const full = this.#queued >= this.#room;
    this.#queued += size;
    if (!full) this.#judge();
    return this.#after(async () => {
      try {
        await this.#sink.write?.(chunk, this.#controller);
      } finally {
        const full = this.#queued >= this.#room;
        this.#queued -= size;
        if (full) this.#judge();
      }
    });
  }
  async #close() {
    if (this.#state !== 'writable') throw new TypeError('the stream is closed already');
    this.#state = 'closing';
    return this.#after(async () => {
      await this.#sink.close?.();
      this.#state = 'closed';
      this.#closed.resolve();
    });
  }
  async #abort(reason) {
    if (this.#state === 'closed' || this.#state === 'errored') return;
    this.#fail(reason);
    await this.#sink.abort?.(reason);
  }
  async close() {
    return this.#close();
  }
  async abort(reason) {
    return this.#abort(reason);
  }
  getWriter() {
    if (this.#writer) throw new TypeError('the stream is locked to a writer');
    const stream = this;
    const mine = (step) => async (given) => {
      if (this.#writer !== writer) throw new TypeError('the writer has been released');
      return step(given);
    };
    const writer = {
      write: mine((chunk) => this.#write(chunk)),
      close: mine(() => this.#close()),
      abort: mine((reason) => this.#abort(reason)),
      releaseLock: () => {
        if (this.#writer === writer) this.#writer = null;
      },
      get ready() {
        return stream.#ready.promise;
      },
      get closed() {
        return stream.#closed.promise;
      },
      get desiredSize() {
        if (stream.#state === 'errored') return null;
        return stream.#state === 'closed' ? 0 : stream.#room - stream.#queued;
      },
    };
    this.#writer = writer;
    return writer;
  }
}

export class TransformStream {
  constructor(transformer = {}, writableStrategy = {}, readableStrategy = {}) {
    let output;
    let room = settled();
    const controller = {
      enqueue: (chunk) => output.enqueue(chunk),
      error: (reason) => output.error(reason),
      terminate: () => output.close(),
      get desiredSize() {
        return output.desiredSize;
      },
    };
    this.readable = new ReadableStream(
      {
        start: (made) => void (output = made),
        pull: () => {
          room.resolve();
        },
      },
      { highWaterMark: 0, ...readableStrategy },
    );
    this.writable = new WritableStream(
      {
        start: () => transformer.start?.(controller),
        write: async (chunk) => {
          // Until somebody reads, nothing more is taken.
          if (output.desiredSize <= 0) await room.promise;
          room = settled();
          if (transformer.transform) await transformer.transform(chunk, controller);
          else controller.enqueue(chunk);
        },
        close: async () => {
          await transformer.flush?.(controller);
          output.close();
        },
        abort: (reason) => output.error(reason),
      },
      writableStrategy,
    );
  }
}

export default { ReadableStream, WritableStream, TransformStream, CountQueuingStrategy, ByteLengthQueuingStrategy };
