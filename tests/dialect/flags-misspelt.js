// args: --iteration=2
// exit: 104
// says: --iterations
export default function () {}
