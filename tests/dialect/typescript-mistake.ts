// exit: 107
// says: typescript-mistake.ts:4:19
// says: SyntaxError
const a: number = = 1;
export default (): void => {};
