// says: typescript-place.ts:15
// says: throw new Error('on this line');
// iterations: 1
interface Ignored {
  a: number;
}

type Also = {
  b: string;
};

export default function (): void {
  const ignored: Ignored & Also = { a: 1, b: '' };
  if (ignored.a === 1) {
    throw new Error('on this line');
  }
}
